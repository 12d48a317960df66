"""Which addresses are public, and which private ones the user trusts."""

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from .errors import UsageError

PORTS = {"http": 80, "https": 443}
NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address
SPECIAL = (  # not public, although Python 3.11 says is_global
    ipaddress.ip_network("64:ff9b:1::/48"),  # RFC 8215: NAT64 of local use
    ipaddress.ip_network("192.0.0.0/24"),  # RFC 6890: protocol assignments
)


def trusted_origins(entries: Iterable[str]) -> frozenset[str]:
    """Return host:port entries with the host as URLs are parsed: lowercase, IPv6 without brackets."""
    origins = set()
    for entry in entries:
        try:
            parts = urlsplit(f"//{entry}")
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        if not host or not port or parts.path:
            raise UsageError("FETCH_TRUST", f"invalid address {entry!r}", "write host:port,host:port")
        origins.add(f"{host}:{port}")
    return frozenset(origins)


def is_public(ip: str) -> bool:
    """Say whether an IP address, and any IPv4 address embedded in it, is on the public internet."""
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
