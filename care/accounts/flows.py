"""Pending steps: a second factor, a passkey's answer, a new address.

A flow is found by the hash of a secret that its client holds, expires, is used once,
and ends after a few wrong codes. Its state is stored with it, sealed.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Protocol

from msgspec import Struct

from actors.domain.ids import Millis
from care.accounts.ids import AccountId
from care.notices.messages import Message

TRIES_MAX: Final = 5
"""Codes that are checked in one flow; the next one ends it."""


class FlowKind(StrEnum):
    """The kind of pending step."""

    VERIFY_EMAIL = "verify_email"
    """The link that confirms an address."""
    RESET_PASSWORD = "reset_password"  # noqa: S105 - a word of the store
    """The link of a forgotten password."""
    CHANGE_EMAIL = "change_email"
    """The link that confirms another address."""
    SIGN_IN = "sign_in"
    """The second factor of a sign-in, or the first one of an account that needs it."""
    PASSKEY = "passkey"
    """A sign-in by passkey."""
    ADD_FACTOR = "add_factor"
    """The proof that a new factor works."""
    PROVIDER = "provider"
    """The return from another provider."""


class FlowOver(Exception):
    """The step was used, or has ended, since it was looked up."""


class AwaitedStep(Struct, frozen=True):
    """A flow as it is stored. ``account_id`` is None where it is not yet known.

    ``payload`` is JSON, sealed by the store.
    """

    kind: FlowKind
    account_id: AccountId | None
    payload: str
    expires_at: Millis


class Flows(Protocol):
    """The store of pending steps. Every method may raise Unavailable."""

    async def begin(
        self,
        secret: str,
        step: AwaitedStep,
        *,
        message: Message | None = None,
        password: str = "",
        now: Millis,
    ) -> bool:
        """Store a step and send its message; False, and neither, beyond the limit.

        ``password``: the stamp of the one that was proved; False if it was replaced.

        Steps that ended long ago are deleted on the way.
        """
        ...

    async def find(
        self, secret: str, kind: FlowKind, *, now: Millis
    ) -> AwaitedStep | None:
        """A step that is still pending."""
        ...

    async def count_try(
        self, secret: str, kind: FlowKind, *, now: Millis
    ) -> AwaitedStep | None:
        """Count a code before it is checked; None if the flow has ended, or does now.

        Of many concurrent ones no more than TRIES_MAX pass.
        """
        ...

    async def keep(
        self,
        secret: str,
        payload: str,
        *,
        message: Message | None = None,
        now: Millis,
    ) -> bool:
        """Replace the payload and send a message; False, and neither, as in begin.

        Raises:
            FlowOver: the step was used or has ended meanwhile; neither was done.
        """
        ...

    async def use(
        self, secret: str, kind: FlowKind, *, now: Millis
    ) -> AwaitedStep | None:
        """Use a step, once; None if it has been used, or ended."""
        ...
