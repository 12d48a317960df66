"""Web addresses: which may be fetched from, and the connection to one that was checked, over TLS for https."""

import functools
import http.client
import os
import socket
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

from stage.addresses import PORTS, is_public
from stage.errors import PolicyViolation
from stage.redaction import safe_url

from fetcher.failures import Transient

CONNECT_TIMEOUT = 10.0  # seconds
MAX_INTERIM = 100  # responses before the final one, such as 103 Early Hints


@dataclass(frozen=True)
class Address:
    """The parts of a web address; ``target`` is path and query."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def origin(self) -> str:
        return f"{self.host}:{self.port}"


def parse_url(url: str, where: str) -> Address:
    """Parse an http(s) URL; raise PolicyViolation for an invalid one, or one with credentials."""
    if not (url.isascii() and url.isprintable() and " " not in url):
        raise PolicyViolation(where, "invalid URL: contains a character that is not allowed", "percent-encode the URL")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise PolicyViolation(where, f"invalid URL: {error}", "correct the URL") from error
    if parts.scheme not in PORTS:
        raise PolicyViolation(where, f"unsupported URL scheme: {safe_url(url)}", "use https, http, s3 or file")
    if "@" in parts.netloc:
        raise PolicyViolation(where, f"URL contains credentials: {safe_url(url)}", "remove user and password from it")
    if not host:
        raise PolicyViolation(where, f"invalid URL: no host in {safe_url(url)}", "correct the URL")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Address(parts.scheme, host, port or PORTS[parts.scheme], target)


def resolve_host(address: Address, trusted: frozenset[str], where: str) -> list[str]:
    """Return the IP addresses of a host; raise PolicyViolation unless it is trusted or all of them are public.

    Connect to what is returned, not to the name: a second lookup could return others (DNS rebinding).
    """
    try:
        infos = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Transient(f"cannot resolve host {address.host}: {error}") from error
    ips = list(dict.fromkeys(str(info[4][0]) for info in infos))
    if address.origin not in trusted and (private := [ip for ip in ips if not is_public(ip)]):
        what = f"{address.host} has the private address {private[0]}"
        raise PolicyViolation(where, what, f"to allow it, set FETCH_TRUST={address.origin}")
    return ips


class _Response(http.client.HTTPResponse):
    """A final response: http.client itself skips interim ones of status 100 only."""

    def _read_status(self) -> tuple[str, int, str]:
        for _ in range(MAX_INTERIM):
            version, status, reason = super()._read_status()  # type: ignore[misc]  # all versions have it
            if not 101 < status < 200:
                return version, status, reason
            http.client.parse_headers(self.fp)
        raise http.client.HTTPException(f"more than {MAX_INTERIM} interim responses")


class Connection(http.client.HTTPConnection):
    """A connection to one of ``ips``; the Host header and TLS get the host's name."""

    response_class = _Response

    def __init__(self, address: Address, ips: list[str], timeout: float) -> None:
        super().__init__(address.host, address.port, timeout=timeout)
        self.default_port = PORTS[address.scheme]  # which the Host header leaves out
        self.target = address.target
        self._secure, self._ips = address.scheme == "https", ips

    def connect(self) -> None:
        self.sock = self._open_socket()
        if self._secure:
            try:
                self.sock = _tls(os.environ.get("SSL_CERT_FILE")).wrap_socket(self.sock, server_hostname=self.host)
            except BaseException:
                self.sock.close()
                raise
        self.sock.settimeout(self.timeout)

    def _open_socket(self) -> socket.socket:
        failure: OSError | None = None
        timeout = min(CONNECT_TIMEOUT, self.timeout or CONNECT_TIMEOUT)
        for ip in self._ips:
            try:
                return socket.create_connection((ip, self.port), timeout=timeout)
            except OSError as error:
                failure = error
        raise failure or OSError("no address")


@functools.cache
def _tls(ca_file: str | None) -> ssl.SSLContext:
    """Return the TLS settings: the system's CA certificates, and certifi's unless SSL_CERT_FILE is set."""
    context = ssl.create_default_context()
    if not ca_file:
        import certifi  # lazy: most files of a run come from one location, often a folder

        context.load_verify_locations(certifi.where())
    return context
