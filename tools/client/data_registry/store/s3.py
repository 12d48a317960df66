"""A remote in S3, through ``minio``: one client for all that is sent, read back, looked for and removed."""

import contextlib
import datetime
import email.utils
import logging
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit
from xml.etree import ElementTree

from data_registry.stage.errors import DiskFull, NetworkFailed, PushFailed, SourceRefused, StageError, UsageError
from data_registry.store.protocol import BLOCK, absent, blocks_of, object_path
from data_registry.store.s3_settings import LOGIN, S3Settings

log = logging.getLogger(__name__)

T = TypeVar("T")
PART = 16 << 20  # bytes of a part of an upload
PARTS = 9_000  # of one object; S3 takes 10 000
REGION = "us-east-1"
IN_HOST = re.compile(r"s3[.-](?:dualstack\.)?([a-z]{2}(?:-[a-z]+)+-\d)\.amazonaws\.com")
EXPECTED = re.compile(rb"<Region>([a-z0-9-]{1,40})</Region>")  # in AuthorizationHeaderMalformed
SKEW = datetime.timedelta(minutes=5)  # S3 takes 15
DENIED = {
    *("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"),
    *(
        "AllAccessDisabled",
        "AccountProblem",
        "TokenRefreshRequired",
        "MethodNotAllowed",
        "AuthorizationHeaderMalformed",
    ),
}
FULL = {"XMinioStorageFull", "InsufficientStorage", "QuotaExceeded", "XMinioAdminBucketQuotaExceeded"}
INSUFFICIENT_STORAGE = 507
BEYOND = "InvalidRange"  # what is asked for starts where the object ends


