"""The end of a run: one last power cut, a recovery, and then the judges.

The journal must explain what people heard (checkers.py, linearizability.py), and all
that follows from the journal must follow from it exactly: calendars recovered from
snapshots and tail, the read model's rows, what every watcher shows.
"""

from __future__ import annotations

from typing import Any

from actors.domain.calendar.effects import apply
from actors.domain.calendar.state import CalendarState
from actors.domain.ids import PatientId, ProviderId, ShardId
from actors.domain.messages.events import (
    BookingCancelled,
    HoldDoubted,
    HoldPlaced,
    HoldReturned,
    SlotReserved,
    TimeOffAdded,
    TimeOffRemoved,
)
from actors.ports import Record
from tests.simulation.agenda import Agenda
from tests.simulation.checkers import (
    Verdict,
    check_calendar,
    check_ranks,
    check_reads,
    check_time,
)
from tests.simulation.group_judges import (
    check_groups,
    groups_as_replayed,
    is_held_for_a_group,
)
from tests.simulation.kernel import Violation
from tests.simulation.linearizability import check_linearizable
from tests.simulation.oracle import LogJudge
from tests.simulation.region import is_offered, minute_text, week_of
from tests.simulation.sharing import SEAT
from tests.simulation.world import POLICY, World

CALM_MS = 30_000
"""Time for the last recovery, the projection and the watchers to be done."""
QUIET_MS = 3_000
QUIET_TRIES = 20


def simulate(seed: int) -> World:
    """Live through one seed and judge it; raises Violation."""
    world = World(seed)
    world.run()
    judge(world)
    return world


def judge(world: World) -> None:
    """All promises, after the last crash."""
    _calm_down(world)
    _check_watchers(world, _check_log(world))
    world.power_cut()
    world.kernel.run(world.kernel.now + CALM_MS)
    _calm_down(world)
    judges = _check_log(world)
    for shard, log in judges.items():
        _check_recovered(world, shard, log)
        _check_projection(world, shard, log)


def _calm_down(world: World) -> None:
    """Wait until nothing was journaled for a while: all who follow have followed."""
    for _ in range(QUIET_TRIES):
        before = [len(world.collect(shard)) for shard in world.folders]
        world.kernel.run(world.kernel.now + QUIET_MS)
        is_quiet = before == [len(world.collect(shard)) for shard in world.folders]
        if is_quiet and not is_held_for_a_group(world.archive):
            return


def _check_log(world: World) -> dict[ShardId, LogJudge]:
    judges = {}
    for shard in world.folders:
        records = world.collect(shard)
        log = LogJudge(POLICY)
        log.replay(records)
        judges[shard] = log
        mine = [
            operation
            for operation in world.history.operations
            if world.shard_of(operation.provider) == shard
        ]
        clocks = {
            seq: clock
            for (where, epoch, seq), clock in world.decided_at.items()
            if where == shard
            and seq <= len(records)
            and records[seq - 1].epoch == epoch
        }
        Verdict(log, world.history, clocks).check(records, mine)
        for (where, epoch, seq), clock in world.rightly_at.items():
            if where == shard and seq <= len(records):
                check_time(records[seq - 1], epoch, clock)
        check_reads(log, world.history, records)
        check_ranks(log, world.history)
    check_groups(world.archive, judges.values())
    for provider in world.calendars:
        theirs = [o for o in world.history.operations if o.provider == provider]
        check_linearizable(provider, theirs)
    return judges


def _check_recovered(world: World, shard: ShardId, log: LogJudge) -> None:
    """Snapshot and tail, replay from zero, and the judge's reading agree."""
    activation = world.activations[shard][-1]
    if activation.state != "open":
        raise Violation(f"{activation.name} did not recover: {activation.state}")
    if activation.shard.last_seq != len(world.archive[shard]):
        raise Violation(f"{activation.name} recovered to {activation.shard.last_seq}")
    replayed: dict[ProviderId, CalendarState] = {}
    for record in world.archive[shard]:
        provider = record.event.provider_id
        calendar = replayed.get(provider)
        if calendar is None:
            calendar = replayed[provider] = CalendarState(provider, POLICY)
        apply(calendar, record.event, record.epoch)
    wanted = [ProviderId(name) for name in log.agendas]
    activation._load(activation.shard.residents.missing(wanted))
    for provider in wanted:
        resident = activation.shard.residents.get(provider)
        if resident is None:
            raise Violation(f"{provider} is not there")
        check_calendar(log, provider, resident.calendar.state)
        check_calendar(log, provider, replayed[provider])
        remembered = resident.calendar.state.answers.entries
        if remembered != replayed[provider].answers.entries:
            raise Violation(f"{provider} remembers other answers than its log")
        groups_as_replayed(resident.calendar.state, replayed[provider])


