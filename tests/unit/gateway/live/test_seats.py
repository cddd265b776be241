"""Seats of group visits on a topic: beside the states, in every kind of frame."""

from __future__ import annotations

from actors.domain.messages.answers import seats_letter
from gateway.live.core.frames import content_of
from tests.unit.gateway.live.stage import a_change, a_hub, a_view, feed, read, watch

A, B = "2026-11-30T12:00:00Z", "2026-11-30T12:30:00Z"


def letters(*seats: int) -> str:
    return "".join(seats_letter(one) if one else "b" for one in seats)


def test_frames_say_how_many_seats_are_left() -> None:
    """Free with a number; a full session is booked and has none."""
    hub = a_hub()
    _, page = watch(hub)
    feed(hub)
    read(hub, a_view(1, letters(3, 0)))
    snapshot = page.page[-1]
    assert snapshot["slots"] == [[A, "free"], [B, "booked"]]
    assert snapshot["seats_left"] == {A: 3}
    assert b'"seats_left":{' in content_of(page.frames[-1])
    feed(hub, a_change(2, letters(2)))
    delta = page.page[-1]
    assert (delta["slots"], delta["seats_left"]) == ([[A, "free"]], {A: 2})
    feed(hub, a_change(3, letters(0, 1)))
    delta = page.page[-1]
    assert delta["slots"] == [[A, "booked"], [B, "free"]]
    assert delta["seats_left"] == {B: 1}


def test_plain_frames_are_what_they_were() -> None:
    """No field more for visits that have their time to themselves."""
    hub = a_hub()
    _, page = watch(hub)
    feed(hub)
    read(hub, a_view(1, "fb"))
    feed(hub, a_change(2, "h"))
    assert all("seats_left" not in frame for frame in page.page)


def test_a_read_that_finds_other_seats_tells_them() -> None:
    """A reread sends the difference, although the state is free as before."""
    hub = a_hub()
    _, page = watch(hub)
    feed(hub)
    read(hub, a_view(1, letters(3, 3)))
    feed(hub, epoch=2)
    read(hub, a_view(5, letters(3, 1), epoch=2))
    assert page.page[-1]["seats_left"] == {A: 3, B: 1}
