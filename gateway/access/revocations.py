"""Revoked tokens in one gateway's memory: one look-up per request.

An entry holds until it expires, even if its store (care/sharing.py) fails.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol

import structlog

from actors.domain.ids import Millis
from actors.ports import Clock
from care.sharing import Revocation, RevocationKind

KNOWN_MAX: Final = 200_000
"""Twice a store's capacity; beyond it, entries that expire first are dropped."""
SWEEP_MS: Final = 60_000
KINDS_MAX: Final = 16
"""Unknown kinds that are logged, each once."""
KIND_CHARACTERS_MAX: Final = 32
CLOCK_BACK_MS: Final = 15 * 60_000
"""How far the clock may go back before a token that had expired holds again."""

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
    def identity(self) -> TokenIdentity | None:
        """The session behind it; None for a demo token."""
        ...

    @property
    def issued(self) -> Millis:
        """When it was signed; whole seconds in tokens of older programs."""
        ...


class TokenIdentity(Protocol):
    """The account's session and grant that a token was issued for."""

    @property
    def account(self) -> str:
        """The account's id."""
        ...

    @property
    def session(self) -> str:
        """The session's id."""
        ...

    @property
    def grant(self) -> str:
        """Id of what gave the role; empty if nothing can take it away."""
        ...


class RevokedTokens:
    """The local copy. ``heard`` is called after entries were added."""

    def __init__(self, clock: Clock) -> None:
        self.heard: list[Callable[[], None]] = []
        self.erased: list[Callable[[str], None]] = []
        """Called with the id of each patient who was erased."""
        self.restricted: list[Callable[[str], None]] = []
        """Called with the id of each patient whose restriction changed."""
        self._clock = clock
        self._tokens: dict[str, Millis] = {}
        self._subjects: dict[str, tuple[Millis, Millis]] = {}
        self._sessions: dict[str, Millis] = {}
        self._grants: dict[str, Millis] = {}
        self._unknown: dict[str, tuple[Millis, Millis]] = {}
        """Values of kinds of a newer version, as those of ``_subjects``."""
        self._unknown_kinds: set[str] = set()
        self._by_id: dict[str, dict[str, Millis]] = {
            RevocationKind.TOKEN: self._tokens,
            RevocationKind.SESSION: self._sessions,
            RevocationKind.GRANT: self._grants,
        }
        self._sweep_at = Millis(0)

    def __len__(self) -> int:
        others = len(self._subjects) + len(self._unknown)
        return sum(map(len, self._by_id.values())) + others

    def learn(self, news: Sequence[Revocation]) -> None:
        """Add revocations to those already known."""
        for one in news:
            self._learn(one)
        self._sweep(self._clock.now())
        for tell in self.heard:
            tell()

    def covers(self, token: Token) -> bool:
        """Whether this token was revoked."""
        if token.token_id in self._tokens:
            return True
        identity = token.identity
        if identity is not None and (
            identity.session in self._sessions or identity.grant in self._grants
        ):
            return True
        subject = self._subjects.get(token.subject)
        if subject is not None and token.issued <= subject[0]:
            return True
        return bool(self._unknown) and self._may_be_covered(token)

    def has_session(self, session_id: str) -> bool:
        """Whether a session is known to have ended."""
        return session_id in self._sessions

    def _learn(self, one: Revocation) -> None:
        if one.kind == RevocationKind.PERSON:
            for forget in self.erased:
                forget(one.value)
        elif one.kind == RevocationKind.RESTRICTION:
            for forget in self.restricted:
                forget(one.value)
        elif one.kind in self._by_id:
            self._by_id[one.kind][one.value] = one.until
        elif one.kind == RevocationKind.SUBJECT:
            _prolong(self._subjects, one)
        else:
            self._note_unknown(one)

    def _note_unknown(self, one: Revocation) -> None:
        _prolong(self._unknown, one)
        if one.kind not in self._unknown_kinds and len(self._unknown_kinds) < KINDS_MAX:
            self._unknown_kinds.add(one.kind)
            log.warning(
                "a revocation of a kind that this version does not know; tokens that "
                "carry its value are refused: upgrade this node",
                kind=one.kind[:KIND_CHARACTERS_MAX],
            )

    def _may_be_covered(self, token: Token) -> bool:
        """Whether a revocation of an unknown kind may be about this token.

        Refusing too much costs a refresh; too little would give back what was taken.
        """
        ids, people = [token.token_id], [token.subject]
        if token.identity is not None:
            ids += token.identity.session, token.identity.grant
            people.append(token.identity.account)
        if any(one and one in self._unknown for one in ids):  # many have no grant
            return True
        found = (self._unknown.get(one) for one in people)
        return any(one is not None and token.issued <= one[0] for one in found)

    def _sweep(self, now: Millis) -> None:
        """Drop entries long expired; called occasionally, since they are harmless.

        The tokens expired as well, but if the clock goes back they hold again.
        """
        if now < self._sweep_at and len(self) <= KNOWN_MAX:
            return
        self._sweep_at = Millis(now + SWEEP_MS)
        over = now - CLOCK_BACK_MS
        for held in self._by_id.values():
            for key in [key for key, until in held.items() if until <= over]:
                del held[key]
        self._subjects = {k: v for k, v in self._subjects.items() if v[1] > over}
        self._unknown = {k: v for k, v in self._unknown.items() if v[1] > over}
        too_many = len(self) - KNOWN_MAX
        if too_many > 0:
            log.error(
                "too many revocations; those that expire first are dropped",
                number=too_many,
            )
            soonest = sorted(
                (until, kind, key)
                for kind, held in self._by_id.items()
                for key, until in held.items()
            )
            for _, kind, key in soonest[:too_many]:
                del self._by_id[kind][key]


def _prolong(held: dict[str, tuple[Millis, Millis]], one: Revocation) -> None:
    """Add a revocation of what was issued until an instant."""
    at, until = held.get(one.value, (one.at, one.until))
    held[one.value] = max(at, one.at), max(until, one.until)
