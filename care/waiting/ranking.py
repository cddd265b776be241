"""Who is offered a slot: the order of the list, and whom a slot fits; pure.

The order is priority, then how long a patient has waited. It never changes with what
is offered: an entry that a slot does not fit keeps its place for the next.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from msgspec import Struct

from actors.domain.ids import Millis, Minute, PatientId, VisitTypeId
from actors.domain.rules import Waiting
from actors.domain.zone_data import zone_info
from care.waiting.entries import (
    DAY_MINUTES,
    DECLINES_MAX,
    FreedSlot,
    WaitingEntry,
)

MINUTE_MS = 60_000
FOREVER = Minute(1 << 40)
RESERVED_MAX = 64
"""Slots that one calendar reserves at a time, as it allows."""


class Chosen(Struct, frozen=True):
    """Who is offered a slot, and why: see ``SlotOffer``."""

    entry: WaitingEntry
    rank: int
    ahead: Mapping[str, int]


def ranked(entries: Iterable[WaitingEntry]) -> list[WaitingEntry]:
    """The list in its order."""
    return sorted(entries, key=lambda one: (-one.priority, one.since, one.entry_id))


def ahead_of(entry: WaitingEntry, entries: Iterable[WaitingEntry]) -> int:
    """How many other patients come before an entry; paused entries do not count."""
    before: set[PatientId] = set()
    for one in ranked(entries):
        if one.entry_id == entry.entry_id:
            break
        if one.patient_id != entry.patient_id and _is_active(one):
            before.add(one.patient_id)
    return len(before)


def why_not(entry: WaitingEntry, slot: FreedSlot, now: Millis) -> str:
    """Why a slot is not what an entry waits for; empty if it is."""
    if not _is_active(entry):
        return "paused"
    if entry.visit_type and entry.visit_type != slot.visit_type:
        return "visit_type"
    if slot.start - entry.notice < now // MINUTE_MS:
        return "notice"
    wall = _wall(slot.start, slot.time_zone)
    if entry.last_day and wall.date().isoformat() > entry.last_day:
        return "too_late"
    if entry.days and wall.isoweekday() not in entry.days:
        return "day"
    if entry.opens == 0 and entry.closes == DAY_MINUTES:
        return ""  # at any time: past midnight, too
    begins = wall.hour * 60 + wall.minute
    ends = begins + slot.end - slot.start
    return "" if entry.opens <= begins and ends <= entry.closes else "time"


def choose(
    entries: Sequence[WaitingEntry],
    slot: FreedSlot,
    passed: Mapping[PatientId, str],
    now: Millis,
) -> Chosen | None:
    """The first of the list whom the slot fits; ``passed``: patients it is not for."""
    ahead: Counter[str] = Counter()
    for place, entry in enumerate(ranked(entries), 1):
        why = passed.get(entry.patient_id) or why_not(entry, slot, now)
        if not why:
            return Chosen(entry, place, dict(ahead))
        ahead[why] += 1
    return None


def waited_for(
    entries: Sequence[WaitingEntry], offered: Sequence[VisitTypeId], now: Millis
) -> Waiting | None:
    """What a calendar is to reserve for these entries; None: nothing.

    ``offered``: the visit types that the calendar offers. The same entries give the
    same answer until one of them ends.
    """
    today = now // MINUTE_MS
    active = [one for one in entries if _is_active(one) and _end_of(one) > today]
    any_type = any(not one.visit_type for one in active)
    named = {one.visit_type for one in active}
    kinds = tuple(kind for kind in offered if any_type or kind in named)
    if not active or not kinds:
        return None
    until = max(map(_end_of, active))
    most = min(len({one.patient_id for one in active}), RESERVED_MAX)
    # From the first minute on: with ``now`` no two answers would be equal.
    return Waiting(kinds, Minute(0), until, most)


def _is_active(entry: WaitingEntry) -> bool:
    return not entry.paused and entry.declines < DECLINES_MAX


def _end_of(entry: WaitingEntry) -> Minute:
    """When an entry's last day is over, wherever on earth it is waited for."""
    if not entry.last_day:
        return FOREVER
    day = datetime.fromisoformat(entry.last_day).replace(tzinfo=UTC)
    return Minute(int(day.timestamp()) // 60 + 2 * DAY_MINUTES)


def _wall(at: Minute, time_zone: str) -> datetime:
    place = zone_info(time_zone) or UTC
    return datetime.fromtimestamp(at * 60, UTC).astimezone(place)
