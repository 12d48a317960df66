"""Which addresses may be fetched from: public ones, and the private ones that the person at the keyboard named."""

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from stage.errors import PolicyViolation, UsageError

from fetcher.failures import Transient

PORTS = {"http": 80, "https": 443}
NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address
SPECIAL = (  # not public, though this Python's is_global says so
    ipaddress.ip_network("64:ff9b:1::/48"),  # RFC 8215: NAT64 of local use
    ipaddress.ip_network("192.0.0.0/24"),  # RFC 6890: protocol assignments
)


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


def shown(url: str) -> str:
    """Return a URL as it may be told: its query and user part can be secrets."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "the URL"
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", "")) + "?…" * bool(parts.query)


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
        raise PolicyViolation(where, f"scheme of {shown(url)} is not allowed", "use https, http, s3 or file")
    if "@" in parts.netloc:
        raise PolicyViolation(where, f"{shown(url)} carries credentials", "remove the user part from the URL")
    if not host:
        raise PolicyViolation(where, f"{shown(url)} names no host", "correct the URL")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Address(parts.scheme, host, port or PORTS[parts.scheme], target)


def trusted_origins(entries: Iterable[str]) -> frozenset[str]:
    """Return host:port entries in the form that ``Address.origin`` has."""
    origins = set()
    for entry in entries:
        try:
            parts = urlsplit(f"//{entry}")
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        if not host or not port or parts.path:
            raise UsageError("FETCH_TRUST", f"{entry!r} is not host:port", "write host:port,host:port")
        origins.add(f"{host}:{port}")
    return frozenset(origins)


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


def is_public(ip: str) -> bool:
    """Say whether an IP address, and any IPv4 address that it embeds, belongs to the public internet."""
    parsed = ipaddress.ip_address(ip)
    if parsed.is_multicast or any(parsed in network for network in SPECIAL if network.version == parsed.version):
        return False
    if isinstance(parsed, ipaddress.IPv4Address):
        return parsed.is_global and not parsed.is_reserved
    if parsed in NAT64:
        return is_public(str(ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)))
    if parsed.ipv4_mapped:
        return is_public(str(parsed.ipv4_mapped))
    embedded = [parsed.sixtofour, *(parsed.teredo or ())]
    return parsed.is_global and not parsed.is_reserved and all(is_public(str(inner)) for inner in embedded if inner)
