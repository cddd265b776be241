"""Known devices: a cookie that says which accounts signed in from a browser.

``device.mac.mac…``, one mac per account, the newest first. It proves nothing but that
the browser was used before: such attempts are counted apart (throttling.py).
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Final

ACCOUNTS_MAX: Final = 5
"""Accounts that one device is known for."""
_MAC_CHARACTERS: Final = 22
_COOKIE: Final = re.compile(r"[A-Za-z0-9_-]{8,32}(?:\.[A-Za-z0-9_-]{22}){0,5}")


def is_known(key: bytes, cookie: str, address: str) -> bool:
    """Whether the device of this cookie signed in at this compared address before."""
    device, macs = _parts(cookie)
    mine = _mac(key, device, address)
    return any(hmac.compare_digest(mine, one) for one in macs)


def remembered(key: bytes, cookie: str, address: str, new_device: str) -> str:
    """The cookie once this address has signed in; ``new_device`` names a new one."""
    device, macs = _parts(cookie)
    device = device or new_device
    mine = _mac(key, device, address)
    kept = [mine, *(one for one in macs if one != mine)][:ACCOUNTS_MAX]
    return ".".join((device, *kept))


def _parts(cookie: str) -> tuple[str, list[str]]:
    if not _COOKIE.fullmatch(cookie):
        return "", []
    device, *macs = cookie.split(".")
    return device, macs


def _mac(key: bytes, device: str, address: str) -> str:
    made = hmac.new(key, f"device|{device}|{address}".encode(), sha256).digest()
    return urlsafe_b64encode(made).decode()[:_MAC_CHARACTERS]
