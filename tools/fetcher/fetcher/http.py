"""One HTTP exchange: to an address that was checked, and with an end, however slowly the server answers."""

import functools
import http.client
import os
import socket
import ssl
import time
from collections.abc import Mapping

from stage.errors import PolicyViolation

from fetcher.addresses import PORTS, Address
from fetcher.failures import Transient
from fetcher.watch import Watch

AGENT = "data-registry-fetcher/1.0"
CONNECT, STALL = 10.0, 30.0  # seconds
GRACE, SLOWEST = 60.0, 1024  # after so many seconds, fewer bytes a second than this are as good as none
EXCERPT = 4096  # bytes of an error page worth looking at


class Response:
    """The answer to one GET, redirects not followed, read as it came over the wire: nothing is decoded."""

    def __init__(
        self, address: Address, ips: list[str], headers: Mapping[str, str], watch: Watch, timeout: float, where: str
    ) -> None:
        self._watch, self._began, self._received = watch, time.monotonic(), 0
        connection = _Connection(address, ips, min(STALL, timeout))
        try:
            connection.connect()
            self._line = connection.sock
            watch.guard(self._line, min(STALL, timeout))
            connection.request("GET", address.target, headers={"User-Agent": AGENT, "Connection": "close", **headers})
            self._answer = connection.getresponse()
            watch.guard(self._line, timeout)
        except ssl.SSLEOFError as error:
            raise Transient(f"{address.origin} hung up: {_said(error)}") from error
        except ssl.SSLError as error:
            what = f"no trusted TLS connection to {address.origin}: {_said(error)}"
            fix = "check the clock of this machine (date); name a private authority's certificate in SSL_CERT_FILE"
            raise PolicyViolation(where, what, fix) from error
        except (OSError, http.client.HTTPException) as error:
            raise Transient(f"{address.origin} gave no answer: {_said(error)}") from error
        finally:
            connection.close()  # an answer under way keeps the socket
        self.status = self._answer.status
        self._left = self._answer.length
        self.start, self.total = 0, self._left
        self.validator: str | None = None
        self.framed = self._left is not None or self._answer.chunked

    def header(self, name: str) -> str | None:
        """Return a header of the answer."""
        return self._answer.getheader(name)

    def readinto(self, block: memoryview) -> int:
        """Fill some of ``block`` and return how much; zero at the end. Raise Transient if the body is cut short."""
        try:
            if self._answer.chunked:
                data = self._answer.read1(len(block))
                got = len(data)
                block[:got] = data
            else:
                # one recv straight into the block: HTTPResponse.readinto would wait until the block is full
                window = block if self._left is None else block[: self._left]
                got = self._answer.fp.readinto1(window) if window else 0
        except (OSError, http.client.HTTPException) as error:
            raise Transient(f"connection broke after {self._received} bytes: {_said(error)}") from error
        self._received += got
        if self._left is not None:
            self._left -= got
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
        self._watch.release(self._line)
        self._answer.close()

    def _judge(self, got: int) -> None:
        elapsed = time.monotonic() - self._began
        if elapsed > GRACE and self._received < elapsed * SLOWEST:
            raise Transient(f"sent only {self._received} bytes in {elapsed:.0f} seconds")
        unfinished = self._left or not (self.framed or self._received)
        if not got and unfinished:
            raise Transient(f"connection ended after {self._received} bytes")


class _Connection(http.client.HTTPConnection):
    """A connection to one of ``ips``, while the server, and TLS, are told the host's name."""

    def __init__(self, address: Address, ips: list[str], timeout: float) -> None:
        super().__init__(address.host, address.port, timeout=timeout)
        self.default_port = PORTS[address.scheme]  # which the Host header leaves out
        self._secure, self._ips = address.scheme == "https", ips

    def connect(self) -> None:
        self.sock = self._dial()
        if self._secure:
            try:
                self.sock = _tls(os.environ.get("SSL_CERT_FILE")).wrap_socket(self.sock, server_hostname=self.host)
            except BaseException:
                self.sock.close()
                raise
        self.sock.settimeout(self.timeout)

    def _dial(self) -> socket.socket:
        failure: OSError | None = None
        for ip in self._ips:
            try:
                return socket.create_connection((ip, self.port), timeout=min(CONNECT, self.timeout or CONNECT))
            except OSError as error:
                failure = error
        raise failure or OSError("no address")


@functools.cache
def _tls(roots: str | None) -> ssl.SSLContext:
    """Make the TLS settings: the system's roots, and certifi's unless the user chose (``SSL_CERT_FILE``)."""
    context = ssl.create_default_context()
    if not roots:
        import certifi  # lazy: most files of a run come from one place, often a folder

        context.load_verify_locations(certifi.where())
    return context


def _said(error: BaseException) -> str:
    return str(error) or type(error).__name__
