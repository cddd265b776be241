"""What a sign-in remembers until the browser comes back from the provider."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from actors.domain.ids import Millis
from care.accounts.accounts import MINUTE_MS, Delivery
from gateway.accounts.needs import Device

RETURN_MS: Final = 10 * MINUTE_MS
"""How long a person may take at the provider."""
START_PAGE: Final = "/"
_PATH_CHARACTERS_MAX: Final = 500
_OWN: Final = re.compile(r"/(?![/\\])[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*")


class AwaitedReturn(Struct, frozen=True):
    """The payload of a flow PROVIDER.

    ``account`` and ``session`` are of someone who links the provider to their account
    or, with ``is_proof``, signs in there again to prove who they are; both are empty
    for a sign-in.
    """

    provider: str
    state: str
    nonce: str
    verifier: str
    redirect_uri: str
    return_to: str
    language: str = "en"
    agent: str = ""
    is_remembered: bool = True
    account: str = ""
    session: str = ""
    is_proof: bool = False
    left_at: Millis = Millis(0)

    @property
    def device(self) -> Device:
        """From where the sign-in came: a browser, always."""
        return Device(
            delivery=Delivery.COOKIE,
            agent=self.agent,
            is_remembered=self.is_remembered,
        )


class Returned(Struct, frozen=True):
    """What the browser brings from the provider; each may be empty."""

    code: str
    state: str
    issuer: str
    error: str


def own_path(return_to: str) -> str:
    r"""A path of this site to go on at; the start page if this is none.

    ``//host`` and ``/\host`` are other sites to a browser, and it drops control
    characters before it looks. Paths of the API are no pages.
    """
    is_own = (
        len(return_to) <= _PATH_CHARACTERS_MAX
        and _OWN.fullmatch(return_to) is not None
        and not urlsplit(return_to).path.startswith("/v1/")
    )
    return return_to if is_own else START_PAGE
