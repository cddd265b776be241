"""The calendar's tests can fail: with a guard removed, the random days find it.

Each control takes one guard out by monkeypatching and expects the very suite that
guards the calendar (tests/properties/test_calendar_machine.py) to turn red.

Hypothesis also draws from the constants of all our modules that are loaded, so other
tests in the same process would change the days, however fixed the seed: a guard that
takes a rare day to miss was once not missed. Here it draws from its own alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.internal import constants_ast
from hypothesis.internal.conjecture import providers
from hypothesis.stateful import run_state_machine_as_test
from msgspec.structs import replace

from actors.domain.calendar import (
    delta,
    effects,
    occupancy,
    rulings,
    staff,
    state,
    window,
)
from actors.domain.calendar.calendar import Calendar
from actors.domain.calendar.holding.renewals import Renewals
from actors.domain.calendar.remembered import Remembered
from actors.domain.messages.answers import Done
from actors.domain.messages.events import HoldPlaced
from actors.domain.time import openings as availability
from actors.domain.time.grid import Bitmap
from tests.properties.test_calendar_machine import CalendarMachine
from tests.unit.actors.domain import test_holding

SETTINGS = settings(
    max_examples=2_000,  # a bound on the search: the first that turns red ends it
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],  # finding is enough, shrinking takes long
    suppress_health_check=list(HealthCheck),
)

Patch = Callable[[pytest.MonkeyPatch], None]


@pytest.fixture(autouse=True)
def _same_days_whatever_is_loaded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    none = constants_ast.Constants()
    monkeypatch.setattr(providers, "_get_local_constants", lambda: none)
    providers.CONSTANTS_CACHE.cache.clear()
    yield
    providers.CONSTANTS_CACHE.cache.clear()


def _no_booking_blocks(patch: pytest.MonkeyPatch) -> None:
    """The conflict check against bookings is gone."""
    patch.setattr(
        rulings, "_is_taken", lambda s, a, b, now, m, o: rulings._is_held(s, a, b, now)
    )


def _no_hold_blocks(patch: pytest.MonkeyPatch) -> None:
    """The conflict check against holds is gone."""
    patch.setattr(rulings, "_is_held", lambda *_: False)


def _own_time_blocks(patch: pytest.MonkeyPatch) -> None:
    """A booking stands in the way of its own move."""
    patch.setattr(rulings, "is_booked_by_others", lambda *_: True)


def _holds_to_move_are_as_others(patch: pytest.MonkeyPatch) -> None:
    """A hold to move a visit is confirmed although it lies over that visit."""
    on_held = effects._on_held

    def forgetful(self: state.CalendarState, event: HoldPlaced) -> object:
        return on_held(self, replace(event, moving=None))

    patch.setitem(effects._APPLIERS, HoldPlaced, forgetful)


def _own_holds_hide_those_of_others(patch: pytest.MonkeyPatch) -> None:
    """What is booked over an own hold may meet other holds."""
    patch.setattr(rulings, "_is_held_beside", lambda *_: False)


def _visits_are_not_counted(patch: pytest.MonkeyPatch) -> None:
    """A patient may have any number of visits ahead."""
    patch.setattr(rulings, "too_many_visits", lambda *_, **__: None)


def _renewals_are_not_counted(patch: pytest.MonkeyPatch) -> None:
    """A patient may hold one slot again and again."""
    patch.setattr(Renewals, "count", lambda *_: 0)


def _holds_last_for_ever(patch: pytest.MonkeyPatch) -> None:
    """A hold may be extended any number of times."""
    patch.setattr(state.CalendarState, "extensions_left", lambda *_: 1)


def _keys_are_not_kept(patch: pytest.MonkeyPatch) -> None:
    """The key check finds nothing: a retry is decided again."""
    decide = Calendar.decide

    def forgetful(self: Calendar, command: object, now: object) -> object:
        own = self.state
        kept, own.answers = own.answers, Remembered(own.policy)
        try:
            return decide(self, command, now)  # type: ignore[arg-type]
        finally:
            own.answers = kept

    patch.setattr(Calendar, "decide", forgetful)


def _holds_never_expire(patch: pytest.MonkeyPatch) -> None:
    """Expiry is not a predicate: only a written HoldExpired ends a hold."""
    decide = Calendar.decide

    def patient(self: Calendar, command: object, now: object) -> object:
        held = self.state.occupancy
        ends = {hold_id: hold.expires for hold_id, hold in held.holds.items()}
        soonest, held.soonest = held.soonest, occupancy.NEVER
        for hold in held.holds.values():
            hold.expires = occupancy.NEVER
        try:
            return decide(self, command, now)  # type: ignore[arg-type]
        finally:
            held.soonest = soonest
            for hold_id, hold in held.holds.items():
                hold.expires = ends[hold_id]

    patch.setattr(Calendar, "decide", patient)


def _expiry_is_late_by_one(patch: pytest.MonkeyPatch) -> None:
    """`<` for `<=` at the deadline."""
    decide = Calendar.decide
    patch.setattr(Calendar, "decide", lambda s, c, now: decide(s, c, now - 1))


def _now_is_rounded_down(patch: pytest.MonkeyPatch) -> None:
    """A start can be had until its cell has passed."""
    patch.setattr(
        window,
        "this_cell",
        lambda s, now: max(now // 60_000, s.window) // s.cell,
    )


def _begun_holds_are_taken_up(patch: pytest.MonkeyPatch) -> None:
    """A hold is confirmed after its start."""
    patch.setattr(rulings, "late", lambda *_: None)


def _holds_on_leave_are_taken_up(patch: pytest.MonkeyPatch) -> None:
    """A held slot is booked although the provider is away."""
    patch.setattr(staff, "marks", lambda *_: {})


def _outcomes_wait_for_no_time(patch: pytest.MonkeyPatch) -> None:
    """A no-show is marked before its visit."""
    patch.setattr(staff, "_too_early", lambda *_: None)


def _patients_change_the_past(patch: pytest.MonkeyPatch) -> None:
    """A patient cancels a visit that has begun."""
    patch.setattr(
        rulings,
        "changeable",
        lambda s, booking_id, owner, kind, _now, *, proxy: rulings.own_booking(
            s, booking_id, owner, kind, proxy=proxy
        ),
    )


def _cancelling_frees_nothing(patch: pytest.MonkeyPatch) -> None:
    """A cancelled visit keeps its cells."""
    patch.setattr(occupancy.Occupancy, "free", lambda *_: None)


def _buffers_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    """A span is looked up one cell short: buffers may overlap by it."""
    hits = Bitmap.hits
    patch.setattr(Bitmap, "hits", lambda s, a, b: hits(s, a, b - 1))


def _changes_leave_no_trace(patch: pytest.MonkeyPatch) -> None:
    """Watchers are not told which cells changed."""
    patch.setattr(occupancy.Occupancy, "mark", lambda *_: None)


def _what_passed_is_not_gone(patch: pytest.MonkeyPatch) -> None:
    """Slots that the window has passed are not taken from the watchers."""
    patch.setattr(delta, "GONE", "f")


def _leaves_do_not_count(patch: pytest.MonkeyPatch) -> None:
    """Time off removes no slots."""
    patch.setattr(availability.Openings, "_away_cells", lambda *_: 0)


def _answers_are_of_now(patch: pytest.MonkeyPatch) -> None:
    """A key's answer is computed when it is asked for, not remembered."""
    patch.setattr(
        state.CalendarState,
        "answer",
        lambda s, _key: Done(s.provider_id, s.epoch, s.version),
    )


