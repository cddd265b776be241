"""Controls of the proof with a whole site: its judges find each broken promise.

A small world in which all is well is spoilt in one way at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.acceptance.notices.judging import (
    CHANNELS,
    About,
    Sent,
    Visit,
    judge,
    leaked,
    reminded,
)

NINE = datetime(2026, 12, 3, 9, tzinfo=UTC)
TEN = NINE.replace(hour=10)
STEPS = (
    ("n1", "bkg_1", "booked", 1, NINE, 0),
    ("n2", "bkg_2", "booked", 2, NINE, 0),
    ("n3", "bkg_1", "rescheduled", 3, TEN, 1),
    ("n4", "bkg_2", "cancelled", 4, NINE, 1),
    ("n5", "bkg_1", "reminder", 3, TEN, 1),
)
"""Notice, booking, kind, version, start, SEQUENCE."""


def calendar(booking: str, kind: str, start: datetime, sequence: int) -> str:
    status = "CANCELLED" if kind == "cancelled" else "CONFIRMED"
    lines = [
        *("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x", "BEGIN:VEVENT"),
        *(f"UID:{booking}@clinic.test", f"SEQUENCE:{sequence}", f"STATUS:{status}"),
        f"DTSTART:{start:%Y%m%dT%H%M%SZ}",
        *("END:VEVENT", "END:VCALENDAR", ""),
    ]
    return "\r\n".join(lines)


class World:
    """What came, of what, and how the visits are."""

    def __init__(self) -> None:
        self.known: dict[str, About] = {}
        self.sent: list[Sent] = []
        for at, (notice, booking, kind, version, start, sequence) in enumerate(STEPS):
            about = About(notice, booking, kind, version)
            self.known[notice] = self.known[f"{notice}.m"] = about
            event = calendar(booking, kind, start, sequence)
            event = "" if kind == "reminder" else event
            self.sent += [
                Sent("mail", f"{notice}.m", "m@x", at, "a visit", event),
                Sent("sms", f"{notice}.m", "+49", at, "a visit"),
                Sent("push", notice, "b0", at, "a visit"),
            ]
        quiet = dict.fromkeys(CHANNELS, 3)
        self.visits = {
            "bkg_1": Visit("bkg_1", TEN),
            "bkg_2": Visit("bkg_2", NINE, is_cancelled=True, quiet_from=quiet),
        }

    def find(self, notice: str, channel: str = "mail") -> Sent:
        (found,) = (
            one
            for one in self.sent
            if one.channel == channel and one.message_id.startswith(notice)
        )
        return found

    def change(self, old: Sent, **fields: object) -> None:
        self.sent[self.sent.index(old)] = replace(old, **fields)  # type: ignore[arg-type]

    def wrong(self) -> list[str]:
        return judge(self.sent, self.known, self.visits)


def test_a_world_in_which_all_is_well_is_found_so() -> None:
    """Also where a mail came twice under one Message-ID and a push under one tag."""
    world = World()
    world.sent += [world.find("n1"), world.find("n1", "push")]
    assert world.wrong() == []
    assert reminded(world.sent, world.known, "sms") == {"bkg_1": ["n5"]}
    assert list(leaked(world.sent, ["gallstones"])) == []


def _sms_twice(world: World) -> None:
    world.sent.append(replace(world.find("n1", "sms"), at=9))


def _another_message_id(world: World) -> None:
    world.known["n1.other"] = world.known["n1"]
    world.sent.append(replace(world.find("n1"), message_id="n1.other", at=1))


def _reminder_of_the_cancelled(world: World) -> None:
    world.known["n5"] = world.known["n5.m"] = About("n5", "bkg_2", "reminder", 4)


def _booked_after_moved(world: World) -> None:
    world.change(world.find("n1", "push"), at=7)


def _nothing_of_the_cancellation(world: World) -> None:
    world.sent.remove(world.find("n4", "sms"))


def _moved_to_another_time(world: World) -> None:
    world.visits["bkg_1"].start = NINE


def _cancelled_and_not_told(world: World) -> None:
    world.visits["bkg_1"].is_cancelled = True


def _sequence_that_stands_still(world: World) -> None:
    world.change(world.find("n3"), calendar=calendar("bkg_1", "rescheduled", TEN, 0))


def _file_of_another_visit(world: World) -> None:
    world.change(world.find("n1"), calendar=calendar("bkg_7", "booked", NINE, 0))


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        (_sms_twice, "came twice to a phone"),
        (_another_message_id, "came under 2 ids"),
        (_reminder_of_the_cancelled, "reminder of the cancelled bkg_2"),
        (_booked_after_moved, "booked of bkg_1 by push came late"),
        (_nothing_of_the_cancellation, "bkg_2: channels end with different notices"),
        (_moved_to_another_time, "bkg_1: was told for"),
        (_cancelled_and_not_told, "bkg_1: was told as cancelled: False"),
        (_sequence_that_stands_still, "bkg_1: SEQUENCE [0, 0]"),
        (_file_of_another_visit, "bkg_7@clinic.test in a mail about bkg_1"),
    ],
)
def test_each_broken_promise_is_found(
    spoilt: Callable[[World], None], said: str
) -> None:
    """By the judge of that promise, in words that name the visit."""
    world = World()
    spoilt(world)
    assert any(said in one for one in world.wrong()), world.wrong()


@pytest.mark.parametrize("field", ["body", "calendar"])
def test_a_word_that_no_message_may_say_is_found(field: str) -> None:
    """In the text and in the calendar's file, however it is written."""
    world = World()
    world.change(world.find("n1"), **{field: "Your GallStones"})
    assert list(leaked(world.sent, ["gallstones"])) == ["gallstones in n1.m by mail"]
