"""The unit of limits per address: an IPv4 address, or an IPv6 /64 network.

A customer of an access network gets at least a /64 of IPv6, so limits per single
address would not limit a customer.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

IPV6_PREFIX: Final = 64


@lru_cache(maxsize=4096)
def network_of(address: str) -> str:
    """The key under which limits count an address; other text is returned unchanged."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ip_network((int(found), IPV6_PREFIX), strict=False))
