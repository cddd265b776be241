"""How fast one calendar decides and shows, and how much memory it takes.

``python -m tests.benchmarks.bench_calendar --json``. Measures, never asserts. Each
figure is the best of several runs on one core; commands are made before the clock
starts, answers are remembered as in production, the garbage collector is on.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence

from actors.domain.calendar import views
from actors.domain.calendar.calendar import Calendar
from actors.domain.calendar.delta import change_of
from actors.domain.calendar.effects import apply
from actors.domain.calendar.snapshot import decode, encode
from actors.domain.ids import BookingId, Minute
from actors.domain.messages import commands as cm
from actors.domain.messages.events import SlotBooked
from actors.domain.messages.refusals import Refusal
from actors.domain.rules import Hours, Policy
from tests.factories import (
    CONSULT,
    DAY,
    MONDAY,
    NOW,
    a_calendar,
    a_location,
    a_visit_type,
    an_availability,
    book_slot,
    cancel_booking,
    confirm_hold,
    next_start,
    place_hold,
    play,
    release_hold,
)

RULES = an_availability(
    a_visit_type("consult", minutes=15, alignment=15, horizon=90 * DAY),
    a_visit_type("long", minutes=45, buffer_after=15, alignment=15, horizon=90 * DAY),
    locations=(
        a_location(
            time_zone="Europe/Berlin",
            weekly=((Hours(8 * 60, 12 * 60), Hours(13 * 60, 18 * 60)),) * 5 + ((),) * 2,
        ),
    ),
)


def _open_calendar() -> Calendar:
    return a_calendar(RULES, policy=Policy(keys_max=4_000))


def _mix(count: int, seed: int = 1) -> list[cm.Command]:
    """What a busy practice is asked, a fifth of it in vain, over 28 days of slots.

    Of 100: 35 holds, 20 confirmations, 15 direct bookings, 20 cancellations and 10
    releases; those who ask for a slot prefer a free one, four times in five.
    """
    dice = random.Random(seed)
    calendar = _open_calendar()
    view = views.slots(calendar.state, CONSULT, MONDAY, Minute(MONDAY + 28 * DAY))
    assert not isinstance(view, Refusal)
    commands: list[cm.Command] = []
    booked: list[BookingId] = []
    for number in range(count):
        choice = dice.random()
        held = list(calendar.state.occupancy.holds)
        start = dice.choice(view.starts)
        while _is_taken(calendar, start) and dice.random() < 0.8:
            start = dice.choice(view.starts)
        command: cm.Command = place_hold(number, start)
        if 0.35 <= choice < 0.50:
            command = book_slot(number, start)
        elif 0.50 <= choice < 0.70 and held:
            command = confirm_hold(
                number, hold_id=dice.choice(held[-8:]), key=f"c{number}"
            )
        elif 0.70 <= choice < 0.90 and booked:
            command = cancel_booking(
                number,
                booking_id=booked.pop(dice.randrange(len(booked))),
                key=f"x{number}",
            )
        elif choice >= 0.90 and held:
            command = release_hold(
                number, hold_id=dice.choice(held[:8]), key=f"r{number}"
            )
        commands.append(command)
        events = play(calendar, command)
        if not isinstance(events, Refusal) and isinstance(events[-1], SlotBooked):
            booked.append(events[-1].booking_id)
    return commands


def _is_taken(calendar: Calendar, start: int) -> bool:
    cell = start // 5
    return calendar.state.occupancy.booked.hits(
        cell, cell + 3
    ) or calendar.state.occupancy.held.hits(cell, cell + 3)


def _best(run: Callable[[], object], times: int) -> float:
    """Seconds of the fastest of several runs."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        run()
        found.append(time.perf_counter() - began)
    return min(found)


def _commands_per_s(commands: Sequence[cm.Command]) -> tuple[float, int]:
    refused = 0

    def run() -> float:
        nonlocal refused
        calendar = _open_calendar()
        views.slots(calendar.state, CONSULT, MONDAY, Minute(MONDAY + 28 * DAY))
        refused = 0
        decide, state = calendar.decide, calendar.state
        began = time.perf_counter()
        for command in commands:
            outcome = decide(command, NOW)
            if isinstance(outcome, Refusal):
                refused += 1
                apply(state, calendar.refused(command, outcome, NOW), 1)
            else:
                for event in outcome:
                    apply(state, event, 1)
        return time.perf_counter() - began

    return len(commands) / min(run() for _ in range(7)), refused


