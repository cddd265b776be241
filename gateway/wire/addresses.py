"""Who is counted as one: an address of IPv4, or the network of an IPv6 address.

A customer of an access network is given at least a /64 of IPv6, so that limits for
each address alone would limit no one customer.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

IPV6_PREFIX: Final = 64


@lru_cache(maxsize=4096)
def network_of(address: str) -> str:
    """The key under which limits count an address; what is none stays as it is."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ip_network((int(found), IPV6_PREFIX), strict=False))
