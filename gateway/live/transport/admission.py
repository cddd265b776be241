"""Admission of new connections: a token bucket with a bounded queue.

A handshake costs as much as hundreds of messages, and after a pause of the network all
watchers come at once. So new connections are admitted one by one:

1. While there are tokens (``rate_per_s``) and none waits, it is admitted at once.
2. Else it waits, first come, first served. Each turn of the event loop admits a few,
   and more if the bucket has tokens: a calm machine admits what its processor can, a
   busy one at least the rate, and other work has its turn in between.
3. One that would wait longer than ``patience_s`` even at that rate is refused with a
   time to retry after: a random one, so that retries do not come together.

Pure: time is a parameter, chance is given; waiting_room.py has the connections.
"""

from __future__ import annotations

from enum import Enum
from random import Random
from typing import Final

from msgspec import Struct

A_TURN: Final = 16
"""Admitted in one turn of the event loop beyond the rate: some ten milliseconds."""
BURST_S: Final = 0.1
"""The bucket holds what flows in during this time."""
PATIENCE_S: Final = 20.0
"""At the rate alone, which is a fifth of what a calm processor does: ten thousand who
come at once wait, and are admitted before common clients give up after ten seconds."""
COME_AGAIN_S: Final = 8
"""Range in which refused clients are asked to retry."""


class Admit(Enum):
    """The decision on a new connection."""

    ENTER = "enter"
    WAIT = "wait"
    REFUSE = "refuse"


class AdmissionTally(Struct):
    """Counts since the start of this process."""

    entered: int = 0
    waited: int = 0
    refused: int = 0
    shut_out: int = 0
    """Refused while the server was full or shutting down."""


class Admission:
    """Decides; ``rate_per_s`` 0 admits all at once."""

    def __init__(
        self, rate_per_s: float, random: Random, patience_s: float = PATIENCE_S
    ) -> None:
        self.tally = AdmissionTally()
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

    def arrive(self, now: float) -> Admit:
        """A new connection arrives; ``now`` in seconds of a monotonic clock."""
        if self._rate <= 0:
            self.tally.entered += 1
            return Admit.ENTER
        self._refill(now)
        if not self.waiting and self._tokens >= 1.0:
            self._tokens -= 1.0
            self.tally.entered += 1
            return Admit.ENTER
        if self.waiting >= self.room:
            self.tally.refused += 1
            return Admit.REFUSE
        self.waiting += 1
        self.tally.waited += 1
        return Admit.WAIT

    def let_in(self, now: float) -> int:
        """How many waiting connections this turn admits, first come, first served."""
        self._refill(now)
        number = min(self.waiting, max(A_TURN, int(self._tokens)))
        self._tokens = max(0.0, self._tokens - number)
        self.waiting -= number
        self.tally.entered += number
        return number

    def gave_up(self) -> None:
        """A waiting client left."""
        self.waiting -= 1

    def come_again_s(self) -> int:
        """In how many whole seconds a refused client should retry."""
        return self._random.randint(1, COME_AGAIN_S)

    def _refill(self, now: float) -> None:
        if now > self._since:
            gained = (now - self._since) * self._rate
            self._tokens = min(self._burst, self._tokens + gained)
            self._since = now