def _filled(share: float, seed: int = 2) -> Calendar:
    calendar = _open_calendar()
    dice = random.Random(seed)
    view = views.slots(calendar.state, CONSULT, MONDAY, Minute(MONDAY + 28 * DAY))
    assert not isinstance(view, Refusal)
    for number, start in enumerate(view.starts):
        if dice.random() < share:
            make = place_hold if dice.random() < 0.2 else book_slot
            play(calendar, make(number, start))
    return calendar


def _slots_us(share: float) -> dict[str, float]:
    calendar = _filled(share)
    last = Minute(MONDAY + 28 * DAY)
    views.slots(calendar.state, CONSULT, MONDAY, last)

    def warm() -> None:
        for _ in range(200):
            views.slots(calendar.state, CONSULT, MONDAY, last)

    offer = calendar.state.openings.offers[CONSULT]

    def repainted() -> None:
        for _ in range(50):
            for view in offer.views.values():
                view.seen = ()
            views.slots(calendar.state, CONSULT, MONDAY, last)

    def cold() -> None:
        for _ in range(10):
            calendar.state._openings = None
            views.slots(calendar.state, CONSULT, MONDAY, last)

    return {
        "unchanged": _best(warm, 7) / 200 * 1e6,
        "every week changed": _best(repainted, 7) / 50 * 1e6,
        "rules expanded again": _best(cold, 7) / 10 * 1e6,
    }


def _change_us(*, with_slots: bool) -> float:
    calendar = _filled(0.5)
    view = views.slots(calendar.state, CONSULT, MONDAY, Minute(MONDAY + 28 * DAY))
    assert not isinstance(view, Refusal)
    free = [s for s, x in zip(view.starts, view.states, strict=True) if x == "f"]
    found = []
    for number, start in enumerate(free[:200], 10_000):
        events = play(calendar, book_slot(number, start))
        assert not isinstance(events, Refusal)
        began = time.perf_counter()
        change_of(calendar.state, events, with_slots=with_slots)
        found.append(time.perf_counter() - began)
    return sorted(found)[len(found) // 2] * 1e6


def _memory_bytes(bookings: int) -> float:
    """Bytes of Python objects per calendar, rules decoded apart, as in a shard."""
    blob = encode(_open_calendar().state)
    view = views.slots(
        decode(blob, Policy()), CONSULT, MONDAY, Minute(MONDAY + 28 * DAY)
    )
    assert not isinstance(view, Refusal)
    policy = Policy()
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    calendars = []
    for _ in range(200):
        calendar = Calendar(decode(blob, policy))
        for number in range(bookings):
            start = view.starts[number * 5]
            play(calendar, book_slot(number, start))
        calendars.append(calendar)
    gc.collect()
    used = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return used / len(calendars)


def measure() -> dict[str, object]:
    """All figures, with what they were taken with."""
    rate, refused = _commands_per_s(_mix(20_000))
    busy = _filled(0.5)
    blob = encode(busy.state)
    return {
        "decide_apply_per_s": round(rate),
        "mix_refused_share": round(refused / 20_000, 2),
        "slots_4_weeks_us": {
            f"{share:.0%} taken": {k: round(v, 1) for k, v in _slots_us(share).items()}
            for share in (0.0, 0.5, 1.0)
        },
        "change_of_one_booking_us": {
            "watched": round(_change_us(with_slots=True), 1),
            "not watched": round(_change_us(with_slots=False), 1),
        },
        "next_free_us": round(_best(_next_free(busy), 5) / 200 * 1e6, 1),
        "snapshot": {
            "bookings": len(busy.state.occupancy.bookings),
            "bytes": len(blob),
            "encode_us": round(_best(lambda: encode(busy.state), 20) * 1e6),
            "decode_us": round(_best(lambda: decode(blob, Policy()), 20) * 1e6),
        },
        "memory_bytes": {
            "idle": round(_memory_bytes(0)),
            "100 bookings, keys kept": round(_memory_bytes(100)),
        },
        "python": sys.version.split()[0],
    }


def _next_free(calendar: Calendar) -> Callable[[], None]:
    def run() -> None:
        for _ in range(200):
            calendar.state.free_memo = None
            next_start(calendar)

    return run


def main() -> None:
    """Print the figures, as a table or as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    found = measure()
    if parser.parse_args().json:
        sys.stdout.write(json.dumps(found) + "\n")
    else:
        for name, value in found.items():
            sys.stdout.write(f"{name:28} {value}\n")


if __name__ == "__main__":
    main()
