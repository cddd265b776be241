"""Identities at other providers by which an account signs in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NewType, Protocol

from msgspec import Struct

from actors.domain.ids import Millis, PatientId
from care.accounts.factors.ports import Removal
from care.accounts.ids import AccountId
from care.notices.messages import Message

IdentityId = NewType("IdentityId", str)


class LinkedIdentity(Struct, frozen=True):
    """A person at an issuer, who signs in as this account.

    ``label`` is what the provider calls them, for the owner to recognize: an address.
    """

    identity_id: IdentityId
    account_id: AccountId
    provider: str
    issuer: str
    subject: str
    label: str
    linked_at: Millis


class VouchedAccount(Struct, frozen=True):
    """Someone whom a provider vouches for, and who has no account yet.

    ``verify_secret`` is of the link that confirms the address until ``verify_until``;
    empty if it is confirmed already.
    """

    identity: LinkedIdentity
    patient_id: PatientId
    email: str
    language: str
    verify_secret: str = ""
    verify_until: Millis = Millis(0)


class Identities(Protocol):
    """Identities of accounts. Every method may raise Unavailable."""

    async def account_of(self, issuer: str, subject: str) -> AccountId | None:
        """Whose identity this is; None if it is linked to no account."""
        ...

    async def of_account(self, account_id: AccountId) -> Sequence[LinkedIdentity]:
        """An account's identities, the oldest first; their subjects are not told."""
        ...

    async def register(
        self, new: VouchedAccount, *, welcome: Message, known: Message, now: Millis
    ) -> AccountId | None:
        """Make an account of a patient with this identity; None if the address has one.

        An address that is to be confirmed gets ``welcome``, or ``known`` if it has an
        account. If the identity was linked meanwhile, the account that has it.
        """
        ...

    async def link(
        self, identity: LinkedIdentity, *, notice: Message, now: Millis
    ) -> bool:
        """Link one more identity and tell the owner.

        One that the account has already stays as it is. False, and nothing is done, if
        another account has it, or this one has another of the same issuer.
        """
        ...

    async def unlink(
        self,
        account_id: AccountId,
        identity_id: IdentityId,
        *,
        notice: Message,
        now: Millis,
    ) -> Removal:
        """Unlink an identity and tell the owner.

        LAST, and nothing is done, if the account could not sign in any more: it has
        no password, no passkey and no other identity.
        """
        ...
