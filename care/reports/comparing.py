"""What a share is worth beside that of all others.

Visits that were booked long ago are missed more often, whatever else is true of them.
A group with long leads has a high share for that alone: its share next to all others
says nothing, or the opposite of what is so (Simpson's paradox). So each share has its
lead mix, and the share that it would have with the leads of all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct


class Tally(Struct):
    """Visits with an outcome, and those of them that were missed."""

    visits: int = 0
    missed: int = 0

    def add(self, other: Tally) -> None:
        """Count another one's, too."""
        self.visits += other.visits
        self.missed += other.missed

    @property
    def share(self) -> float | None:
        """The missed ones, from 0 to 1; None of no visits."""
        return self.missed / self.visits if self.visits else None


Mix = Mapping[str, Tally]
"""Lead -> the visits that were booked so long before."""


class Comparison(Struct, frozen=True):
    """A group beside all others: how much more is missed, as counted and lead by lead.

    Differences from -1 to 1. ``alike`` is None if no lead has visits of both.
    """

    counted: float | None
    alike: float | None

    @property
    def turns(self) -> bool:
        """Whether the difference has the other sign, or none, lead by lead."""
        if not self.counted or self.alike is None:
            return False
        return self.counted * self.alike <= 0


def total(mix: Mix) -> Tally:
    """All leads together."""
    found = Tally()
    for one in mix.values():
        found.add(one)
    return found


def compared(group: Mix, everything: Mix) -> Comparison:
    """A group with all that is not in it; ``everything`` includes the group.

    Lead by lead both shares are weighed with the visits of everything, over the leads
    of which both have visits (direct standardisation).
    """
    rest = {
        lead: Tally(
            one.visits - group.get(lead, Tally()).visits,
            one.missed - group.get(lead, Tally()).missed,
        )
        for lead, one in everything.items()
    }
    mine, others = total(group).share, total(rest).share
    counted = None if mine is None or others is None else mine - others
    weight, difference = 0, 0.0
    for lead, one in everything.items():
        here, there = group.get(lead, Tally()).share, rest[lead].share
        if here is None or there is None:
            continue
        weight += one.visits
        difference += one.visits * (here - there)
    return Comparison(counted, difference / weight if weight else None)


def merged(mixes: Iterable[Mix]) -> dict[str, Tally]:
    """The visits of all."""
    found: dict[str, Tally] = {}
    for mix in mixes:
        for lead, one in mix.items():
            found.setdefault(lead, Tally()).add(one)
    return found