class S3Store:
    """A remote in S3."""

    def __init__(self, remote: str, settings: S3Settings, public: bool = False) -> None:
        self.remote, self._settings, self._public = remote, settings, public
        self._region = settings.region or (found[1] if (found := IN_HOST.search(settings.endpoint)) else REGION)
        self._making = threading.Lock()
        self._made: Any = None

    @contextlib.contextmanager
    def read(self, md5: str, start: int = 0) -> Iterator[Iterator[bytes]]:
        """Open an object after ``start`` bytes, in blocks."""
        with self._failing_as(NetworkFailed, md5):
            response = self._ask(lambda client: _opened(client, start, **self._at(md5)))
        if response is None:
            yield iter(())
            return
        try:
            skipped = start if response.status == 200 else 0  # of a server that knows no ranges
            with self._failing_as(NetworkFailed, md5):
                while skipped and (block := response.read(min(BLOCK, skipped), decode_content=False)):
                    skipped -= len(block)
            yield blocks_of(
                lambda: response.read(BLOCK, decode_content=False), lambda: self._failing_as(NetworkFailed, md5)
            )
        finally:
            response.close()
            response.release_conn()

    def size(self, md5: str) -> int:
        """Return the size of an object."""
        with self._failing_as(NetworkFailed, md5):
            return int(self._ask(lambda client: client.stat_object(**self._at(md5))).size)

    def write(self, md5: str, source: Path, advance: Callable[[int], None] = lambda _: None) -> None:
        """Put a file in the place of an object, whatever is there."""
        size = source.stat().st_size
        part = max(PART, (size // PARTS >> 20) + 1 << 20)

        def put(client: Any) -> None:
            upload.begin()
            with source.open("rb") as file:
                client.put_object(
                    **self._at(md5),
                    data=file,
                    length=size,
                    part_size=part,
                    metadata=self._settings.headers,
                    progress=upload,
                )

        upload = _UploadProgress(advance)
        with self._failing_as(PushFailed, md5):
            self._ask(put)

    def delete(self, md5: str) -> None:
        """Remove an object."""
        with self._failing_as(PushFailed, md5):
            self._ask(lambda client: client.remove_object(**self._at(md5)))

    def probe(self) -> str:
        """Return the address, once it has answered and taken the credentials."""
        with self._failing_as(NetworkFailed, "anything"):
            if not self._ask(lambda client: client.bucket_exists(bucket_name=self._settings.bucket)):
                raise self._no_bucket(SourceRefused)
        return f"{self._settings.endpoint}/{self._settings.bucket}"

    def _at(self, md5: str) -> dict[str, str]:
        return {"bucket_name": self._settings.bucket, "object_name": self._settings.prefix + object_path(md5)}

    def _ask(self, question: Callable[[Any], T]) -> T:
        """Ask the server; once more where it says that the bucket is in another region."""
        import minio

        client, before = self._client()
        try:
            return question(client)
        except (minio.error.S3Error, minio.error.InvalidResponseError) as error:
            region = _region_of(error) or self._region_by_list(client, error)
            if not region or region == before:
                raise
            with self._making:
                if self._region != region:  # another thread may have changed it before
                    self._region, self._made = region, None
        return question(self._client()[0])

    def _region_by_list(self, client: Any, error: Any) -> str:
        """Return the region that an answer to a list names, where one to a HEAD, which has no body, names none."""
        import minio

        response = getattr(error, "response", None)
        if response is None or response.status != 400 or response.data:
            return ""
        try:
            next(iter(client.list_objects(bucket_name=self._settings.bucket, prefix=self._settings.prefix)), None)
        except (minio.error.S3Error, minio.error.InvalidResponseError) as refused:
            return _region_of(refused)
        return ""

    def _client(self) -> tuple[Any, str]:
        """Return the client, and the region that it signs for."""
        with self._making:
            if self._made is None:
                self._made = self._make_client()
            return self._made, self._region

    def _make_client(self) -> Any:
        import minio  # lazy: as slow to import as all else together

        from data_registry.store.s3_http import Link, make_pool

        settings = self._settings
        endpoint = urlsplit(settings.endpoint)
        if not log.isEnabledFor(logging.DEBUG):
            logging.getLogger("urllib3").setLevel(logging.ERROR)  # its tries: the closing line says how they ended
        try:
            client = minio.Minio(
                endpoint=endpoint.netloc,
                region=self._region,
                secure=endpoint.scheme == "https",
                credentials=settings.provider,  # type: ignore[arg-type]
                http_client=make_pool(
                    settings.endpoint, Link(settings.connect, settings.stall, settings.ca, self._public)
                ),
            )
        except ValueError as error:
            what = f"invalid endpoint or region: {error}"
            raise UsageError(f"remote {self.remote}", what, "correct endpointurl and region, or AWS_*") from error
        if settings.style == "virtual":
            client.enable_virtual_style_endpoint()  # type: ignore[no-untyped-call]
        elif settings.style == "path":
            client.disable_virtual_style_endpoint()  # type: ignore[no-untyped-call]
        return client

    @contextlib.contextmanager
    def _failing_as(self, kind: type[StageError], md5: str) -> Iterator[None]:
        import minio
        import urllib3

        where, endpoint = f"remote {self.remote}", self._settings.endpoint
        try:
            yield
        except minio.error.S3Error as error:
            raise self._named(error, kind, md5) from error
        except (minio.error.ServerError, minio.error.InvalidResponseError) as error:
            status = getattr(error, "status_code", None) or getattr(error, "_code", None)
            what = f"{endpoint} returned {status} for {md5}"
            if status == INSUFFICIENT_STORAGE:
                raise DiskFull(where, f"{what}: its disk is full", "free some space there, then run again") from error
            raise kind(where, what, "check its address, and that it is an S3 server") from error
        except (urllib3.exceptions.HTTPError, minio.error.MinioException, OSError) as error:
            what = f"request to {endpoint} for {md5} failed: {getattr(error, 'reason', None) or error}"
            raise kind(where, what, _cure(error)) from error
        except (ValueError, KeyError, AttributeError, TypeError, ElementTree.ParseError) as error:
            # what minio raises for an answer that no S3 server gives
            what = f"invalid response from {endpoint} for {md5}: {error}"
            raise kind(where, what, "check its address, and that it is an S3 server") from error

    def _named(self, error: Any, kind: type[StageError], md5: str) -> StageError:
        """Return what an error of S3 means."""
        where, code = f"remote {self.remote}", error.code or "an unnamed error"
        if code == "NoSuchBucket":
            return self._no_bucket(kind)
        if code == "NoSuchKey":
            return absent(self.remote, md5)
        what = f"{code} for {md5}"
        if "Time" in code or code in DENIED:
            if skew := _skew(error.response):
                minutes = round(abs(skew.total_seconds()) / 60)
                way = "ahead of" if skew > datetime.timedelta() else "behind"
                what = f"{what}: the clock here is {minutes} minutes {way} the server's"
                return SourceRefused(where, what, "set the clock of this machine, or of the server (date)")
            if "Time" in code and code != "RequestTimeout":
                return SourceRefused(where, what, "check the clock of this machine (date)")
        if code in DENIED:
            if self._settings.provider is None:
                return SourceRefused(where, f"{what}: no credentials were given", LOGIN)
            return SourceRefused(where, what, "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and what they may do")
        if code in FULL or error.response.status == INSUFFICIENT_STORAGE:
            return DiskFull(where, f"{what}: its disk is full", "free some space there, then run again")
        return kind(where, f"{what}: {error.message}", f"see what {self._settings.endpoint} says, then run again")

    def _no_bucket(self, kind: type[StageError]) -> StageError:
        what = f"bucket {self._settings.bucket} not found on {self._settings.endpoint}"
        return kind(f"remote {self.remote}", what, "docker compose up infra, or create it")


class _UploadProgress:
    """The progress callback that minio takes; of an upload that is repeated, each byte counts once."""

    def __init__(self, advance: Callable[[int], None]) -> None:
        self._advance, self._highest, self._done = advance, 0, 0

    def begin(self) -> None:
        self._done = 0

    def set_meta(self, object_name: str, total_length: int) -> None:
        """Ignore the size, which is known."""

    def update(self, length: int) -> None:
        self._done += length
        if self._done > self._highest:
            self._advance(self._done - self._highest)
            self._highest = self._done


def _opened(client: Any, start: int, **place: str) -> Any:
    """Return the answer that has an object's bytes; None where there are no more of them."""
    import minio

    try:
        return client.get_object(**place, offset=start)
    except minio.error.S3Error as error:
        if error.code == BEYOND:
            return None
        raise


def _region_of(error: Any) -> str:
    """Return the region that an answer names as the right one."""
    response = getattr(error, "response", None)
    if response is None or response.status not in {301, 307, 400}:
        return ""
    found = EXPECTED.search(response.data or b"")
    region = response.headers.get("x-amz-bucket-region") or (found[1].decode() if found else "")
    return region if re.fullmatch(r"[a-z0-9-]{1,40}", region) else ""


def _skew(response: Any) -> datetime.timedelta | None:
    """Return how far the clock here is ahead of the server's, where that is too far."""
    try:
        theirs = email.utils.parsedate_to_datetime(response.headers.get("Date", ""))
        skew = datetime.datetime.now(datetime.UTC) - theirs
    except (TypeError, ValueError):  # none, none that is a date, or one without a zone
        return None
    return skew if abs(skew) > SKEW else None


def _cure(error: BaseException) -> str:
    import urllib3

    reason = getattr(error, "reason", None) or error
    if isinstance(reason, urllib3.exceptions.ProxyError):
        return "check HTTP_PROXY, HTTPS_PROXY and NO_PROXY, then run again"
    if isinstance(reason, urllib3.exceptions.SSLError):
        return "name its certificate in AWS_CA_BUNDLE, or in ssl_verify of the remote"
    return "check that it is up, and its address, then run again"
