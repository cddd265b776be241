"""Revoked tokens, as one gateway knows them: a look-up in memory per request.

What is learned here holds until it expires, even if the store it came from
(care/sharing.py) fails.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol

import structlog

from actors.domain.ids import Millis
from actors.ports import Clock
from care.sharing import Revocation, RevocationKind

KNOWN_MAX: Final = 200_000
"""Twice what a store holds; beyond, those that expire first are dropped."""
SWEEP_MS: Final = 60_000

log = structlog.get_logger("slotcast.gateway")


class Token(Protocol):
    """The claims of a token that revocations are compared with."""

    @property
    def token_id(self) -> str:
        """The token's ``jti``."""
        ...

    @property
    def subject(self) -> str:
        """Id of the person it was issued to."""
        ...

    @property
    def issued(self) -> Millis:
        """When it was signed; whole seconds in tokens of older programs."""
        ...


class RevokedTokens:
    """The local copy. ``heard`` is called after something was learned."""

    def __init__(self, clock: Clock) -> None:
        self.heard: list[Callable[[], None]] = []
        self._clock = clock
        self._tokens: dict[str, Millis] = {}
        self._subjects: dict[str, tuple[Millis, Millis]] = {}
        self._sweep_at = Millis(0)

    def __len__(self) -> int:
        return len(self._tokens) + len(self._subjects)

    def learn(self, news: Sequence[Revocation]) -> None:
        """These hold from now on; what holds already stays."""
        for one in news:
            if one.kind is RevocationKind.TOKEN:
                self._tokens[one.value] = one.until
            else:
                at, until = self._subjects.get(one.value, (one.at, one.until))
                self._subjects[one.value] = max(at, one.at), max(until, one.until)
        self._sweep(self._clock.now())
        for tell in self.heard:
            tell()

    def covers(self, token: Token) -> bool:
        """Whether this token was revoked."""
        if token.token_id in self._tokens:
            return True
        subject = self._subjects.get(token.subject)
        return subject is not None and token.issued <= subject[0]

    def _sweep(self, now: Millis) -> None:
        """Drop expired entries; called occasionally, since they are harmless."""
        if now < self._sweep_at and len(self) <= KNOWN_MAX:
            return
        self._sweep_at = Millis(now + SWEEP_MS)
        self._tokens = {k: until for k, until in self._tokens.items() if until > now}
        self._subjects = {k: v for k, v in self._subjects.items() if v[1] > now}
        too_many = len(self) - KNOWN_MAX
        if too_many > 0:
            log.error(
                "too many revocations; those that expire first are dropped",
                number=too_many,
            )
            soonest = sorted(self._tokens, key=self._tokens.__getitem__)
            for key in soonest[:too_many]:
                del self._tokens[key]
