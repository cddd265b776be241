"""What proves an account's owner, besides the password."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NewType

from msgspec import Struct

from actors.domain.ids import Millis
from care.accounts.accounts import MINUTE_MS
from care.accounts.ids import AccountId

FactorId = NewType("FactorId", str)

FACTORS_MAX: Final = 10
"""Factors of one account."""
FLOW_MS: Final = 10 * MINUTE_MS
"""How long a step of signing in, or of adding a factor, may take."""
SMS_CODE_MS: Final = 5 * MINUTE_MS
"""How long a code that was sent is good; ASVS 6.6.2 allows ten minutes."""
LABEL_CHARACTERS_MAX: Final = 60


class FactorKind(StrEnum):
    """What a factor is."""

    TOTP = "totp"
    """Codes of an authenticator app, RFC 6238."""
    SMS = "sms"
    """Codes that are sent to a phone: an alternative, never better than the others."""
    PASSKEY = "passkey"
    """A key of a device that checks its owner itself: counts as both factors."""


class Method(StrEnum):
    """How an identity was proved; words of a token's ``amr`` (RFC 8176)."""

    PASSWORD = "pwd"  # noqa: S105 - a word of the wire
    TOTP = "otp"
    SMS = "sms"
    RECOVERY = "recovery"
    PASSKEY = "hwk"
    PROVIDER = "fed"
    """Another provider vouched for it."""
    DEMO = "demo"
    """One click on a demo site."""


METHODS: Final = {
    FactorKind.TOTP: Method.TOTP,
    FactorKind.SMS: Method.SMS,
    FactorKind.PASSKEY: Method.PASSKEY,
}
"""How an identity is proved with a factor of each kind."""


class Factor(Struct, frozen=True):
    """A factor of an account that was confirmed.

    ``secret`` is the key of an authenticator app, or a phone number. ``last_step`` is
    the newest time step whose code was used. The rest is a passkey's.
    """

    factor_id: FactorId
    account_id: AccountId
    kind: FactorKind
    label: str
    created_at: Millis
    secret: str = ""
    last_step: int = 0
    credential: bytes = b""
    public_key: bytes = b""
    user_handle: bytes = b""
    sign_count: int = 0
    used_at: Millis | None = None
