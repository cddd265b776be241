"""The dependencies of signing in, and its values."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from msgspec import Struct

from actors.domain.ids import Millis
from actors.ports import Clock
from care.accounts.accounts import Delivery, Session, SignInContext
from care.accounts.breached import BreachedPasswords
from care.accounts.factors.values import FactorKind
from care.accounts.ids import RANDOM_BYTES, AccountId
from care.accounts.ports import (
    Accounts,
    AccountStores,
    Credentials,
    Passwords,
    Sessions,
)
from care.keys.ports import PersonKeys
from care.sharing import Revocations
from gateway.access.revocations import RevokedTokens
from gateway.accounts.mails import AccountMails

SALT_BYTES: Final = 16
SECRET_BYTES: Final = 32


class RandomIds:
    """Random ids, salts and secrets of links."""

    def id(self, prefix: str) -> str:
        """A new id, which cannot be guessed from another."""
        return f"{prefix}_{secrets.token_urlsafe(RANDOM_BYTES)}"

    def salt(self) -> bytes:
        """A new salt of a session."""
        return secrets.token_bytes(SALT_BYTES)

    def bytes(self, number: int) -> bytes:
        """This many random bytes."""
        return secrets.token_bytes(number)

    def secret(self) -> str:
        """A link's secret: 256 bits."""
        return secrets.token_urlsafe(SECRET_BYTES)


@dataclass(frozen=True, kw_only=True)
class AuthNeeds:
    """The dependencies of signing in."""

    stores: AccountStores
    passwords: Passwords
    clock: Clock
    keys: tuple[bytes, ...]
    """Keys of tokens: the first signs, all verify."""
    mails: AccountMails
    revoked: RevokedTokens
    """This gateway's own revocations, which learn of an end at once."""
    revocations: Revocations | None = None
    persons: PersonKeys | None = None
    breached: BreachedPasswords | None = None
    staff_needs_factor: bool = False
    """Whether accounts with another role than patient need a second factor."""
    random: RandomIds = field(default_factory=RandomIds)
    refresh_keys: tuple[bytes, ...] = field(init=False)

    def __post_init__(self) -> None:
        made = tuple(hmac.digest(one, b"slotcast refresh", sha256) for one in self.keys)
        object.__setattr__(self, "refresh_keys", made)

    @property
    def accounts(self) -> Accounts:
        """The store of accounts."""
        return self.stores.accounts

    @property
    def credentials(self) -> Credentials:
        """The store of passwords."""
        return self.stores.credentials

    @property
    def sessions(self) -> Sessions:
        """The store of sessions."""
        return self.stores.sessions


class Device(Struct, frozen=True):
    """The origin of a sign-in. ``is_known``: the device signed in before."""

    delivery: Delivery
    agent: str = ""
    is_known: bool = False
    is_remembered: bool = True
    """Whether a browser keeps the session after it was closed."""


class SignInResult(Struct, frozen=True):
    """The tokens for a client. ``refresh`` goes into the cookie or the body."""

    access: str
    expires_at: Millis
    context: SignInContext
    contexts: Sequence[SignInContext]
    session: Session
    refresh: str = ""


LEVEL_ONE: Final = 1
"""One factor was proved."""


class SignInProof(Struct, frozen=True):
    """How an identity was proved.

    ``password``: the stamp of the password that was, which may be replaced meanwhile.
    """

    methods: tuple[str, ...]
    level: int = LEVEL_ONE
    password: str = ""


class FactorAwaited(Struct, frozen=True):
    """The password was right, and a factor is to follow.

    ``is_new``: the account has none, needs one and adds it now. ``factors`` are the
    kinds it has, or may add; ``phone`` the end of the number that codes go to.
    """

    account_id: AccountId
    flow: str
    expires_at: Millis
    factors: Sequence[FactorKind]
    is_new: bool = False
    phone: str = ""
