"""What a gateway needs from a store of answers."""

from __future__ import annotations

from typing import Protocol

from actors.domain.ids import Millis
from care.idempotency.answers import Claim, Found, StoredAnswer


class AnswerStore(Protocol):
    """Answers by key.

    ``key`` names caller and key, ``fingerprint`` the request; both are digests of at
    most 64 characters, so that the store reveals neither.
    """

    async def claim(self, key: str, fingerprint: str, *, now: Millis) -> Found:
        """Claim a key, or find the outcome of the request that holds it.

        Of two concurrent requests one gets the claim and the other InProgress.

        Raises:
            Unavailable: the store does not answer; the key may have been claimed.
        """
        ...

    async def keep(self, claim: Claim, answer: StoredAnswer, *, now: Millis) -> None:
        """Store the answer of a claimed request. No effect if the claim has expired.

        Raises:
            Unavailable: it may not be stored; the claim ends by itself.
        """
        ...

    async def release(self, claim: Claim) -> None:
        """Give up a claim without an answer: the key is free again.

        Raises:
            Unavailable: the store does not answer; the claim ends by itself.
        """
        ...

    async def forget(self, *, now: Millis, limit: int) -> int:
        """Delete up to ``limit`` expired keys; their number.

        Raises:
            Unavailable: the store does not answer.
        """
        ...
