"""Judges of a finished run: the journal against what people were told.

None of these calls the code under test. The log itself has been judged before
(oracle.py), so it is a possible history; here it must be the history that people saw.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from actors.domain.messages import events as ev
from actors.domain.messages.answers import BookingView, HoldView, TimeOffView
from actors.domain.messages.refusals import Refusal, RefusalCode
from actors.ports import Record
from tests.simulation.history import (
    OK,
    REFUSED,
    BookingRead,
    History,
    Operation,
    is_kept,
)
from tests.simulation.kernel import Violation
from tests.simulation.oracle import LogJudge

EFFECTS: Mapping[str, tuple[type, ...]] = {
    "register": (ev.ProviderRegistered,),
    "rules": (ev.AvailabilitySet,),
    "leave": (ev.TimeOffAdded,),
    "back": (ev.TimeOffRemoved,),
    "hold": (ev.HoldPlaced,),
    "member_hold": (ev.HoldPlaced,),
    "free": (),  # a member's hold and part are not changed like that
    "strike": (),
    "hand_move": (),
    "extend": (ev.HoldExtended,),
    "release": (ev.HoldReleased,),
    "waiting": (ev.WaitingSet,),
    "offer": (ev.HoldOffered,),
    "decline": (ev.HoldReturned,),
    "give_up": (ev.HoldReleased,),
    "confirm": (ev.SlotBooked,),
    "book": (ev.SlotBooked,),
    "book_many": (ev.SlotBooked,),
    "overbook": (ev.SlotBooked,),
    "cancel": (ev.BookingCancelled,),
    "call_off": (ev.BookingCancelled,),
    "move": (ev.BookingRescheduled,),
    "check_in": (ev.PatientArrived,),
    "complete": (ev.VisitCompleted,),
    "no_show": (ev.NoShowMarked,),
    "undo": (ev.OutcomeUndone,),
    "confidential": (ev.ConfidentialSet,),
}
TIME_APART_MS = 600_000
"""More than all small steps of the clock in a run come to."""
KEYLESS = (
    ev.HoldExpired,
    ev.HoldReturned,
    ev.SlotReserved,
    ev.SlotBooked,
    ev.WindowAdvanced,
    ev.HoldDoubted,
    ev.GroupAborted,
    ev.GroupSettled,
)
"""A visit without a key is one of several; the last of them has it (oracle.py)."""
OF_GROUPS = (ev.SlotBooked, ev.BookingCancelled)
"""What is decided about a group is told to its calendars without a key; judged in
group_judges.py."""


class Verdict:
    """Compares one shard's log with the history of the people who used it."""

    def __init__(
        self, judge: LogJudge, history: History, clocks: Mapping[int, int]
    ) -> None:
        """``clocks``: what the clock showed when the record of a seq was decided."""
        self._judge = judge
        self._clocks = clocks
        self._history = history
        self._by_key: dict[tuple[str, str], list[Operation]] = {}
        for operation in history.operations:
            if operation.provider in judge.agendas or operation.answers:
                name = (operation.provider, operation.key)
                self._by_key.setdefault(name, []).append(operation)

    def check(self, records: Iterable[Record], operations: list[Operation]) -> None:
        """All checks; raises Violation at the first promise that was broken."""
        for agenda in self._judge.agendas.values():
            if agenda.together:
                raise Violation(f"only a part was booked: {agenda.together}")
        for record in records:
            self._asked_for(record)
        for operation in operations:
            self._told_the_truth(operation)
            self._told_the_same(operation)
        self._in_real_time(operations)

    def _asked_for(self, record: Record) -> None:
        """Every effect was requested, happened once, and came in time."""
        event = record.event
        if not event.key:
            if not isinstance(event, KEYLESS) and not self._is_of_a_group(event):
                raise Violation(f"no request led to seq {record.seq}: {event}")
            return
        name = (event.provider_id, event.key)
        if len(self._judge.keys[name]) > 1:
            raise Violation(f"one key, two effects: {self._judge.keys[name]}")
        asked = [
            operation
            for operation in self._by_key.get(name, ())
            if operation.fingerprint == event.fingerprint
        ]
        if not asked:
            raise Violation(f"no request led to seq {record.seq}: {event}")
        if isinstance(event, ev.SlotBooked):
            self._all_or_none(record, asked[0])
        deadline = max(a.deadline for one in asked for a in one.attempts)
        if self._clocks[record.seq] > deadline:
            raise Violation(f"after its deadline {deadline}, seq {record.seq}: {event}")

    def _is_of_a_group(self, event: Any) -> bool:
        if isinstance(event, ev.HoldReleased):
            return event.hold_id in self._judge.of_groups
        group = event.group if isinstance(event, OF_GROUPS) else None
        return group is not None and group.primary != event.provider_id

    def _all_or_none(self, record: Record, asked: Operation) -> None:
        """Visits that were asked for together were booked together, all of them."""
        event: Any = record.event
        command: Any = asked.attempts[0].command
        wanted = [event.start]
        if asked.kind == "book_many":
            wanted = list(command.starts)
        elif asked.kind == "book":
            wanted = [command.start]
        booked = self._judge.together[event.booking_id]
        if booked != wanted:
            raise Violation(f"{booked} was booked of {wanted}, seq {record.seq}")

    def _record_of(self, operation: Operation) -> Record | None:
        found = self._judge.keys.get((operation.provider, operation.key), ())
        return next(
            (r for r in found if r.event.fingerprint == operation.fingerprint), None
        )

    def _told_the_truth(self, operation: Operation) -> None:
        """A yes is in the log as it was told; after a no, nothing is."""
        record = self._record_of(operation)
        answer = operation.answer
        if operation.outcome == OK:
            if record is None:
                raise Violation(f"acknowledged and lost: {operation}")
            if not isinstance(record.event, EFFECTS[operation.kind]):
                raise Violation(f"acknowledged {operation}, but the log has {record}")
            _same_words(answer, record, operation)
        elif operation.outcome == REFUSED:
            self._refused_rightly(operation, answer, record)

    def _refused_rightly(
        self, operation: Operation, answer: Refusal, record: Record | None
    ) -> None:
        if answer.code is RefusalCode.IDEMPOTENCY_KEY_REUSED:
            others = self._by_key[operation.provider, operation.key]
            if all(o.fingerprint == operation.fingerprint for o in others):
                raise Violation(f"key said to be reused, but was not: {operation}")
            if record is not None:
                raise Violation(f"told that its key was reused, but done: {operation}")
            return
        if record is None:
            raise Violation(f"a refusal that the log does not have: {operation}")
        event = record.event
        if not isinstance(event, ev.RefusalRecorded) or event.code != answer.code:
            raise Violation(f"told {answer}, but the log has {record}: {operation}")

    def _told_the_same(self, operation: Operation) -> None:
        """The same key hears the same answer, word for word."""
        kept = [answer for _, answer in operation.answers if is_kept(answer)]
        if any(answer != kept[0] for answer in kept):
            raise Violation(f"one key, several answers: {operation}")

    def _in_real_time(self, operations: list[Operation]) -> None:
        """What was answered before something was asked comes before it in the log."""
        placed = [(o, r) for o in operations if (r := self._record_of(o)) is not None]
        asked = sorted(placed, key=lambda pair: pair[0].invoked)
        ended = sorted(
            ((o.done, r.seq) for o, r in placed if o.done is not None), reverse=True
        )
        reached = 0
        for operation, record in asked:
            while ended and ended[-1][0] < operation.invoked:
                reached = max(reached, ended.pop()[1])
            first = min(
                o.invoked for o in self._by_key[operation.provider, operation.key]
            )
            if record.seq <= reached and first == operation.invoked:
                raise Violation(
                    f"seq {record.seq} was asked for after seq {reached} was "
                    f"answered: {operation}"
                )


