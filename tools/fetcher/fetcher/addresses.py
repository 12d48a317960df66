"""Which addresses may be fetched from: public ones, and the private ones that the person at the keyboard named."""

import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from stage.addresses import PORTS, is_public
from stage.errors import PolicyViolation
from stage.redaction import safe_url

from fetcher.failures import Transient


@dataclass(frozen=True)
class Address:
    """A web address in its parts; ``target`` is path and query."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def origin(self) -> str:
        return f"{self.host}:{self.port}"


def web_address(url: str, where: str) -> Address:
    """Take an http(s) URL apart; raise PolicyViolation for what is none, or carries credentials."""
    if not (url.isascii() and url.isprintable() and " " not in url):
        raise PolicyViolation(where, "URL holds a character that must be percent-encoded", "percent-encode the URL")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise PolicyViolation(where, f"not a valid URL: {error}", "correct the URL") from error
    if parts.scheme not in PORTS:
        raise PolicyViolation(where, f"scheme of {safe_url(url)} is not allowed", "use https, http, s3 or file")
    if "@" in parts.netloc:
        raise PolicyViolation(where, f"{safe_url(url)} carries credentials", "remove the user part from the URL")
    if not host:
        raise PolicyViolation(where, f"{safe_url(url)} names no host", "correct the URL")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Address(parts.scheme, host, port or PORTS[parts.scheme], target)


def checked_addresses(address: Address, trusted: frozenset[str], where: str) -> list[str]:
    """Resolve a host; raise PolicyViolation unless it is trusted or each of its addresses is public.

    The connection must go to what is returned: a second look-up could answer otherwise (DNS rebinding).
    """
    try:
        infos = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Transient(f"host {address.host} cannot be resolved: {error}") from error
    found = list(dict.fromkeys(str(info[4][0]) for info in infos))
    if address.origin not in trusted:
        for ip in found:
            if not is_public(ip):
                raise PolicyViolation(
                    where,
                    f"{address.host} is the private address {ip}",
                    f"if you mean it, set FETCH_TRUST={address.origin}",
                )
    return found
