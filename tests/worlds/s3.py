"""The S3 settings of other people: one real server, and what they may have told DVC and the AWS libraries of it.

A world is one choice of every aspect: where the keys are, who says the region, which certificates are trusted, how the
server is named and reached. Nothing of it is in the variables that this registry's own files set.
"""

import asyncio
import contextlib
import dataclasses
import os
import shutil
import ssl
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.error import MinioException

IMAGE = os.environ.get("MINIO_IMAGE", "pgsty/silo:RELEASE.2026-08-06T00-00-00Z")
REGION, KEY, SECRET = "eu-central-1", "somebody", "canary-secret-of-somebody"
DROPPED = ("AWS_", "DVC_", "ENV", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "SSL_CERT")


@dataclasses.dataclass(frozen=True)
class Server:
    """An S3 server with TLS, a certificate of its own authority, and a region; and a proxy that leads to it."""

    port: int
    ca: Path
    proxy: "Connecting"

    @property
    def endpoint(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def client(self) -> Minio:
        pool = urllib3.PoolManager(cert_reqs="CERT_REQUIRED", ca_certs=str(self.ca), retries=False)
        return Minio(f"localhost:{self.port}", KEY, SECRET, region=REGION, http_client=pool)


@dataclasses.dataclass
class World:
    """What somebody has set: a section of DVC's configuration, files of the AWS libraries, variables."""

    server: Server
    folder: Path
    bucket: str
    section: dict[str, str] = dataclasses.field(default_factory=dict)
    local: dict[str, str] = dataclasses.field(default_factory=dict)  # of .dvc/config.local
    profile: dict[str, str] = dataclasses.field(default_factory=dict)  # the default one in ~/.aws/config
    team: dict[str, str] = dataclasses.field(default_factory=dict)  # another one there, with what that has
    services: dict[str, str] = dataclasses.field(default_factory=dict)  # there
    credentials: dict[str, str] = dataclasses.field(default_factory=dict)  # in ~/.aws/credentials
    environ: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def known(self) -> dict[str, str]:
        """The environment of whoever lives in it."""
        kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(DROPPED)}
        home = {"HOME": str(self.folder), "AWS_EC2_METADATA_DISABLED": "true"}
        return kept | home | self.environ

    def write(self, dvc: Path) -> None:
        """Write the files; ``dvc`` is the .dvc folder of a clone, whose default remote becomes this one."""
        aws = self.folder / ".aws"
        aws.mkdir(parents=True, exist_ok=True)
        team = {**self.profile, **self.team} if self.team else {}
        profiles = _section("default", self.profile) + _section("profile team", team)
        (aws / "config").write_text(profiles + _section("services here", self.services))
        (aws / "credentials").write_text(_section("default", self.credentials))
        config = "[core]\n    remote = there\n    analytics = false\n" + _section("'remote \"there\"'", self.section)
        (dvc / "config").write_text(config)
        (dvc / "config.local").write_text(_section("'remote \"there\"'", self.local))


def _section(name: str, values: dict[str, str]) -> str:
    return "".join([f"[{name}]\n", *(f"{key} = {value}\n" for key, value in values.items())]) if values else ""


Choice = dict[str, dict[str, str]]  # what it adds to the parts of a world


def aspects(endpoint: str, ca: str, proxy: str, folder: Path, bucket: str) -> dict[str, dict[str, Choice]]:
    """Return the choices of every aspect; the first is the plain one."""
    keys = {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET}
    exported = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
    wrong = dict.fromkeys(exported, "wrong")
    file, program = folder / "keys", folder / "keys.sh"
    return {
        "keys": {
            "variables": {"environ": exported},
            "config.local": {"local": {"access_key_id": KEY, "secret_access_key": SECRET}, "environ": wrong},
            "~/.aws/credentials": {"credentials": keys},
            "~/.aws/config": {"profile": keys},
            "AWS_SHARED_CREDENTIALS_FILE": {"environ": {"AWS_SHARED_CREDENTIALS_FILE": str(file)}},
            "credentialpath": {"section": {"credentialpath": str(file)}},
            "profile of the remote": {"section": {"profile": "team"}, "team": keys, "environ": wrong},
            "AWS_PROFILE": {"environ": {"AWS_PROFILE": "team"}, "team": keys},
            "credential process": {"profile": {"credential_process": str(program)}},
        },
        "region": {
            "of the remote": {"section": {"region": REGION}},
            "AWS_REGION": {"environ": {"AWS_REGION": REGION}},
            "AWS_DEFAULT_REGION": {"environ": {"AWS_DEFAULT_REGION": REGION}},
            "of the profile": {"profile": {"region": REGION}},
            "nobody says it": {},
        },
        "certificates": {
            "AWS_CA_BUNDLE": {"environ": {"AWS_CA_BUNDLE": ca}},
            "ssl_verify": {"section": {"ssl_verify": ca}},
            "REQUESTS_CA_BUNDLE": {"environ": {"REQUESTS_CA_BUNDLE": ca}},
            "of the profile": {"profile": {"ca_bundle": ca}},
            "unchecked": {"local": {"ssl_verify": "false"}},
        },
        "endpoint": {
            "of the remote": {"section": {"endpointurl": endpoint}, "environ": {"AWS_ENDPOINT_URL": "https://no:9"}},
            "with a slash": {"section": {"endpointurl": f"{endpoint}/"}},
            "AWS_ENDPOINT_URL": {"environ": {"AWS_ENDPOINT_URL": endpoint}},
            "AWS_ENDPOINT_URL_S3": {"environ": {"AWS_ENDPOINT_URL_S3": endpoint, "AWS_ENDPOINT_URL": "https://no:9"}},
            "of the profile": {"profile": {"endpoint_url": endpoint}},
            "of a service": {"profile": {"services": "here"}, "services": {"s3": f"\n  endpoint_url = {endpoint}"}},
        },
        "url": {
            "with a prefix": {"section": {"url": f"s3://{bucket}/some/where"}},
            "with a slash": {"section": {"url": f"s3://{bucket}/some/where/"}},
            "of the bucket": {"section": {"url": f"s3://{bucket}"}},
        },
        "route": {
            "straight": {},
            "a proxy": {"environ": {"https_proxy": proxy}},
            "past a proxy": {"environ": {"HTTPS_PROXY": "http://localhost:9", "NO_PROXY": "localhost"}},
        },
        "style": {
            "auto": {},
            "path": {"profile": {"s3": "\n  addressing_style = path"}},
        },
        "checksums": {
            "unset": {},
            "when required": {"environ": {"AWS_REQUEST_CHECKSUM_CALCULATION": "when_required"}},
            "when supported": {"environ": {"AWS_REQUEST_CHECKSUM_CALCULATION": "when_supported"}},
        },
    }


