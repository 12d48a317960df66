"""One HTTP exchange: to an address that was checked, and with an end, however slowly the server answers."""

import contextlib
import http.client
import ssl
import time
from collections.abc import Mapping

from stage.errors import PolicyViolation
from stage.redaction import one_line

from fetcher.addresses import Address
from fetcher.connection import Connection
from fetcher.failures import Transient
from fetcher.framing import Framed, framed
from fetcher.watch import Watch

AGENT = "data-registry-fetcher/1.0"
STALL = 30.0  # seconds
GRACE, SLOWEST = 60.0, 1024  # after so many seconds, fewer bytes a second than this are as good as none
EXCERPT = 4096  # bytes of an error page worth looking at


class Response:
    """The answer to one GET, redirects not followed, read as it came over the wire: nothing is decoded."""

    def __init__(
        self, address: Address, ips: list[str], headers: Mapping[str, str], watch: Watch, timeout: float, where: str
    ) -> None:
        self._watch, self._began, self._received = watch, time.monotonic(), 0
        self._open = contextlib.ExitStack()
        try:
            self._answer, self._body = self._ask(Connection(address, ips, min(STALL, timeout)), headers, timeout)
        except BaseException as error:
            self._open.close()
            if failure := _failure(error, address, where):
                raise failure from error
            raise
        self.status = self._answer.status
        self.start, self.total = 0, self._body.left
        self.validator: str | None = None
        self.encoding = self.header("Content-Encoding")
        self.framed = self._body.marked

    def _ask(
        self, connection: Connection, headers: Mapping[str, str], timeout: float
    ) -> tuple[http.client.HTTPResponse, Framed]:
        self._open.callback(connection.close)
        connection.connect()
        line = connection.sock
        self._open.callback(self._watch.release, line)
        self._watch.guard(line, min(STALL, timeout))
        connection.request("GET", connection.target, headers={"User-Agent": AGENT, "Connection": "close", **headers})
        answer = connection.getresponse()
        self._open.callback(answer.close)
        body = framed(answer.headers, answer.fp)
        self._watch.guard(line, timeout)
        return answer, body

    def header(self, name: str) -> str | None:
        """Return a header of the answer."""
        return self._answer.getheader(name)

    def readinto(self, block: memoryview) -> int:
        """Fill some of ``block`` and return how much; zero at the end. Raise Transient if the body is cut short."""
        try:
            got = self._body.readinto(block)
        except (OSError, http.client.HTTPException) as error:
            raise Transient(f"connection broke after {self._received} bytes: {_said(error)}") from error
        self._received += got
        self._judge(got)
        return got

    def excerpt(self) -> str:
        """Return the beginning of an error page."""
        block, size = memoryview(bytearray(EXCERPT)), 0
        try:
            while size < EXCERPT and (got := self.readinto(block[size:])):
                size += got
        except Transient:
            pass
        return bytes(block[:size]).decode("utf-8", "replace")

    def close(self) -> None:
        """Hang up."""
        self._open.close()

    def _judge(self, got: int) -> None:
        elapsed = time.monotonic() - self._began
        if elapsed > GRACE and self._received < elapsed * SLOWEST:
            raise Transient(f"sent only {self._received} bytes in {elapsed:.0f} seconds")
        unfinished = self._body.left or not (self.framed or self._received)
        if not got and unfinished:
            raise Transient(f"connection ended after {self._received} bytes")


def _failure(error: BaseException, address: Address, where: str) -> Exception | None:
    """Return what an error means for the request; None where it is none of the network."""
    if isinstance(error, ssl.SSLEOFError):
        return Transient(f"{address.origin} hung up: {_said(error)}")
    if isinstance(error, ssl.SSLError):
        what = f"no trusted TLS connection to {address.origin}: {_said(error)}"
        fix = "check the clock of this machine (date); name a private authority's certificate in SSL_CERT_FILE"
        return PolicyViolation(where, what, fix)
    if isinstance(error, (OSError, http.client.HTTPException)):
        return Transient(f"{address.origin} gave no answer: {_said(error)}")
    return None


def _said(error: BaseException) -> str:
    return one_line(str(error), 200) or type(error).__name__