def _same_words(answer: Any, record: Record, operation: Operation) -> None:
    """Epoch, version, ids and times of an answer are those of the log."""
    event: Any = record.event
    if (answer.epoch, answer.version) != (record.epoch, event.version):
        raise Violation(f"told another position than {record}: {operation}")
    told: tuple[Any, ...] = ()
    logged: tuple[Any, ...] = ()
    if isinstance(answer, HoldView):
        told = (answer.hold_id, answer.expires)
        logged = (event.hold_id, getattr(event, "offered", event.expires))
    elif isinstance(answer, BookingView):
        told, logged = (answer.booking_id,), (event.booking_id,)
        if isinstance(event, ev.SlotBooked | ev.BookingRescheduled):
            told += (answer.start, answer.end, answer.visit_type, answer.lane)
            logged += (event.start, event.end, event.visit_type, event.lane)
    elif isinstance(answer, TimeOffView):
        told, logged = (answer.time_off,), (event.time_off,)
    if told != logged:
        raise Violation(f"told {told}, but the log has {logged}: {operation}")


def check_time(record: Record, epoch: int, clock: int) -> None:
    """No event was decided with the time of a clock that was wrong for a moment."""
    apart = record.event.at - clock
    if record.epoch == epoch and abs(apart) > TIME_APART_MS:
        raise Violation(f"{apart} ms off: seq {record.seq}: {record.event}")


