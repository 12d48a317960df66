"""Connections to an S3 server: no redirect is followed with credentials, no answer but an object's is read without end.

A lazy import: urllib3 and what it needs are as slow to import as all else together.
"""

import dataclasses
import ipaddress
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from data_registry.stage.addresses import is_public
from data_registry.stage.errors import PolicyViolation, UsageError

CONNECTIONS = 32
ANSWER = 1 << 20  # bytes of an answer that is no object
BUSY = {500, 502, 503, 504}
PAUSES = (0.2, 0.6, 1.8)  # seconds, before asking again
RESET = urllib3.Retry(total=3, redirect=0, status=0, backoff_factor=0.2)


@dataclasses.dataclass(frozen=True)
class Link:
    """How a server is reached: timeouts in seconds, certificates (None: the usual ones, False: unchecked)."""

    connect: float
    stall: float
    ca: str | bool | None = None
    public: bool = False  # only public addresses


def make_pool(endpoint: str, link: Link) -> urllib3.PoolManager:
    """Return a pool of connections to an endpoint, through the proxy that the environment names for it.

    Raises UsageError for certificates that cannot be read.
    """
    parts = urlsplit(endpoint)
    options: dict[str, Any] = {
        "maxsize": CONNECTIONS,
        "timeout": urllib3.Timeout(connect=link.connect, read=link.stall),
        "retries": RESET,
        **(_certificates(link.ca) if parts.scheme == "https" else {}),
    }
    proxy = "" if proxy_bypass(parts.netloc) else getproxies().get(parts.scheme, "")
    if not proxy:
        pool = _Pool(**options)
        if link.public:
            pool.pool_classes_by_scheme = {"http": _PublicHTTP, "https": _PublicHTTPS}
        return pool
    try:
        return _Proxied(proxy if "://" in proxy else f"http://{proxy}", **options)
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        fix = "write http://host:port"
        raise UsageError(f"{parts.scheme.upper()}_PROXY", f"invalid proxy: {error}", fix) from error


def _certificates(ca: str | bool | None) -> dict[str, Any]:
    if ca is False:
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        return {"cert_reqs": "CERT_NONE"}
    given = ca if isinstance(ca, str) else os.environ.get("SSL_CERT_FILE") or _bundled()
    path = Path(given).expanduser()
    if not path.exists():
        fix = "correct AWS_CA_BUNDLE, REQUESTS_CA_BUNDLE, or ssl_verify in .dvc/config"
        raise UsageError(path, "certificates not found", fix)
    return {"cert_reqs": "CERT_REQUIRED", "ca_cert_dir" if path.is_dir() else "ca_certs": str(path)}


def _bundled() -> str:
    import certifi

    return certifi.where()


def _answer(ask: Callable[[], urllib3.BaseHTTPResponse], is_stream: bool) -> urllib3.BaseHTTPResponse:
    """Ask, again where a server is busy; read at most so much of what is no object."""
    for pause in (*PAUSES, None):
        response = ask()
        if response.status not in BUSY or pause is None:
            break
        response.close()
        time.sleep(pause)
    return response if is_stream and response.status in {200, 206} else _short(response)


def _short(response: urllib3.BaseHTTPResponse) -> urllib3.BaseHTTPResponse:
    """Return an answer with its body read, up to a limit."""
    body = response.read(ANSWER, decode_content=False)
    if len(body) == ANSWER:
        response.close()
    else:
        response.release_conn()
    headers = {name: value for name, value in response.headers.items() if name.lower() != "transfer-encoding"}
    return urllib3.HTTPResponse(
        body, headers, response.status, decode_content=False, enforce_content_length=False, preload_content=False
    )


class _Pool(urllib3.PoolManager):
    def urlopen(  # type: ignore[override]
        self, method: str, url: str, redirect: bool = True, preload_content: bool = True, **rest: Any
    ) -> urllib3.BaseHTTPResponse:
        ask = super().urlopen
        return _answer(lambda: ask(method, url, redirect=False, preload_content=False, **rest), not preload_content)


class _Proxied(_Pool, urllib3.ProxyManager):
    pass


class _Checked:
    """A connection that goes on only where it has come to a public address: whatever its name resolves to."""

    def _new_conn(self) -> Any:
        connection = super()._new_conn()  # type: ignore[misc]
        address = ipaddress.ip_address(connection.getpeername()[0].partition("%")[0])
        if not is_public(str(address)):
            connection.close()
            origin = f"{self.host}:{self.port}"  # type: ignore[attr-defined]
            what = f"{self.host} is the private address {address}"  # type: ignore[attr-defined]
            raise PolicyViolation("remote", what, f"if you mean it, set FETCH_TRUST={origin}")
        return connection


class _CheckedHTTP(_Checked, HTTPConnection):
    pass


class _CheckedHTTPS(_Checked, HTTPSConnection):
    pass


class _PublicHTTP(urllib3.HTTPConnectionPool):
    ConnectionCls = _CheckedHTTP


class _PublicHTTPS(urllib3.HTTPSConnectionPool):
    ConnectionCls = _CheckedHTTPS
