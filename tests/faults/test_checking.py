"""Controls: the check in which every fault test ends finds each broken promise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loadtests.workload.history import FAIL, INFO, OK, History, Operation, read_history
from tests.faults.checking import Findings, judge_bookings, judge_order, judge_slots

PRV, NINE, TEN = "prv_1", "2026-12-01T09:00:00Z", "2026-12-01T10:00:00Z"


class Script:
    """A history written by hand."""

    def __init__(self) -> None:
        self.history = History()
        self.shown: list[dict[str, Any]] = []

    def told(self, kind: str, start: str, **more: Any) -> Operation:
        """Something was asked for at ``at`` and answered at ``done``."""
        number = len(self.history.operations)
        at = float(more.pop("at", number))
        done = float(more.pop("done", at + 0.5))
        outcome = more.pop("outcome", OK)
        answer = {"epoch": 1, "version": number + 1, **more.pop("answer", {})}
        patient = more.pop("patient", "pat_1")
        subject = more.pop("subject", "")
        one = Operation(0, patient, kind, PRV, start, subject, f"k{number}", at)
        one.code = more.pop("code", "")
        one.answer = answer if outcome == OK else {}
        assert not more
        self.history.invoke(one)
        self.history.end(one, outcome, done)
        return one

    def booked(self, booking: str, start: str, **more: Any) -> None:
        """An acknowledged booking."""
        self.told("book", start, answer={"booking_id": booking}, **more)

    def shows(self, booking: str, start: str, **more: Any) -> None:
        """A row of the doctor's day."""
        row = {"booking_id": booking, "start": start, "end": start[:14] + "05:00Z"}
        self.shown.append(row | {"status": "booked", "patient_id": "pat_1"} | more)

    def problems(self) -> list[str]:
        """What the check says."""
        findings = Findings()
        judge_slots(self.history, findings)
        judge_order(self.history, findings)
        judge_bookings(self.history, {PRV: self.shown}, findings)
        return findings.problems


def lawful(script: Script) -> None:
    """Booked, refused to another, moved, cancelled, taken by the other."""
    script.booked("bkg_1", NINE)
    script.told("book", NINE, patient="pat_2", outcome=FAIL, code="slot_unavailable")
    script.told("move", TEN, subject="bkg_1")
    script.booked("bkg_2", NINE, patient="pat_2")
    script.told("cancel", TEN, subject="bkg_1")
    script.told("hold", TEN, answer={"hold_id": "hld_1"})
    script.told("book", TEN, outcome=INFO)
    script.shows("bkg_1", TEN, status="cancelled")
    script.shows("bkg_2", NINE, patient_id="pat_2")


def lost(script: Script) -> None:
    script.booked("bkg_1", NINE)


def twice_in_the_list(script: Script) -> None:
    script.booked("bkg_1", NINE)
    script.shows("bkg_1", NINE)
    script.shows("bkg_1", NINE)


def two_owners(script: Script) -> None:
    script.booked("bkg_1", NINE)
    script.booked("bkg_2", NINE, patient="pat_2")
    script.shows("bkg_1", NINE)
    script.shows("bkg_2", NINE, patient_id="pat_2")


def refused_though_free(script: Script) -> None:
    script.told("book", NINE, outcome=FAIL, code="slot_unavailable")


def cancellation_undone(script: Script) -> None:
    script.booked("bkg_1", NINE)
    script.told("cancel", NINE, subject="bkg_1")
    script.shows("bkg_1", NINE)


def cancelled_without_a_request(script: Script) -> None:
    script.booked("bkg_1", NINE)
    script.shows("bkg_1", NINE, status="cancelled")


def at_another_time(script: Script) -> None:
    script.booked("bkg_1", NINE)
    script.shows("bkg_1", TEN)


def a_ghost(script: Script) -> None:
    script.told("book", NINE, outcome=FAIL, code="hold_limit")
    script.shows("bkg_1", NINE)


def an_older_version(script: Script) -> None:
    script.told("book", NINE, answer={"booking_id": "bkg_1", "version": 7})
    script.told("book", TEN, answer={"booking_id": "bkg_2", "version": 7})
    script.shows("bkg_1", NINE)
    script.shows("bkg_2", TEN)


def test_a_lawful_history_passes() -> None:
    """No false alarm: refusals, moves, cancels, unanswered wishes are lawful."""
    script = Script()
    lawful(script)
    assert script.problems() == []


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (lost, "acknowledged and lost"),
        (twice_in_the_list, "2 times"),
        (two_owners, "no order explains"),
        (refused_though_free, "no order explains"),
        (cancellation_undone, "undone"),
        (cancelled_without_a_request, "cancelled without a request"),
        (at_another_time, "but shown as"),
        (a_ghost, "without an answer or a wish"),
        (an_older_version, "after"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_each_broken_promise_is_found(
    broken: Callable[[Script], None], words: str
) -> None:
    """A check that could not fail would prove nothing."""
    script = Script()
    broken(script)
    assert any(words in problem for problem in script.problems()), script.problems()


def test_a_history_is_read_back_from_its_file(tmp_path: Path) -> None:
    """What has no end in the file, or a torn one, is unknown."""
    path = tmp_path / "history.jsonl"
    history = History(path)
    for number in range(3):
        made = Operation(0, "pat_1", "book", PRV, NINE, "", f"k{number}", float(number))
        history.invoke(made)
    history.end(history.operations[0], OK, 5.0)
    history.end(history.operations[2], OK, 6.0)
    history.close()
    path.write_bytes(path.read_bytes()[:-20])
    read = read_history(path)
    assert [one.outcome for one in read.operations] == [OK, INFO, INFO]
    assert read.operations[0].done == 5.0
