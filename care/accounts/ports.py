"""Ports of the stores of accounts, and of the password hasher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from msgspec import Struct

from actors.domain.ids import Millis, PatientId
from care.accounts.accounts import Account, EndedWhy, Session, SignInContext
from care.accounts.clients import ApiClients
from care.accounts.factors.ports import Factors
from care.accounts.flows import FlowKind, Flows
from care.accounts.identities import Identities
from care.accounts.ids import AccountId, SessionId
from care.notices.messages import Message


class Flow(Struct, frozen=True):
    """A mailed link; the store keeps only the hash of its secret."""

    kind: FlowKind
    secret: str
    expires_at: Millis


class NewAccount(Struct, frozen=True):
    """Someone who registers as a patient."""

    account_id: AccountId
    patient_id: PatientId
    email: str
    password_hash: str
    language: str
    verify: Flow


class EmailChange(Struct, frozen=True):
    """A requested change of address.

    ``link`` and ``known`` go to the new one, ``notice`` to the old one.
    """

    email: str
    flow: Flow
    link: Message
    known: Message
    notice: Message


class SignInAttempt(Struct, frozen=True):
    """A counted attempt; ``wait_ms`` above 0: it came too early.

    ``account`` is None, and ``password_hash`` empty, if the address has none.
    """

    wait_ms: int = 0
    account: Account | None = None
    password_hash: str = ""


class DemoAccount(Struct, frozen=True):
    """A person of a demo site, made when someone signs in as them."""

    account_id: AccountId
    email: str
    context: SignInContext


class Accounts(Protocol):
    """Accounts and what they can act as. Every method may raise Unavailable."""

    async def register(
        self, new: NewAccount, *, welcome: Message, known: Message, now: Millis
    ) -> None:
        """Make an account and send ``welcome``; if there is one, it gets ``known``.

        It gets it at its own address, which may be written differently.
        """
        ...

    async def verify_email(self, secret: str, *, now: Millis) -> bool:
        """Confirm an address; False if the link is not valid (any more)."""
        ...

    async def begin_email_change(
        self, account_id: AccountId, change: EmailChange, *, now: Millis
    ) -> None:
        """Mail a link to the new address, and tell the old one.

        If the new one has an account, ``change.known`` goes there instead of a link.
        """
        ...

    async def finish_email_change(self, secret: str, *, now: Millis) -> bool:
        """Use the link of a new address; other links of the account die with it.

        False if it is not valid (any more), or the address has an account by now.
        """
        ...

    async def find(self, account_id: AccountId) -> Account | None:
        """An account; None if there is none."""
        ...

    async def contexts(self, account_id: AccountId) -> Sequence[SignInContext]:
        """What the account can act as: as a patient first."""
        ...

    async def demo_account(self, wanted: DemoAccount, *, now: Millis) -> Account:
        """The account of a person of the demo site, made if it is not there."""
        ...


class Credentials(Protocol):
    """Passwords of accounts. Every method may raise Unavailable."""

    async def attempt(
        self, email: str, *, known_device: bool, now: Millis
    ) -> SignInAttempt:
        """Count an attempt at an address before its password is checked."""
        ...

    async def succeeded(self, email: str, *, known_device: bool) -> None:
        """Reset the attempts at an address after a correct password."""
        ...

    async def password_hash(self, account_id: AccountId) -> str:
        """The hash of an account's password; empty if it has none."""
        ...

    async def set_password(
        self,
        account_id: AccountId,
        password_hash: str,
        *,
        notice: Message,
        now: Millis,
    ) -> None:
        """Replace the password, and tell its owner with ``notice``."""
        ...

    async def begin_reset(
        self, email: str, flow: Flow, message: Message, *, now: Millis
    ) -> None:
        """Send ``message`` if the address has an account; otherwise do nothing.

        It goes to the account's own address, never to the one that was typed: two
        mailboxes may compare as one address.
        """
        ...

    async def reset_account(self, secret: str, *, now: Millis) -> Account | None:
        """The account that a link resets, without using it; None if it is invalid."""
        ...

    async def finish_reset(
        self, secret: str, password_hash: str, *, now: Millis
    ) -> AccountId | None:
        """Use a link, once: set the password; None if it is not valid (any more)."""
        ...


class Sessions(Protocol):
    """Sessions of accounts. Every method may raise Unavailable."""

    async def open_session(
        self, session: Session, *, password: str = ""
    ) -> Sequence[SessionId] | None:
        """Store a new session; the oldest ones beyond a bound are ended.

        ``password``: the stamp of the one that was proved. Returns those that ended so
        now or a moment ago, whose tokens are to be revoked; None if the account was
        disabled or erased, or the password replaced: then nothing is stored.
        """
        ...

    async def session(self, session_id: SessionId) -> Session | None:
        """A session, ended or not; None if there is none."""
        ...

    async def sessions(self, account_id: AccountId) -> Sequence[Session]:
        """The open sessions, the newest first."""
        ...

    async def rotate(self, session: Session, *, active: bool, now: Millis) -> bool:
        """Increment the generation; False if it or the session changed meanwhile."""
        ...

    async def note_seen(self, seen: Mapping[SessionId, int]) -> None:
        """Note the newest generations of which access tokens were used."""
        ...

    async def prove(
        self,
        session_id: SessionId,
        *,
        level: int,
        methods: Sequence[str],
        now: Millis,
    ) -> None:
        """Note that the person has just proved who they are, and how."""
        ...

    async def end_session(
        self,
        session_id: SessionId,
        why: EndedWhy,
        *,
        notice: Message | None = None,
        now: Millis,
    ) -> None:
        """End a session and send ``notice``; one that has ended stays as it is."""
        ...

    async def end_sessions(
        self,
        account_id: AccountId,
        why: EndedWhy,
        *,
        spare: SessionId | None = None,
        now: Millis,
    ) -> Sequence[SessionId]:
        """End all but one; returns those that ended now or a moment ago."""
        ...


@dataclass(frozen=True, kw_only=True)
class AccountStores:
    """All stores of accounts."""

    accounts: Accounts
    credentials: Credentials
    sessions: Sessions
    flows: Flows
    factors: Factors
    clients: ApiClients
    identities: Identities


class Passwords(Protocol):
    """Hashes and verifies passwords, a bounded number at a time."""

    async def hashed(self, password: bytes) -> str:
        """The hash of a password. Raises Unavailable if too many are waiting."""
        ...

    async def verify(self, password: bytes, password_hash: str) -> bool:
        """Whether a password is correct.

        With an empty hash the work is the same and the answer False.

        Raises:
            Unavailable: too many wait.
        """
        ...
