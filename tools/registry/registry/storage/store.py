"""The object storage that a DVC remote names, read and written object by object.

Objects lie where DVC puts them, ``files/md5/<2 digits>/<the rest>``. DVC itself cannot read back what it has sent, nor
put a good copy in the place of a damaged one; so this speaks to the storage itself: a folder, or S3 through ``minio``.
"""

import configparser
import contextlib
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from stage.errors import InputMissing, NetworkFailed, PushFailed, SourceRefused, StageError, UsageError
from stage.output import replacing

from registry.git import Git

BLOCK = 1 << 18  # what a connection that breaks may have given in vain
CONNECT, STALL = 10, 60  # seconds
CONNECTIONS = 16
PART = 64 << 20  # bytes of a part of an upload
REGION = "us-east-1"
DENIED = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"}
GONE = {"NoSuchKey", "NoSuchBucket"}
REMOTE = "'remote \""  # how DVC begins the name of a section
BEYOND = "InvalidRange"  # what is asked for starts where the object ends


class Absent(StageError):
    """The store answers, and has no such object."""

    code = InputMissing.code


class Store(Protocol):
    """Where the objects of one remote are."""

    remote: str

    def read(self, md5: str, start: int = 0) -> contextlib.AbstractContextManager[Iterator[bytes]]:
        """Open an object after ``start`` bytes, in blocks. Raises Absent, NetworkFailed or SourceRefused."""

    def write(self, md5: str, source: Path) -> None:
        """Put a file in the place of an object, whatever is there. Raises PushFailed or SourceRefused."""

    def probe(self) -> str:
        """Return the address, once it has answered. Raises NetworkFailed or SourceRefused."""


def open_store(git: Git, revision: str, remote: str = "", base: Path | None = None) -> Store:
    """Open a remote, or the default one, as ``.dvc/config`` has it at a revision; ``config.local`` goes before it.

    A remote that is a relative folder starts at ``base``, the clone itself if not given.
    Raises UsageError for a remote that is none, or of a kind other than a folder and S3.
    """
    config = dvc_config(git, revision)
    remote = remote or config.get("core", "remote", fallback="")
    known = sorted(name.split('"')[1] for name in config.sections() if name.startswith(REMOTE))
    settings = dict(config[f"{REMOTE}{remote}\"'"]) if remote in known else {}
    if "url" not in settings:
        raise UsageError("DVC_REMOTE", f"no remote {remote!r:.60}", f"use one of: {', '.join(known)}")
    parts = urlsplit(settings["url"])
    if parts.scheme == "s3":
        return S3Store(remote, parts.netloc, parts.path.strip("/"), settings.get("endpointurl", ""))
    if parts.scheme:
        raise UsageError(f"remote {remote}", f"{parts.scheme} is not spoken here", "use a folder or s3://bucket")
    return FolderStore(remote, ((base or git.folder) / ".dvc" / settings["url"]).resolve())


