"""Guards taken out, one at a time: what the simulation must notice.

Each mutant replaces one small named function of the real code for as long as the
context lasts. A guard whose absence is not noticed is not known to guard anything.

One file because the mutants are one table.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from actors.domain.calendar import rulings, seats, staff
from actors.domain.calendar.calendar import Calendar
from actors.domain.calendar.holding import holds, waiting
from actors.domain.calendar.sessions import GroupSessions
from actors.domain.ids import Millis
from actors.domain.messages import commands as cm
from actors.domain.messages import events as ev
from actors.shard.batch import Batch
from actors.shard.clock_watch import ClockReading, ClockWatch
from actors.shard.residents import Residents
from gateway.live.topics.topic import Board
from persistence.journal.files import format as wal_format
from persistence.journal.files import reader as wal_reader
from persistence.journal.files.fence import Fence
from persistence.journal.files.reader import WalReader
from persistence.journal.files.wal import Wal
from persistence.readmodel.memory.readmodel import MemoryReadModel
from tests.simulation.group_mutants import GROUP_MUTANTS

Patch = tuple[Any, str, Any]


def _no_fence() -> list[Patch]:
    """The write does not ask whether a newer epoch owns the shard."""
    return [(Fence, "check", lambda self, epoch: None)]


def _answer_before_sync() -> list[Patch]:
    """Answers leave before the sync: the append returns without one."""

    def write(self: Any, epoch: int, count: int, frame: bytes) -> None:
        disk, sync = self._disk, self._disk.disk.sync
        disk.disk.sync = lambda handle: None
        try:
            real_write(self, epoch, count, frame)
        finally:
            disk.disk.sync = sync

    real_write = Wal._write
    return [(Wal, "_write", write)]


def _no_checksum() -> list[Patch]:
    """A frame is believed whatever its checksum says."""

    def sound(data: Any, at: int, end: int) -> bool:
        return True

    return [
        (wal_format, "frame_is_sound", sound),
        (wal_reader, "frame_is_sound", sound),
    ]


def _no_tail_cut() -> list[Patch]:
    """What a crash tore is left behind the end when writing goes on."""

    def settle(self: Any, segment: int, tail: Any) -> None:
        self._room = tail.size

    return [(Wal, "_settle", settle)]


def _no_key_check() -> list[Patch]:
    """A retry is taken for something new."""

    def decide(self: Any, command: Any, now: int) -> Any:
        answers = self.state.answers
        entries, answers.entries = answers.entries, {}
        try:
            return real_decide(self, command, Millis(now))
        finally:
            answers.entries = entries

    real_decide = Calendar.decide
    return [(Calendar, "decide", decide)]


def _no_deadline() -> list[Patch]:
    """A command acts however late it comes."""

    def decide(self: Any, command: Any, now: int) -> Any:
        return real_decide(
            self, msgspec.structs.replace(command, deadline=0), Millis(now)
        )

    real_decide = Calendar.decide
    return [(Calendar, "decide", decide)]


def _no_refusal_check() -> list[Patch]:
    """A batch that writes nothing does not ask who owns the shard."""
    return [(Batch, "must_check", property(lambda self: False))]


def _no_conflict_check() -> list[Patch]:
    """Holds of others do not stand in the way."""
    return [(rulings, "_is_held", lambda state, first, last, now: False)]


def _no_marks() -> list[Patch]:
    """Held slots do not lose their ground to leave and new rules."""
    return [(staff, "marks", lambda *_: {})]


def _no_expiry() -> list[Patch]:
    """A hold can be confirmed after its deadline."""

    def live_hold(state: Any, hold_id: Any, owner: Any, now: int) -> Any:
        return real_live_hold(state, hold_id, owner, Millis(0))

    real_live_hold = rulings.live_hold
    return [
        (rulings, "live_hold", live_hold),
        (holds, "are_due", lambda state, now: False),
    ]


def _no_compare_and_set() -> list[Patch]:
    """The projection's offset moves from wherever it is."""

    def carry_out(self: Any, batch: Any) -> Any:
        here = self._offsets.get(batch.shard)
        prev_seq = here.seq if here else 0
        return real_carry_out(self, msgspec.structs.replace(batch, prev_seq=prev_seq))

    real_carry_out = MemoryReadModel._carry_out
    return [(MemoryReadModel, "_carry_out", carry_out)]


