"""The object storage that a DVC remote names, read and written object by object.

Objects lie where DVC puts them, ``files/md5/<2 digits>/<the rest>``. DVC itself cannot read back what it has sent, nor
put a good copy in the place of a damaged one; so this speaks to the storage itself: a folder, or S3 through ``minio``.
"""

import configparser
import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from stage.errors import NetworkFailed, PushFailed, SourceRefused, StageError, UsageError
from stage.output import replacing

from registry.git import Git

BLOCK = 1 << 20
CONNECT, STALL = 10, 60  # seconds
CONNECTIONS = 16
REGION = "us-east-1"
GONE = {"NoSuchKey", "NoSuchBucket"}


class Absent(StageError):
    """The store answers, and has no such object."""

    code = 10


class Store(Protocol):
    """Where the objects of one remote are."""

    remote: str

    def read(self, md5: str, start: int = 0) -> contextlib.AbstractContextManager[Iterator[bytes]]:
        """Open an object after ``start`` bytes, in blocks. Raises Absent, NetworkFailed or SourceRefused."""

    def write(self, md5: str, source: Path) -> None:
        """Put a file in the place of an object, whatever is there. Raises PushFailed or SourceRefused."""


def open_store(git: Git, revision: str, remote: str) -> Store:
    """Open a remote as ``.dvc/config`` has it at a revision; ``config.local`` of the clone goes before it.

    Raises UsageError for a remote that is none, or of a kind other than a folder and S3.
    """
    section = f"'remote \"{remote}\"'"
    settings: dict[str, str] = {}
    texts = [(git.show(revision, ".dvc/config") or b"").decode()]
    local = git.folder / ".dvc" / "config.local"
    if local.is_file():
        texts.append(local.read_text(encoding="utf-8"))
    known = set()
    for text in texts:
        parser = configparser.ConfigParser(interpolation=None)
        parser.read_string(text)
        known |= {name.split('"')[1] for name in parser.sections() if name.startswith("'remote ")}
        settings |= dict(parser[section]) if parser.has_section(section) else {}
    if "url" not in settings:
        raise UsageError("DVC_REMOTE", f"no remote {remote!r:.60}", f"use one of: {', '.join(sorted(known))}")
    parts = urlsplit(settings["url"])
    if parts.scheme == "s3":
        return S3Store(remote, parts.netloc, parts.path.strip("/"), settings.get("endpointurl", ""))
    if parts.scheme:
        raise UsageError(f"remote {remote}", f"{parts.scheme} is not spoken here", "use a folder or s3://bucket")
    return FolderStore(remote, (git.folder / ".dvc" / settings["url"]).resolve())


def _key(md5: str) -> str:
    return f"files/md5/{md5[:2]}/{md5[2:]}"


class FolderStore:
    """A remote that is a folder."""

    def __init__(self, remote: str, folder: Path) -> None:
        self.remote, self._folder = remote, folder

    @contextlib.contextmanager
    def read(self, md5: str, start: int = 0) -> Iterator[Iterator[bytes]]:
        """Open an object after ``start`` bytes, in blocks."""
        try:
            file = (self._folder / _key(md5)).open("rb")
        except FileNotFoundError as error:
            raise _absent(self.remote, md5) from error
        with file:
            file.seek(start)
            yield iter(lambda: file.read(BLOCK), b"")

    def write(self, md5: str, source: Path) -> None:
        """Put a file in the place of an object, whatever is there."""
        with replacing(self._folder / _key(md5)) as (temporary,):
            shutil.copyfile(source, temporary)


class S3Store:
    """A remote in S3, with the credentials of the AWS_* variables."""

    def __init__(self, remote: str, bucket: str, prefix: str, endpoint: str) -> None:
        self.remote, self._bucket, self._prefix = remote, bucket, f"{prefix}/" if prefix else ""
        self._endpoint = endpoint or os.environ.get("AWS_ENDPOINT_URL") or "https://s3.amazonaws.com"
        self._made: Any = None

    @contextlib.contextmanager
    def read(self, md5: str, start: int = 0) -> Iterator[Iterator[bytes]]:
        """Open an object after ``start`` bytes, in blocks."""
        with self._failing_as(NetworkFailed, md5):
            response = self._client.get_object(self._bucket, self._prefix + _key(md5), offset=start)
            try:
                yield response.stream(BLOCK)
            finally:
                response.close()
                response.release_conn()

    def write(self, md5: str, source: Path) -> None:
        """Put a file in the place of an object, whatever is there."""
        with self._failing_as(PushFailed, md5):
            self._client.fput_object(self._bucket, self._prefix + _key(md5), str(source))

    @property
    def _client(self) -> Any:
        if self._made is None:
            import minio  # lazy: as slow to import as all else together
            import urllib3

            endpoint = urlsplit(self._endpoint)
            self._made = minio.Minio(
                endpoint=endpoint.netloc,
                access_key=os.environ.get("AWS_ACCESS_KEY_ID") or None,
                secret_key=os.environ.get("AWS_SECRET_ACCESS_KEY") or None,
                session_token=os.environ.get("AWS_SESSION_TOKEN") or None,
                region=os.environ.get("AWS_REGION") or REGION,
                secure=endpoint.scheme == "https",
                http_client=urllib3.PoolManager(
                    maxsize=CONNECTIONS,
                    timeout=urllib3.Timeout(connect=CONNECT, read=STALL),
                    retries=urllib3.Retry(total=3, backoff_factor=0.2, status_forcelist=[500, 502, 503, 504]),
                ),
            )
        return self._made

    @contextlib.contextmanager
    def _failing_as(self, kind: type[StageError], md5: str) -> Iterator[None]:
        import minio
        import urllib3

        try:
            yield
        except minio.error.S3Error as error:
            if error.code in GONE:
                raise _absent(self.remote, md5) from error
            clock = "check the clock of this machine (date)" if "Time" in (error.code or "") else ""
            fix = clock or "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and what they may do"
            raise SourceRefused(f"remote {self.remote}", f"{error.code} for {md5}", fix) from error
        except (urllib3.exceptions.HTTPError, minio.error.MinioException, OSError) as error:
            what = f"{self._endpoint} does not give or take {md5}: {error}"
            raise kind(f"remote {self.remote}", what, "check that it is up, and its address, then run again") from error


def _absent(remote: str, md5: str) -> Absent:
    return Absent(f"remote {remote}", f"has no object {md5}", "make repair, or make push where it was built")
