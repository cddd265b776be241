"""How many newcomers are let in, and when: a token bucket with a waiting room.

A handshake costs as much as hundreds of messages, and after a pause of the network all
watchers come at once. So newcomers pass one by one:

1. While there are tokens (``rate_per_s``) and nobody waits, a newcomer goes in at once.
2. Else it waits its turn. In each turn of the event loop a few who wait go in, and
   more if the bucket has tokens: a calm machine lets in what its processor can, a busy
   one at least the rate, and in between everybody else has a turn.
3. Who would wait longer than ``patience_s`` even at that rate is refused, and told
   when to come again: at a random second, so that they do not come together.

Pure: time is a parameter, chance is given, and who waits is known elsewhere.
"""

from __future__ import annotations

from enum import Enum
from random import Random
from typing import Final

from msgspec import Struct

A_TURN: Final = 16
"""Newcomers in one turn of the event loop beyond the rate: some ten milliseconds."""
BURST_S: Final = 0.1
"""The bucket holds what flows in during this time."""
PATIENCE_S: Final = 20.0
"""At the rate alone, which is a fifth of what a calm processor does: ten thousand who
come at once wait, and are in before common clients give up after ten seconds."""
COME_AGAIN_S: Final = 8
"""Over this time those come back who are refused."""


class Verdict(Enum):
    """What becomes of a newcomer."""

    ENTER = "enter"
    WAIT = "wait"
    REFUSE = "refuse"


class TurnstileTally(Struct):
    """Counts since the start of this process."""

    entered: int = 0
    waited: int = 0
    refused: int = 0
    shut_out: int = 0
    """Who came when the door was shut for all: full, or stopping."""


class Turnstile:
    """Decides; ``rate_per_s`` 0 lets everybody in at once."""

    def __init__(
        self, rate_per_s: float, random: Random, patience_s: float = PATIENCE_S
    ) -> None:
        self.tally = TurnstileTally()
        self.waiting = 0
        self._rate = rate_per_s
        self._random = random
        self._patience_s = patience_s
        self._burst = max(1.0, rate_per_s * BURST_S)
        self._tokens = self._burst
        self._since = float("-inf")

    @property
    def room(self) -> int:
        """How many may wait."""
        return max(1, int(self._rate * self._patience_s))

    def arrive(self, now: float) -> Verdict:
        """Somebody knocks; ``now`` in seconds of a clock that never goes back."""
        if self._rate <= 0:
            self.tally.entered += 1
            return Verdict.ENTER
        self._refill(now)
        if not self.waiting and self._tokens >= 1.0:
            self._tokens -= 1.0
            self.tally.entered += 1
            return Verdict.ENTER
        if self.waiting >= self.room:
            self.tally.refused += 1
            return Verdict.REFUSE
        self.waiting += 1
        self.tally.waited += 1
        return Verdict.WAIT

    def let_in(self, now: float) -> int:
        """How many of those who wait go in during this turn, who came first first."""
        self._refill(now)
        number = min(self.waiting, max(A_TURN, int(self._tokens)))
        self._tokens = max(0.0, self._tokens - number)
        self.waiting -= number
        self.tally.entered += number
        return number

    def gave_up(self) -> None:
        """One of those who wait has gone away."""
        self.waiting -= 1

    def come_again_s(self) -> int:
        """In how many whole seconds somebody who was refused should come again."""
        return self._random.randint(1, COME_AGAIN_S)

    def _refill(self, now: float) -> None:
        if now > self._since:
            gained = (now - self._since) * self._rate
            self._tokens = min(self._burst, self._tokens + gained)
            self._since = now
