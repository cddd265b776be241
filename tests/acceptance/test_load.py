"""``python -m loadtests.load`` as people run it: small, whole, with two Locusts."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from cluster.site.run_file import ProcessMark, living, mark_of
from tests.fixtures.server import ROOT, clean_environment

pytestmark = pytest.mark.acceptance

USERS, SLOTS, PROCESSES = 60, 10, 2
WITHIN_S = 120.0
ENDED_WITHIN_S = 60.0
IMPOSSIBLE = """
[release]
[release.latency]
booking = { p99 = 0.02 }
[release.at_least]
"live: change to sight" = 1
"""


def command(results: Path, seconds: int, *more: str) -> list[str]:
    words = [sys.executable, "-m", "loadtests.load", "release"]
    words += ["--users", str(USERS), "--slots", str(SLOTS), "--seconds", str(seconds)]
    words += ["--processes", str(PROCESSES), "--results", str(results), "--seed", "7"]
    return [*words, *more]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One run with a budget that cannot be kept, and all that it left."""
    folder = tmp_path_factory.mktemp("load")
    (folder / "budgets.toml").write_text(IMPOSSIBLE)
    done = subprocess.run(
        command(folder / "results", 6, "--budgets", str(folder / "budgets.toml")),
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    said = done.stdout + done.stderr
    [results] = (folder / "results").iterdir()
    assert (results / "report.json").exists(), said
    report = json.loads((results / "report.json").read_text())
    return {"code": done.returncode, "said": said, "folder": results, "report": report}


def test_a_broken_budget_fails_the_run_with_its_sentence(run: dict[str, Any]) -> None:
    [complaint] = run["report"]["complaints"]
    assert complaint.startswith("release: booking p99 was ")
    assert complaint.endswith(", the budget is 0.02 ms.")
    assert complaint in run["said"]
    assert run["code"] == 1


def test_every_invariant_holds(run: dict[str, Any]) -> None:
    found = {one["name"]: one for one in run["report"]["invariants"]}
    assert len(found) == 6
    assert all(one["holds"] for one in found.values()), found
    winners = f"{SLOTS} bookings of {SLOTS} people for {SLOTS} slots"
    assert found["exactly the winners"]["sentence"] == winners
    views = f"{USERS} views of {USERS} watchers"
    assert found["every watcher's view equals a fresh read"]["sentence"] == views


def test_everybody_watched_and_went_for_the_slots(run: dict[str, Any]) -> None:
    """Nothing failed, all of both Locusts' people were there, and saw changes."""
    figures = {row["name"]: row for row in run["report"]["figures"]}
    assert figures["live: first paint"]["count"] == USERS
    assert figures["booking"]["count"] >= USERS
    assert figures["booked"]["count"] == SLOTS
    assert sum(row["failed"] for row in figures.values()) == 0
    assert "live: gap" not in figures
    # The opening of the day was seen by all, and bookings by many.
    assert figures["live: change to sight"]["count"] > USERS
    assert run["report"]["notes"]["opening"]["status"] == 200


def test_live_events_are_in_locusts_own_tables(run: dict[str, Any]) -> None:
    table = (run["folder"] / "locust_stats.csv").read_text()
    for name in ("live: change to sight", "live: connect", "live: first paint"):
        assert f"live,{name}," in table
    assert "live: change to sight" in (run["folder"] / "locust.html").read_text()


def test_the_report_has_plots(run: dict[str, Any]) -> None:
    page = (run["folder"] / "report.html").read_text()
    assert page.count("<svg") >= 6
    assert run["report"]["complaints"][0] in page


def test_results_hold_no_token(run: dict[str, Any]) -> None:
    """The plan with all tokens is gone; what is left contains no secret."""
    for path in run["folder"].iterdir():
        assert "eyJ" not in path.read_text("utf-8"), path.name


def locusts(tree: list[psutil.Process]) -> int:
    """How many of these processes are Locust's."""
    count = 0
    for process in tree:
        try:
            count += "locustfile.py" in " ".join(process.cmdline())
        except psutil.Error:
            continue  # it ended between two looks
    return count


def marks_of(tree: list[psutil.Process]) -> list[ProcessMark]:
    """Those that are there; some of Ray's live for a moment."""
    marks = []
    for one in tree:
        with suppress(psutil.Error):
            marks.append(mark_of(one))
    return marks


def survivors(marks: list[ProcessMark]) -> list[str]:
    """Who is still there; an agent of Ray's looks for its node every few seconds."""
    deadline = time.monotonic() + ENDED_WITHIN_S
    while True:
        alive = [mark.name for mark in marks if living(mark)]
        if not alive or time.monotonic() > deadline:
            return alive
        time.sleep(0.1)


def test_ctrl_c_stops_everything_that_was_started(tmp_path: Path) -> None:
    """The server, its shards, Locust and its workers."""
    said = tmp_path / "said"
    with said.open("w") as output:
        process = subprocess.Popen(
            command(tmp_path / "results", 60),
            cwd=ROOT,
            env=clean_environment(TMPDIR=str(tmp_path)),
            stdout=output,
            stderr=output,
        )
    try:
        own = psutil.Process(process.pid)
        tree = [own]
        deadline = time.monotonic() + WITHIN_S
        while locusts(tree[1:]) < PROCESSES + 1:
            assert time.monotonic() < deadline, said.read_text()
            assert process.poll() is None, said.read_text()
            time.sleep(0.2)
            tree = [own, *own.children(recursive=True)]
        marks = marks_of(tree)
        process.send_signal(signal.SIGINT)
        assert process.wait(WITHIN_S) == 130, said.read_text()
        assert survivors(marks) == []
        assert "everything that was started has been stopped" in said.read_text()
        left = list(tmp_path.glob("slotcast-*"))
        assert left == [], "the plan and the data are gone"
    finally:
        if process.poll() is None:  # a failed test leaves nothing behind either
            process.terminate()
            process.wait(WITHIN_S)