@pytest.mark.parametrize(
    "remove",
    [
        _no_booking_blocks,
        _no_hold_blocks,
        _own_time_blocks,
        _keys_are_not_kept,
        _holds_never_expire,
        _expiry_is_late_by_one,
        _now_is_rounded_down,
        _begun_holds_are_taken_up,
        _holds_on_leave_are_taken_up,
        _outcomes_wait_for_no_time,
        _patients_change_the_past,
        _cancelling_frees_nothing,
        _buffers_are_forgotten,
        _changes_leave_no_trace,
        _what_passed_is_not_gone,
        _leaves_do_not_count,
        _answers_are_of_now,
    ],
)
def test_random_days_find_a_missing_guard(
    remove: Patch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the guard the suite turns red."""
    remove(monkeypatch)
    with pytest.raises((AssertionError, KeyError)):
        run_state_machine_as_test(CalendarMachine, settings=SETTINGS)


@pytest.mark.parametrize(
    ("remove", "example"),
    [
        (
            _holds_to_move_are_as_others,
            test_holding.test_a_hold_to_move_books_nothing_over_the_visit,
        ),
        (
            _own_holds_hide_those_of_others,
            test_holding.test_a_hold_of_others_is_never_booked_over,
        ),
        (
            _visits_are_not_counted,
            test_holding.test_a_patient_has_three_visits_ahead_with_one_provider,
        ),
        (
            _renewals_are_not_counted,
            test_holding.test_a_slot_is_held_three_times_in_an_hour_and_no_more,
        ),
        (
            _holds_last_for_ever,
            test_holding.test_a_hold_is_extended_ten_times_by_answers_at_the_last_moment,
        ),
    ],
)
def test_the_examples_find_a_missing_guard(
    remove: Patch, example: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards that random days need too many of: the examples turn red at once."""
    remove(monkeypatch)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        example()
