"""The window of a calendar: which starts are shown, and when it advances.

It advances with the clock in whole cells, as an event, so that readers and watchers see
slots pass without a clock of their own.
"""

from __future__ import annotations

from actors.domain.calendar.state import CalendarState
from actors.domain.ids import (
    Millis,
    Minute,
)
from actors.domain.messages import commands as cm
from actors.domain.messages import events as ev

MINUTE_MS = 60_000
WINDOW_AHEAD = 5
"""In minutes. A window further ahead of now was advanced by a wrong clock."""


def is_due(state: CalendarState, now: Millis) -> bool:
    """Whether AdvanceWindow at ``now`` would change what watchers see."""
    to = this_cell(state, now) * state.cell
    if state.window > to + WINDOW_AHEAD:
        return True  # back to where the clock is
    state.quiet_until = min(state.quiet_until, Minute(to + WINDOW_AHEAD))
    if to <= state.quiet_until:
        return False
    if state.fresh:
        return True
    if state.availability is None:
        return False
    since, until = state.quiet_until // state.cell, to // state.cell
    openings = state.openings
    for offer in openings.offers.values():
        if offer.active and (
            openings.cut(offer, since + offer.notice, until + offer.notice)
            or openings.cut(offer, since + offer.horizon, until + offer.horizon)
        ):
            return True
    state.quiet_until = Minute(to)
    return False


def this_cell(state: CalendarState, now: Millis) -> int:
    """The first cell that begins at ``now`` or later, never before the window.

    Starts, notices and horizons are whole cells, so to compare with this cell is to
    compare with ``now`` itself, to the millisecond. A window far ahead was advanced by
    a wrong clock, and is ignored.
    """
    cell = -(-now // (state.cell * MINUTE_MS))
    if cell * state.cell >= state.window:
        return cell
    window = state.window // state.cell
    return cell if (window - cell) * state.cell > WINDOW_AHEAD else max(cell, window)


def advance(
    state: CalendarState, _c: cm.AdvanceWindow, now: Millis, version: int
) -> ev.Event | None:
    """The window moves to the present cell, if that changes what is shown."""
    if not is_due(state, now):
        return None
    return ev.WindowAdvanced(
        provider_id=state.provider_id,
        at=now,
        version=version,
        until=Minute(this_cell(state, now) * state.cell),
    )
