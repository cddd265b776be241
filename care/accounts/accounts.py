"""Values of accounts: who signs in, as what, and from which device."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from msgspec import Struct

from actors.domain.ids import Millis
from care.accounts.ids import AccountId, SessionId

MINUTE_MS: Final = 60_000
DAY_MS: Final = 24 * 60 * MINUTE_MS

ACCESS_MS: Final = 10 * MINUTE_MS
"""How long an access token lives; a revocation is kept this long and a bit."""
PROOF_MS: Final = 10 * MINUTE_MS
"""How long a proof of identity counts for what needs a fresh one."""
VERIFY_MS: Final = 3 * DAY_MS
"""How long the link of a confirming mail works."""
RESET_MS: Final = 30 * MINUTE_MS
"""How long the link of a password reset works."""


class AccountStatus(StrEnum):
    """``pending`` until the e-mail address is confirmed."""

    PENDING = "pending"
    ACTIVE = "active"
    DISABLED = "disabled"
    ERASED = "erased"
    """The person was erased; only the id is left."""


class Delivery(StrEnum):
    """How a client keeps its refresh token: pages by cookie, programs by body."""

    COOKIE = "cookie"
    BODY = "body"


class EndedWhy(StrEnum):
    """Why a session ended."""

    SIGNED_OUT = "signed_out"
    ENDED_BY_OWNER = "ended_by_owner"
    REUSE = "reuse"
    """A refresh token that had been replaced came again: it may be stolen."""
    PASSWORD = "password"  # noqa: S105 - a word of the store
    """The password was changed or reset."""
    ERASED = "erased"
    """The person was erased."""
    DISABLED = "disabled"
    """An administrator disabled the account."""
    ENDED_BY_ADMIN = "ended_by_admin"
    """An administrator signed the account out, or reset its factors."""
    IDLE = "idle"
    OVER = "over"


class Account(Struct, frozen=True):
    """Someone who can sign in. ``email`` is written as it is sent to."""

    account_id: AccountId
    status: AccountStatus
    email: str
    language: str
    created_at: Millis


GLASS_SCOPE: Final = "glass:"
"""Begins the scope that names the patient of an emergency access."""


def context_name(role: str, subject: str, scopes: Sequence[str] = ()) -> str:
    """How the wire names a context."""
    glass = [one for one in scopes if one.startswith(GLASS_SCOPE)]
    return " ".join((role, subject, *glass))


class SignInContext(Struct, frozen=True):
    """One role of an account for one subject, which an access token is for.

    ``role`` and ``subject`` are those of the token. ``grant`` is the id of what gave
    the role (a membership) and is revoked with it; patients have none. ``scopes`` are
    those of a guardianship, or name the patient of an emergency access. ``until``:
    when it ends by itself.
    """

    role: str
    subject: str
    grant: str = ""
    clinic_id: str = ""
    scopes: tuple[str, ...] = ()
    until: Millis | None = None

    @property
    def name(self) -> str:
        """How the wire names it: ``patient pat_…``, and ``… glass:pat_…`` behind."""
        return context_name(self.role, self.subject, self.scopes)


class SessionLives(Struct, frozen=True):
    """How long a session lasts without activity, and at most; in milliseconds."""

    idle_ms: int
    whole_ms: int


PATIENT_LIVES: Final = SessionLives(30 * DAY_MS, 180 * DAY_MS)
STAFF_LIVES: Final = SessionLives(30 * MINUTE_MS, 12 * 60 * MINUTE_MS)
"""HIPAA 164.312(a)(2)(iii): staff are signed out when they leave the screen."""


def lives_of(roles: list[str]) -> SessionLives:
    """The lives of a session of an account with these roles; the strictest hold."""
    only_patient = all(role in ("patient", "guardian") for role in roles)
    return PATIENT_LIVES if only_patient else STAFF_LIVES


class Session(Struct, frozen=True):
    """One signed-in device. ``generation`` counts the refreshes, from 1.

    ``seen_generation`` is the newest one of which an access token was used.
    """

    session_id: SessionId
    account_id: AccountId
    salt: bytes
    generation: int
    seen_generation: int
    rotated_at: Millis
    created_at: Millis
    authenticated_at: Millis
    level: int
    active_at: Millis
    idle_ms: int
    ends_at: Millis
    delivery: Delivery
    agent: str
    methods: tuple[str, ...] = ()
    """How the identity was proved: words of ``factors.values.Method``."""
    is_remembered: bool = True
    """Whether a browser keeps it after it was closed."""
    ended_at: Millis | None = None
    ended_why: EndedWhy | None = None

    @property
    def idle_until(self) -> Millis:
        """When it ends unless the person does something."""
        return Millis(self.active_at + self.idle_ms)
