"""Which IP addresses belong to the internet, and which to ourselves, our network, or nobody (against server-side request forgery)."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

_NOT_TO_BE_CALLED: Final = (
    IPv4Network("192.0.0.0/24"),  # IETF protocol assignments (RFC 6890); a cloud's metadata service has one of them
    IPv4Network("168.63.129.16/32"),  # a cloud's own agent, at an address that looks public
)
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
_NAT64: Final = IPv6Network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Whether the address is a global unicast one. Of an IPv6 address that carries an IPv4 one, both are asked. False for what is none."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    return _public_4(ip) if isinstance(ip, IPv4Address) else _public_6(ip)


def _public_4(ip: IPv4Address) -> bool:
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _NOT_TO_BE_CALLED)


def _public_6(ip: IPv6Address) -> bool:
    carried = _carried(ip)
    if carried is not None:
        return _public_4(carried)
    return ip in _GLOBAL_UNICAST and ip.is_global


def _carried(ip: IPv6Address) -> IPv4Address | None:
    """The IPv4 address it leads to: mapped (RFC 4291), 6to4 (RFC 3056) or translated (RFC 6052)."""
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour
