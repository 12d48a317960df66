"""One HTTP request: to an address that was checked, with a time limit, and what error responses mean."""

import contextlib
import http.client
import re
import ssl
import time
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

from stage.errors import PolicyViolation, SourceRefused
from stage.redaction import one_line, safe_url

from fetcher.addresses import Address, Connection
from fetcher.failures import Conflict, NotFound, Transient
from fetcher.framing import FramedBody, body_of
from fetcher.watchdog import Watchdog

AGENT = "data-registry-fetcher/1.0"
STALL = 30.0  # seconds without a byte
GRACE, SLOWEST = 60.0, 1024  # after so many seconds, fewer bytes a second than this count as a stall
EXCERPT = 4096  # bytes of an error page that are read
SECONDARY_LIMIT = 60.0  # https://docs.github.com/rest/using-the-rest-api: wait at least one minute
HUB_LIMIT = re.compile(r"\br=0\b.*\bt=(\d{1,6})\b")  # https://huggingface.co/docs/hub/rate-limits: seconds to wait
S3_CODE = re.compile(r"<Code>(\w+)</Code>")


class Response:
    """The response to one GET, redirects not followed, read as sent: nothing is decoded."""

    def __init__(
        self,
        address: Address,
        ips: list[str],
        headers: Mapping[str, str],
        watchdog: Watchdog,
        timeout: float,
        where: str,
    ) -> None:
        self._watchdog, self._began, self._received = watchdog, time.monotonic(), 0
        self._open = contextlib.ExitStack()
        try:
            self._response, self._body = self._request(Connection(address, ips, min(STALL, timeout)), headers, timeout)
        except BaseException as error:
            self._open.close()
            if failure := _failure(error, address, where):
                raise failure from error
            raise
        self.status = self._response.status
        self.start, self.total = 0, self._body.remaining
        self.validator: str | None = None
        self.encoding = self.header("Content-Encoding")
        self.framed = self._body.framed

    def _request(
        self, connection: Connection, headers: Mapping[str, str], timeout: float
    ) -> tuple[http.client.HTTPResponse, FramedBody]:
        self._open.callback(connection.close)
        connection.connect()
        socket = connection.sock
        self._open.callback(self._watchdog.release, socket)
        self._watchdog.guard(socket, min(STALL, timeout))
        connection.request("GET", connection.target, headers={"User-Agent": AGENT, "Connection": "close", **headers})
        response = connection.getresponse()
        self._open.callback(response.close)
        body = body_of(response.headers, response.fp)
        self._watchdog.guard(socket, timeout)
        return response, body

    def header(self, name: str) -> str | None:
        """Return a header of the response."""
        return self._response.getheader(name)

    def readinto(self, block: memoryview) -> int:
        """Fill some of ``block`` and return how much; zero at the end. Raise Transient if the body is cut short."""
        try:
            size = self._body.readinto(block)
        except (OSError, http.client.HTTPException) as error:
            raise Transient(f"connection lost after {self._received} bytes: {_message(error)}") from error
        self._received += size
        self._check_progress(size)
        return size

    def excerpt(self) -> str:
        """Return the beginning of an error page."""
        block, size = memoryview(bytearray(EXCERPT)), 0
        with contextlib.suppress(Transient):
            while size < EXCERPT and (read := self.readinto(block[size:])):
                size += read
        return bytes(block[:size]).decode("utf-8", "replace")

    def close(self) -> None:
        """Close the connection."""
        self._open.close()

    def _check_progress(self, size: int) -> None:
        elapsed = time.monotonic() - self._began
        if elapsed > GRACE and self._received < elapsed * SLOWEST:
            raise Transient(f"too slow: {self._received} bytes in {elapsed:.0f} seconds")
        unfinished = self._body.remaining or not (self.framed or self._received)
        if not size and unfinished:
            raise Transient(f"connection closed after {self._received} bytes")


def status_error(response: Response, url: str, where: str) -> Exception:
    """Return the exception for an error response, and close it."""
    status, page = response.status, response.excerpt()
    code = S3_CODE.search(page)
    what = f"{safe_url(url)} returned HTTP {status}" + (f" {code[1]}" if code else "")
    wait = _retry_after(response.header("Retry-After"))
    limited = status in {403, 429} and (limit := _rate_limit(response, page, wait)) is not None
    response.close()
    if limited:
        return Transient(f"{what} (rate limit)", limit)
    if status in {408, 425, 429} or status >= 500:
        return Transient(what, wait)
    if status in {404, 410}:
        return NotFound(where, what, "correct the URL, or contact the publisher of the source")
    if status == 409:
        return Conflict(where, what, "check the state of the repository")
    fix = "check the clock of this machine (date)" if code and "Time" in code[1] else "check the URL and your access"
    return SourceRefused(where, what, fix)


def _rate_limit(response: Response, page: str, wait: float | None) -> float | None:
    """Return how many seconds a 403 or 429 that is a rate limit asks us to wait; None if it is none."""
    if wait is not None:
        return wait
    reset = response.header("x-ratelimit-reset") or ""
    if response.header("x-ratelimit-remaining") == "0":
        return max(0.0, int(reset) - time.time()) + 1 if re.fullmatch(r"\d{1,15}", reset) else SECONDARY_LIMIT
    if hub := HUB_LIMIT.search(response.header("RateLimit") or ""):
        return float(hub[1])
    return SECONDARY_LIMIT if "rate limit" in page.lower() else None


def _retry_after(value: str | None) -> float | None:
    """Return the seconds of a Retry-After header; None if it is absent or invalid."""
    if value and re.fullmatch(r"\d{1,15}", value.strip()):
        return float(value)
    try:
        moment = parsedate_to_datetime(value or "")
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, moment.timestamp() - time.time())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _failure(error: BaseException, address: Address, where: str) -> Exception | None:
    """Return what an error means for the request; None if it has nothing to do with the network."""
    if isinstance(error, ssl.SSLEOFError):
        return Transient(f"connection closed by {address.origin}: {_message(error)}")
    if isinstance(error, ssl.SSLError):
        what = f"TLS connection to {address.origin} failed: {_message(error)}"
        fix = "check the clock of this machine (date); set SSL_CERT_FILE to the certificate of a private authority"
        return PolicyViolation(where, what, fix)
    if isinstance(error, (OSError, http.client.HTTPException)):
        return Transient(f"no response from {address.origin}: {_message(error)}")
    return None


def _message(error: BaseException) -> str:
    return one_line(str(error), 200) or type(error).__name__