def _check_projection(world: World, shard: ShardId, log: LogJudge) -> None:
    """The read model has each event exactly once, and nothing else."""
    model = world.model
    offset = model._offsets.get(shard)
    if offset is None or offset.seq != len(world.archive[shard]):
        raise Violation(f"{shard} projected to {offset}, not {log.seq}")
    if model.conflict_rows:
        raise Violation(f"parked: {model.conflict_rows}")
    for agenda in log.agendas.values():
        _check_rows(model, shard, agenda)
    told = sum(1 for one in model.history.values() if one.provider_id in log.agendas)
    happened = sum(
        len(booking.history)
        for a in log.agendas.values()
        for booking in a.bookings.values()
    )
    marked = sum(
        name.startswith("bkg_")
        for record in world.archive[shard]
        for name in getattr(record.event, "stranded", ())
    )
    freed = sum(
        isinstance(record.event, _NEWS_OF_CALENDARS) for record in world.archive[shard]
    )
    told_of_groups = sum(map(_notices_of_groups, world.archive[shard]))
    notices = sum(name.startswith(f"{shard}-") for name, _ in model.outbox)
    notices -= marked + freed + told_of_groups
    if not told == happened == notices:
        raise Violation(f"{happened} things happened, {told} told, {notices} noticed")


_NEWS_OF_CALENDARS = (
    SlotReserved,
    HoldReturned,
    HoldDoubted,
    TimeOffAdded,
    TimeOffRemoved,
)
"""Events whose notice is not of a visit."""


def _notices_of_groups(record: Record) -> int:
    """What a change of a visit adds to its one notice: what it owes; less of a part.

    Of a part that ended its room is free, and so it is after a leave.
    """
    event = record.event
    if isinstance(event, TimeOffRemoved):
        return 1
    group = getattr(event, "group", None)
    if group is None or isinstance(event, HoldPlaced | HoldDoubted):
        return int(getattr(event, "left", None) is not None)
    if group.primary == event.provider_id:
        return 1
    return 0 if isinstance(event, BookingCancelled) else -1


def _check_rows(model: Any, shard: ShardId, agenda: Agenda) -> None:
    rows = {
        name: (row.patient_id, row.status.value, row.visit_type, row.start, row.end)
        for name, row in model.appointments.items()
        if row.provider_id == agenda.provider
    }
    wanted = {
        name: (PatientId(b.patient), b.status, b.visit_type, b.start, b.end)
        for name, b in agenda.bookings.items()
    }
    if rows != wanted:
        raise Violation(f"{agenda.provider} rows {rows}, but the log says {wanted}")
    for name, booking in agenda.bookings.items():
        steps = [
            (seq, row.kind)
            for (where, seq), row in sorted(model.history.items())
            if where == shard and row.booking_id == name
        ]
        if steps != booking.history:
            raise Violation(f"{name} history {steps}, not {booking.history}")
    claimed = {
        (cell * 5 + minute, lane, owner)
        for (provider, cell, lane), owner in model.claims.items()
        if provider == agenda.provider
        for minute in range(5)
    }
    taken = {
        (minute, one.lane + (one.lane < 0), name)
        for name, one in agenda.bookings.items()
        if one.status != "cancelled"
        for minute in one.busy
    }
    if claimed != taken:
        raise Violation(f"{agenda.provider} claims {claimed ^ taken}")


def _check_watchers(world: World, judges: dict[ShardId, LogJudge]) -> None:
    """Every watcher shows what a fresh look at the log shows."""
    agendas = {
        name: one for log in judges.values() for name, one in log.agendas.items()
    }
    for topic in world.watchers[-1].topics:
        _, provider, visit_type, week = topic.split("/")
        wanted = shown_slots(agendas[provider], visit_type, week, world.zone)
        for watcher in world.watchers:
            if topic not in watcher.topics:
                continue
            if watcher.shown.get(topic) != wanted:
                raise Violation(
                    f"{watcher.name} at {watcher.stands.get(topic)} of {topic} shows\n"
                    f"{watcher.shown.get(topic)}, the log at "
                    f"{agendas[provider].version} says\n{wanted}"
                )


def shown_slots(
    agenda: Agenda, visit_type: str, week: str, zone: str
) -> dict[str, str]:
    """What the public may see of a visit type in a week, start by start."""
    kinds = agenda.availability.visit_types
    kind = next(kind for kind in kinds if kind.visit_type == visit_type)
    leaves = tuple(agenda.time_off.values())
    rows: dict[str, str] = {}
    if not agenda.until:
        return rows
    first = agenda.until + kind.notice
    # Offsets of our zones are whole half hours, so aligned starts are in UTC too.
    for start in range(first + -first % 30, agenda.until + kind.horizon, 30):
        offered = is_offered(
            agenda.availability, leaves, visit_type, start, agenda.until * 60_000
        )
        if offered and week_of(zone, start) == week:
            rows[minute_text(start)] = _state(agenda, kind, start)
    return rows


def _state(agenda: Agenda, kind: Any, start: int) -> str:
    session = agenda.sessions.get(start)
    if session is not None and session.visit_type == kind.visit_type:
        left = kind.capacity - len(session.seats)
        return f"free {left}" if left > 0 else session.state(full=True)
    busy = range(start - kind.buffer_before, start + kind.minutes + kind.buffer_after)
    owners = {agenda.taken[minute] for minute in busy if minute in agenda.taken}
    states = {
        agenda.sessions[int(name)].state() if kind_of == SEAT else kind_of
        for kind_of, name in owners
    }
    if "booking" in states or "booked" in states:
        return "booked"
    if states:
        return "held"
    return f"free {kind.capacity}" if kind.capacity > 1 else "free"