def check_ranks(judge: LogJudge, history: History) -> None:
    """Each slot went to the patients of the list in the order that was asked for."""
    asked = {
        (operation.provider, operation.key): operation
        for operation in history.operations
        if operation.kind == "offer"
    }
    for hold_id, offers in judge.offers.items():
        ranks = [asked[one.provider_id, one.key].rank for one in offers]
        if ranks != list(range(len(ranks))):
            raise Violation(f"{hold_id} was offered out of its order: {ranks}")


def check_reads(judge: LogJudge, history: History, records: Iterable[Record]) -> None:
    """No read shows less than was acknowledged before it."""
    acknowledged: dict[str, list[tuple[int, str, int]]] = {}
    for operation in history.operations:
        answer = operation.answer
        if isinstance(answer, BookingView) and operation.done is not None:
            told = (operation.done, answer.booking_id, answer.version)
            acknowledged.setdefault(operation.provider, []).append(told)
    statuses = _statuses(records)
    for read in history.reads:
        if read.provider in judge.agendas:
            told_before = [
                (booking, version)
                for done, booking, version in acknowledged.get(read.provider, ())
                if done < read.invoked
            ]
            _check_read(read, told_before, statuses.get(read.booking_id, []))


def _check_read(
    read: BookingRead, before: list[tuple[str, int]], statuses: list[tuple[int, str]]
) -> None:
    if isinstance(read.answer, Refusal):
        if any(booking == read.booking_id for booking, _ in before):
            raise Violation(f"an owner was told there is no such booking: {read}")
        return
    newest = max((version for _, version in before), default=0)
    if read.answer.version < newest:
        raise Violation(f"read at a version before {newest}: {read}")
    shown = read.answer.version
    seen = [status for version, status in statuses if version <= shown]
    if not seen or seen[-1] != read.answer.status:
        raise Violation(f"read {read}, but the log has {seen[-1:]}")


_STATUS: dict[Any, str] = {
    ev.SlotBooked: "booked",
    ev.BookingCancelled: "cancelled",
    ev.PatientArrived: "arrived",
    ev.VisitCompleted: "fulfilled",
    ev.NoShowMarked: "noshow",
}


def _statuses(records: Iterable[Record]) -> dict[str, list[tuple[int, str]]]:
    found: dict[str, list[tuple[int, str]]] = {}
    for record in records:
        event: Any = record.event
        status = _STATUS.get(type(event)) or getattr(event, "status", None)
        if status is not None:
            found.setdefault(event.booking_id, []).append((event.version, status))
    return found


def check_calendar(judge: LogJudge, provider: str, state: Any) -> None:
    """A calendar in memory is what the log says: the same holds, the same bookings."""
    agenda = judge.agendas[provider]
    if state.version != agenda.version:
        raise Violation(f"{provider} at {state.version}, log at {agenda.version}")
    holds = {
        hold_id: (
            *(h.patient_id, h.start, h.end, h.expires, h.extensions, h.offered),
            h.lane,
        )
        for hold_id, h in state.occupancy.holds.items()
    }
    told = {
        hold_id: (
            *(h.patient, h.start, h.end, h.expires, h.extensions, h.offered),
            h.lane,
        )
        for hold_id, h in agenda.holds.items()
    }
    parts = {
        booking_id: b.visit or "" for booking_id, b in state.occupancy.bookings.items()
    }
    if parts != {booking_id: b.visit for booking_id, b in agenda.bookings.items()}:
        raise Violation(f"{provider} has the parts {parts}, not those of the log")
    if state.waiting != agenda.waiting:
        raise Violation(f"{provider} waits {state.waiting}, log {agenda.waiting}")
    if holds != told:
        raise Violation(f"{provider} holds {holds}, but the log has {told}")
    bookings = {
        booking_id: (b.patient_id, b.visit_type, b.start, b.end, b.status.value, b.lane)
        for booking_id, b in state.occupancy.bookings.items()
    }
    logged = {
        booking_id: (b.patient, b.visit_type, b.start, b.end, b.status, b.lane)
        for booking_id, b in agenda.bookings.items()
    }
    if bookings != logged:
        raise Violation(f"{provider} has {bookings}, but the log has {logged}")
    leaves = {off: (t.start, t.end) for off, t in state.time_off.items()}
    if leaves != agenda.time_off:
        raise Violation(f"{provider} is away {leaves}, the log has {agenda.time_off}")
