"""Answers by idempotency key, in memory."""

from __future__ import annotations

from actors.domain.ids import Millis
from actors.errors import Unavailable
from care.idempotency.answers import (
    CLAIM_MS,
    KEEP_MS,
    Claim,
    Found,
    InProgress,
    OtherRequest,
    Stored,
    StoredAnswer,
)


class MemoryAnswers:
    """Implements AnswerStore in memory; can be told not to answer."""

    def __init__(self) -> None:
        self.rows: dict[str, tuple[str, Millis, StoredAnswer | None]] = {}
        self.is_away = False

    def _check(self) -> None:
        if self.is_away:
            raise Unavailable("away")

    async def claim(self, key: str, fingerprint: str, *, now: Millis) -> Found:
        self._check()
        row = self.rows.get(key)
        if row is None or row[1] <= now:
            until = Millis(now + CLAIM_MS)
            self.rows[key] = (fingerprint, until, None)
            return Claim(key, until)
        if row[0] != fingerprint:
            return OtherRequest()
        return InProgress() if row[2] is None else Stored(row[2])

    async def keep(self, claim: Claim, answer: StoredAnswer, *, now: Millis) -> None:
        self._check()
        if self._is_held(claim):
            fingerprint = self.rows[claim.key][0]
            until = Millis(now + KEEP_MS)
            self.rows[claim.key] = (fingerprint, until, answer)

    async def release(self, claim: Claim) -> None:
        self._check()
        if self._is_held(claim):
            del self.rows[claim.key]

    async def forget(self, *, now: Millis, limit: int) -> int:
        self._check()
        old = [key for key, row in self.rows.items() if row[1] <= now][:limit]
        for key in old:
            del self.rows[key]
        return len(old)

    def _is_held(self, claim: Claim) -> bool:
        row = self.rows.get(claim.key)
        return row is not None and row[1:] == (claim.until, None)
