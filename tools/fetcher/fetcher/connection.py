"""Connect to an address that was checked, over TLS where the URL says so."""

import functools
import http.client
import os
import socket
import ssl

from stage.addresses import PORTS

from fetcher.addresses import Address

CONNECT = 10.0  # seconds
MAX_INTERIM = 100  # answers before the answer, such as 103 Early Hints


class _Answer(http.client.HTTPResponse):
    """An answer, after all interim ones: http.client skips those of status 100 alone."""

    def _read_status(self) -> tuple[str, int, str]:
        for _ in range(MAX_INTERIM):
            version, status, reason = super()._read_status()  # type: ignore[misc]  # all versions have it
            if not 101 < status < 200:
                return version, status, reason
            http.client.parse_headers(self.fp)
        raise http.client.HTTPException("interim answers without end")


class Connection(http.client.HTTPConnection):
    """A connection to one of ``ips``, while the server, and TLS, are told the host's name."""

    response_class = _Answer

    def __init__(self, address: Address, ips: list[str], timeout: float) -> None:
        super().__init__(address.host, address.port, timeout=timeout)
        self.default_port = PORTS[address.scheme]  # which the Host header leaves out
        self.target = address.target
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
