"""What the service of factors needs from a store."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from actors.domain.ids import Millis
from care.accounts.factors.values import Factor, FactorId
from care.accounts.ids import AccountId
from care.notices.messages import Message


class Removal(StrEnum):
    """The outcome of removing a factor."""

    REMOVED = "removed"
    UNKNOWN = "unknown"
    """The account has no such factor."""
    LAST = "last"
    """It is the last factor, and the account needs one."""


class Factors(Protocol):
    """Factors and recovery codes. Every method may raise Unavailable."""

    async def of_account(self, account_id: AccountId) -> Sequence[Factor]:
        """An account's factors, the oldest first."""
        ...

    async def by_credential(self, credential: bytes) -> Factor | None:
        """The passkey with this credential id; None if there is none."""
        ...

    async def add(
        self,
        factor: Factor,
        *,
        codes: Sequence[str] = (),
        notices: Sequence[Message] = (),
    ) -> bool:
        """Add a factor, in the place of an older phone if it is one.

        ``codes`` are the recovery codes that come with a first factor. False if the
        account has too many, the passkey exists, or another became the first.
        """
        ...

    async def use_step(self, factor_id: FactorId, step: int, *, now: Millis) -> bool:
        """Use the code of a time step, once; False if it or a newer one was used."""
        ...

    async def use_passkey(
        self, factor_id: FactorId, sign_count: int, *, now: Millis
    ) -> bool:
        """Note a passkey's count of signatures; False if it did not grow.

        Passkeys that are synchronised do not count: theirs stays 0.
        """
        ...

    async def note_use(self, factor_id: FactorId, *, now: Millis) -> bool:
        """Note when a factor was used; False if it is gone."""
        ...

    async def remove(
        self,
        account_id: AccountId,
        factor_id: FactorId,
        *,
        keep_last: bool,
        notices: Sequence[Message] = (),
        now: Millis,
    ) -> Removal:
        """Remove a factor; the recovery codes go with the last one."""
        ...

    async def renew_codes(
        self,
        account_id: AccountId,
        codes: Sequence[str],
        *,
        notice: Message,
        now: Millis,
    ) -> None:
        """Replace the recovery codes."""
        ...

    async def use_code(
        self, account_id: AccountId, code: str, *, notice: Message, now: Millis
    ) -> bool:
        """Use a recovery code, once; False if it is none or was used."""
        ...

    async def codes_left(self, account_id: AccountId) -> int:
        """How many recovery codes have not been used."""
        ...

    async def count_try(self, account_id: AccountId, *, now: Millis) -> int:
        """Count a tried code; the milliseconds to wait beyond the limit, else 0."""
        ...

    async def forget_tries(self, account_id: AccountId) -> None:
        """Reset the count after a correct code."""
        ...