def dvc_config(git: Git, revision: str) -> configparser.ConfigParser:
    """Return ``.dvc/config`` as it is at a revision, with the clone's ``config.local`` over it."""
    config = configparser.ConfigParser(interpolation=None)
    local = git.folder / ".dvc" / "config.local"
    try:
        config.read_string((git.show(revision, ".dvc/config") or b"").decode())
        config.read(local, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        raise UsageError(".dvc/config", f"cannot be read: {error}", "correct it, or .dvc/config.local") from error
    return config


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
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise _absent(self.remote, md5) from error
        except PermissionError as error:
            raise SourceRefused(f"remote {self.remote}", f"may not read {md5}", "change its owner or mode") from error
        with file:
            file.seek(start)
            yield _blocks(lambda: file.read(BLOCK), lambda: self._failing(md5))

    def write(self, md5: str, source: Path) -> None:
        """Put a file in the place of an object, whatever is there."""
        with replacing(self._folder / _key(md5)) as (temporary,):
            shutil.copyfile(source, temporary)

    def probe(self) -> str:
        """Return the address, once it has answered; before the first push there is none."""
        if not self._folder.exists():
            return f"{self._folder} (made by the first push)"
        if not os.access(self._folder, os.R_OK | os.X_OK | os.W_OK):
            raise SourceRefused(f"remote {self.remote}", f"may not use {self._folder}", "change its owner or mode")
        return str(self._folder)

    @contextlib.contextmanager
    def _failing(self, md5: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise NetworkFailed(
                f"remote {self.remote}", f"{md5} cannot be read: {error.strerror}", "check the disk, then run again"
            ) from error


class S3Store:
    """A remote in S3, with the credentials of the AWS_* variables."""

    def __init__(self, remote: str, bucket: str, prefix: str, endpoint: str) -> None:
        self.remote, self._bucket, self._prefix = remote, bucket, f"{prefix}/" if prefix else ""
        self._endpoint = endpoint or os.environ.get("AWS_ENDPOINT_URL") or "https://s3.amazonaws.com"
        self._making = threading.Lock()
        self._made: Any = None

    @contextlib.contextmanager
    def read(self, md5: str, start: int = 0) -> Iterator[Iterator[bytes]]:
        """Open an object after ``start`` bytes, in blocks."""
        import minio

        try:
            with self._failing_as(NetworkFailed, md5):
                response = self._client.get_object(
                    bucket_name=self._bucket, object_name=self._prefix + _key(md5), offset=start
                )
        except NetworkFailed as error:
            if isinstance(error.__cause__, minio.error.S3Error) and error.__cause__.code == BEYOND:
                yield iter(())
                return
            raise
        try:
            yield _blocks(lambda: response.read(BLOCK), lambda: self._failing_as(NetworkFailed, md5))
        finally:
            response.close()
            response.release_conn()

    def write(self, md5: str, source: Path) -> None:
        """Put a file in the place of an object, whatever is there."""
        with self._failing_as(PushFailed, md5):
            self._client.fput_object(
                bucket_name=self._bucket,
                object_name=self._prefix + _key(md5),
                file_path=str(source),
                part_size=PART,
            )

    def probe(self) -> str:
        """Return the address, once it has answered and taken the credentials."""
        with self._failing_as(NetworkFailed, "anything"):
            if not self._client.bucket_exists(bucket_name=self._bucket):
                fix = "docker compose up infra, or create it"
                raise SourceRefused(f"remote {self.remote}", f"{self._endpoint} has no bucket {self._bucket}", fix)
        return f"{self._endpoint}/{self._bucket}"

    @property
    def _client(self) -> Any:
        with self._making:
            if self._made is None:
                self._made = self._make_client()
        return self._made

    def _make_client(self) -> Any:
        import minio  # lazy: as slow to import as all else together
        import urllib3

        endpoint = urlsplit(self._endpoint)
        return minio.Minio(
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

    @contextlib.contextmanager
    def _failing_as(self, kind: type[StageError], md5: str) -> Iterator[None]:
        import minio
        import urllib3

        try:
            yield
        except minio.error.S3Error as error:
            if error.code in GONE and kind is NetworkFailed:
                raise _absent(self.remote, md5) from error
            where, what = f"remote {self.remote}", f"{error.code} for {md5}"
            if "Time" in (error.code or ""):
                raise SourceRefused(where, what, "check the clock of this machine (date)") from error
            if error.code in DENIED:
                fix = "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and what they may do"
                raise SourceRefused(where, what, fix) from error
            raise kind(where, what, f"see what {self._endpoint} says, then run again") from error
        except (urllib3.exceptions.HTTPError, minio.error.MinioException, OSError) as error:
            what = f"{self._endpoint} does not give or take {md5}: {getattr(error, 'reason', None) or error}"
            raise kind(f"remote {self.remote}", what, "check that it is up, and its address, then run again") from error


def _blocks(
    read: Callable[[], bytes], failing: Callable[[], contextlib.AbstractContextManager[None]]
) -> Iterator[bytes]:
    """Yield blocks to the end; what fails in reading them, and not in what is done with them, is the store's fault."""
    while True:
        with failing():
            block = read()
        if not block:
            return
        yield block


def _absent(remote: str, md5: str) -> Absent:
    return Absent(f"remote {remote}", f"has no object {md5}", "make repair, or make push where it was built")