def make_world(server: Server, folder: Path, **chosen: str) -> World:
    """Return a world of these choices by aspect, with a bucket of its own; the others are plain."""
    folder.mkdir(parents=True, exist_ok=True)
    world = World(server, folder, f"bucket-{uuid.uuid4()}", section={"verify": "true"})
    found = aspects(server.endpoint, str(server.ca), server.proxy.address, folder, world.bucket)
    for aspect, choices in found.items():
        for part, values in choices[chosen.get(aspect, next(iter(choices)))].items():
            getattr(world, part).update(values)
    (folder / "keys").write_text(_section("default", found["keys"]["~/.aws/credentials"]["credentials"]))
    answer = f'{{"Version": 1, "AccessKeyId": "{KEY}", "SecretAccessKey": "{SECRET}"}}'
    (folder / "keys.sh").write_text(f"#!/bin/sh\necho '{answer}'\n")
    (folder / "keys.sh").chmod(0o755)
    server.client.make_bucket(bucket_name=world.bucket)
    return world


@contextlib.contextmanager
def real_server(folder: Path) -> Iterator[Server]:
    """Run a server in a container, with TLS before it, once it answers."""
    command = ["docker", "create", "-p", "127.0.0.1::9000"]
    for name, value in {
        "MINIO_ROOT_USER": KEY,
        "MINIO_ROOT_PASSWORD": SECRET,
        "MINIO_REGION": REGION,
        "MINIO_SITE_REGION": REGION,
    }.items():
        command += ["-e", f"{name}={value}"]
    container = _output(*command, IMAGE, "server", "/data").strip()
    try:
        _output("docker", "start", container)
        port = int(_output("docker", "port", container, "9000").splitlines()[0].rpartition(":")[2])
        with Connecting() as proxy, Tls(port, _certificates(folder)) as front:
            server = Server(front.port, folder / "ca.pem", proxy)
            _wait_for(server, container)
            yield server
    finally:
        subprocess.run(["docker", "rm", "-f", "-v", container], capture_output=True)


def _wait_for(server: Server, container: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            server.client.list_buckets()
        except (urllib3.exceptions.HTTPError, MinioException):
            assert time.monotonic() < deadline, _output("docker", "logs", container)
            time.sleep(0.2)
        else:
            return


def _certificates(folder: Path) -> Path:
    """Make an authority and, signed by it, the server's certificate; return the folder of the latter."""
    certificates = folder / "certificates"
    shutil.rmtree(certificates, ignore_errors=True)
    certificates.mkdir(parents=True)
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30")
    authority = ("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=keyCertSign,cRLSign")
    _output(
        *("openssl", "req", "-x509", *key, *authority, "-subj", "/CN=authority of a test"),
        *("-keyout", str(folder / "ca.key"), "-out", str(folder / "ca.pem")),
    )
    names = "subjectAltName=DNS:localhost,DNS:*.localhost,IP:127.0.0.1"
    _output(
        *("openssl", "req", "-x509", *key, "-subj", "/CN=localhost", "-addext", names),
        *("-addext", "basicConstraints=critical,CA:FALSE", "-CA", str(folder / "ca.pem")),
        *("-CAkey", str(folder / "ca.key"), "-keyout", str(certificates / "private.key")),
        *("-out", str(certificates / "public.crt")),
    )
    return certificates


def _output(*command: str) -> str:
    done = subprocess.run(command, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Connecting:
    """An HTTP proxy that knows CONNECT alone."""

    context: ssl.SSLContext | None = None

    def __init__(self) -> None:
        self.targets: list[str] = []
        self._loop = asyncio.new_event_loop()
        serving = asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.context)
        self._server = self._loop.run_until_complete(serving)
        self.port = int(self._server.sockets[0].getsockname()[1])
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError, ValueError):
            port = await self._target(reader, writer)
            back_reader, back_writer = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(_pipe(reader, back_writer), _pipe(back_reader, writer))

    async def _target(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
        head = await reader.readuntil(b"\r\n\r\n")
        target = head.split(b" ")[1].decode()
        self.targets.append(target)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        return urlsplit(f"//{target}").port or 443


class Tls(Connecting):
    """TLS before a port of this machine."""

    def __init__(self, port: int, certificates: Path) -> None:
        self._behind = port
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificates / "public.crt", certificates / "private.key")
        super().__init__()

    async def _target(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
        return self._behind


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(1 << 16):
            writer.write(piece)
            await writer.drain()
    writer.close()
