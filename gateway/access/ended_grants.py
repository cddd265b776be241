"""Takes the tokens of a grant back: refused everywhere, their sockets closed."""

from __future__ import annotations

from typing import Final

from actors.domain.ids import Millis
from actors.ports import Clock
from care.accounts.accounts import ACCESS_MS
from care.sharing import Revocation, RevocationKind, Revocations
from gateway.access.revocations import RevokedTokens

_SLACK_MS: Final = 60_000
"""Revocations are kept this much longer than the tokens they are about."""


class EndedGrants:
    """One per gateway."""

    def __init__(
        self, revocations: Revocations | None, revoked: RevokedTokens, clock: Clock
    ) -> None:
        self._revocations = revocations
        self._revoked = revoked
        self._clock = clock

    async def end(self, grant_id: str) -> None:
        """Revoke all tokens that this grant gave.

        Raises:
            Unavailable: it may not be known everywhere; repeat it.
        """
        now = self._clock.now()
        until = Millis(now + ACCESS_MS + _SLACK_MS)
        gone = Revocation(RevocationKind.GRANT, grant_id, now, until)
        if self._revocations is not None:
            await self._revocations.add(gone)
        self._revoked.learn([gone])