def _no_delta_chain() -> list[Patch]:
    """A watcher that resumes is sent the newest delta only, from whatever version."""

    def catch_up(self: Any, stands: Any) -> Any:
        frames = real_catch_up(self, stands)
        return frames[-1:] if frames else frames

    real_catch_up = Board.catch_up
    return [(Board, "catch_up", catch_up)]


def _no_watermark() -> list[Patch]:
    """A reader believes all that it sees in the file, synced or not."""

    def last_seq(self: Any) -> int:
        return self._end_by_scan()  # type: ignore[no-any-return]

    return [(WalReader, "_last_seq", last_seq)]


def _no_clock_floor() -> list[Patch]:
    """Time may go back behind the last event."""

    return [(Residents, "floor", lambda self, wall: Millis(0))]


def _no_clock_watch() -> list[Patch]:
    """Whatever the machine's clock shows is believed at once."""

    def see(self: Any, wall: Any, steady: Any, floor: Any) -> ClockReading:
        return ClockReading(wall, max(wall, floor))

    return [(ClockWatch, "see", see)]


def _no_reserve() -> list[Patch]:
    """What is given up is free at once, although patients wait for it."""
    return [(waiting, "with_reserves", lambda state, event, now: (event,))]


def _late_reserve() -> list[Patch]:
    """The reserve follows the event that frees its slot."""

    def late(state: Any, event: Any, now: Any) -> tuple[Any, ...]:
        *reserves, last = real_with_reserves(state, event, now)
        first = msgspec.structs.replace(last, version=last.version - len(reserves))
        return (
            first,
            *(msgspec.structs.replace(o, version=o.version + 1) for o in reserves),
        )

    real_with_reserves = waiting.with_reserves
    return [(waiting, "with_reserves", late)]


def _no_end_of_offers() -> list[Patch]:
    """An offer can be booked as long as the list has the slot."""

    def live_hold(state: Any, hold_id: Any, owner: Any, now: int, **given: Any) -> Any:
        hold = state.occupancy.holds.get(hold_id)
        if hold is not None and hold.offered and hold.expires > now:
            now = min(now, hold.offered - 1)
        return real_live_hold(state, hold_id, owner, Millis(now), **given)

    real_live_hold = rulings.live_hold
    return [
        (rulings, "live_hold", live_hold),
        (holds, "are_due", lambda state, now: False),
    ]


def _no_return() -> list[Patch]:
    """An offer that ends frees its slot to all."""

    def ended(self: Any, hold_id: Any, now: Any, version: Any) -> Any:
        return ev.HoldExpired(
            provider_id=self.state.provider_id, at=now, version=version, hold_id=hold_id
        )

    return [(Calendar, "_ended", ended)]


def _no_turn() -> list[Patch]:
    """A late or second worker offers a slot again."""

    def decide(self: Any, command: Any, now: int) -> Any:
        if isinstance(command, cm.OfferHold):
            hold = self.state.occupancy.holds.get(command.hold_id)
            turn = command.turn if hold is None else hold.offers
            command = msgspec.structs.replace(command, turn=turn)
        return real_decide(self, command, Millis(now))

    real_decide = Calendar.decide
    return [(Calendar, "decide", decide)]


def _no_word_kept() -> list[Patch]:
    """The list's worker gives up a slot that is offered to a patient."""

    def release(state: Any, command: Any, hold: Any, now: Any, version: Any) -> Any:
        if command.owner is None and hold.expires > now:
            return ev.HoldReleased(
                **ev.head(command, now, version), hold_id=hold.hold_id
            )
        return real_release(state, command, hold, now, version)

    real_release = waiting.release
    return [(waiting, "release", release)]


def _a_part_of_many() -> list[Patch]:
    """Of several visits those are booked that can be."""

    def decide(self: Any, command: Any, now: int) -> Any:
        if isinstance(command, cm.BookMany) and len(command.starts) > 1:
            pairs = [
                (name, start)
                for name, start in zip(command.booking_ids, command.starts, strict=True)
                if rulings.free_slot(
                    self.state, command.visit_type, start, Millis(now)
                ).__class__
                is tuple
            ]
            if pairs:
                names, starts = zip(*pairs, strict=True)
                command = msgspec.structs.replace(
                    command, booking_ids=names, starts=starts
                )
        return real_decide(self, command, Millis(now))

    real_decide = Calendar.decide
    return [(Calendar, "decide", decide)]


def _last_of_many() -> list[Patch]:
    """The last of several visits is acknowledged, and the others are not booked."""

    def decide(self: Any, command: Any, now: int) -> Any:
        found = real_decide(self, command, Millis(now))
        if isinstance(command, cm.BookMany) and isinstance(found, tuple) and found:
            first = found[-1].version - len(command.starts) + 1
            return (
                *(one for one in found if one.version < first),
                msgspec.structs.replace(found[-1], version=first),
            )
        return found

    real_decide = Calendar.decide
    return [(Calendar, "decide", decide)]


def _no_capacity() -> list[Patch]:
    """A session has one seat more than the rules say."""
    real_free_seat = seats.free_seat
    return [
        (seats, "free_seat", lambda taken, most: real_free_seat(taken, most + 1)),
    ]


def _no_one_seat() -> list[Patch]:
    """A patient may have several seats of one session."""
    return [
        (seats, "is_seated", lambda state, patient, kind, start, now: False),
        (seats, "booked_seat", lambda state, patient, kind, start: None),
    ]


def _no_same_type() -> list[Patch]:
    """A seat is given in a session of another visit type."""

    def session_at(state: Any, start: int, visit_type: Any) -> Any:
        there = state.occupancy.sessions.at.items()
        return next((one for (at, _), one in there if at == start), None)

    return [(seats, "session_at", session_at)]


def _first_seat_frees() -> list[Patch]:
    """A session's time is given back with the first of its seats."""
    real_free = GroupSessions.free

    def free(self: Any, booking: Any) -> bool:
        real_free(self, booking)
        return bool(booking.lane < 0)

    return [(GroupSessions, "free", free)]


def _no_lane_check() -> list[Patch]:
    """An overbooked visit does not ask who else is in its lane."""
    return [(GroupSessions, "is_lane_taken", lambda self, lane, first, last: False)]


def _no_end_of_lanes() -> list[Patch]:
    """Staff may overbook beyond what the rules allow."""
    return [(seats, "lanes_of", lambda state: 9)]


def _lane_gives_time() -> list[Patch]:
    """The time of a seat or of an overbooked visit counts as free for its move."""

    def is_booked(state: Any, first: int, last: int, own: Any) -> bool:
        alone = msgspec.structs.replace(own, lane=0)
        return real_is_booked(state, first, last, alone)

    real_is_booked = rulings.is_booked_by_others
    return [(rulings, "is_booked_by_others", is_booked)]


def _no_sole_check() -> list[Patch]:
    """A seat takes the time of its session along, although others sit there."""
    return [(seats, "is_sole", lambda state, booking: True)]


def _no_seat_hold_check() -> list[Patch]:
    """A seat is held in the time of the visit that is to move there."""
    return [(seats, "could_be_joined", lambda moving, lane, first, last: False)]


MUTANTS: dict[str, Callable[[], list[Patch]]] = {
    "fence": _no_fence,
    "sync": _answer_before_sync,
    "checksum": _no_checksum,
    "tail_cut": _no_tail_cut,
    "key": _no_key_check,
    "deadline": _no_deadline,
    "refusal_check": _no_refusal_check,
    "conflict": _no_conflict_check,
    "expiry": _no_expiry,
    "marks": _no_marks,
    "reserve": _no_reserve,
    "reserve_first": _late_reserve,
    "offer_end": _no_end_of_offers,
    "offer_return": _no_return,
    "offer_turn": _no_turn,
    "offer_kept": _no_word_kept,
    "many_whole": _a_part_of_many,
    "many_first": _last_of_many,
    "seats": _no_capacity,
    "one_seat": _no_one_seat,
    "session_type": _no_same_type,
    "last_seat": _first_seat_frees,
    "lane": _no_lane_check,
    "lanes": _no_end_of_lanes,
    "lane_moves": _lane_gives_time,
    "sole_seat": _no_sole_check,
    "seat_hold": _no_seat_hold_check,
    "compare_and_set": _no_compare_and_set,
    "delta_chain": _no_delta_chain,
    "watermark": _no_watermark,
    "clock_floor": _no_clock_floor,
    "clock_watch": _no_clock_watch,
    **GROUP_MUTANTS,
}
"""Name of a guard -> how to take it out."""

_MISSING = object()


@contextlib.contextmanager
def mutated(name: str) -> Iterator[None]:
    """The real code without one guard; "" leaves it whole."""
    patches = MUTANTS[name]() if name else []
    before = [
        (owner, what, vars(owner).get(what, _MISSING)) for owner, what, _ in patches
    ]
    for owner, what, new in patches:
        setattr(owner, what, new)
    try:
        yield
    finally:
        for owner, what, old in before:
            if old is _MISSING:
                delattr(owner, what)
            else:
                setattr(owner, what, old)
