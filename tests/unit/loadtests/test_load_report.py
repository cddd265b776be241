"""The report of a run: all that was found is in it, and it needs nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from loadtests.load.__main__ import parser
from loadtests.load.budgets import Budgets, judge
from loadtests.load.checks import broken, kept
from loadtests.load.outcome import Outcome
from loadtests.load.page import page, write_page
from loadtests.load.plan import Doctor, Plan, read_plan
from loadtests.load.plots import plots
from loadtests.load.practice import next_monday, opened_starts, rules
from loadtests.load.tally import Tally
from loadtests.load.watching import Sample, cores
from loadtests.workload.weeks import days_of, iso_week

BEGAN = 1_700_000_000


def a_plan(scenario: str = "release") -> Plan:
    return Plan(
        scenario=scenario,
        url="http://127.0.0.1:1",
        users=60,
        seconds=10,
        processes=2,
        slots=10 if scenario == "release" else 0,
        seed=7,
        doctors=(Doctor("prv_1", "cln_1", "doctor's secret", "staff's secret"),),
        patients={"pat_1": "patient's secret"},
        visit_type="consult",
        monday="2026-11-30",
        weeks=1,
    )


def an_outcome(scenario: str = "release", *, is_good: bool = True) -> Outcome:
    tally = Tally()
    for second in range(BEGAN, BEGAN + 10):
        for number in range(20):
            tally.took("booking", 5.0 + number, second)
            tally.took("live: change to sight", 0.5 + number, second)
        tally.took("live: connect", 3.0, second)
        tally.took("booked", None, second)
        tally.took("visit", 900.0, second)
    tally.ended("booking", "slot_unavailable")
    budgets = Budgets(latency={"booking": {"p99": 100.0 if is_good else 1.0}})
    make = kept if is_good else broken
    return Outcome(
        plan=a_plan(scenario),
        began="2026-11-21 08:00 UTC",
        facts={"notes": {"opening": {"at": BEGAN + 5.0}}},
        tally=tally,
        verdicts=judge(scenario, budgets, tally),
        findings=[make("no slot given twice", "10 visits <none overlap>")],
        samples=[Sample(BEGAN + n, 0.5 * n, 10**8, 0.2 * n, 10**8) for n in range(10)],
        metrics={"slotcast_live_frames_sent": 1_234.0},
    )


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages without plots: drawing takes seconds."""
    monkeypatch.setattr("loadtests.load.page.plots", lambda _: [])


@pytest.mark.usefixtures("undrawn")
def test_a_good_run_says_so() -> None:
    text = page(an_outcome())
    assert "all invariants hold" in text
    assert "10 visits &lt;none overlap&gt;" in text, "what was found is text"
    assert "slot_unavailable × 1" in text
    assert "1,234" in text


@pytest.mark.usefixtures("undrawn")
def test_a_broken_run_says_what_is_broken() -> None:
    outcome = an_outcome(is_good=False)
    assert not outcome.passed
    assert any("the budget is 1 ms" in one for one in outcome.complaints)
    text = page(outcome)
    for complaint in outcome.complaints:
        assert complaint.split("<")[0] in text
    assert "all invariants hold" not in text


def test_the_page_needs_nothing_from_elsewhere(tmp_path: Path) -> None:
    """No script, style or image is loaded; links go to files beside it."""
    write_page(an_outcome(), tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text("utf-8")
    loaded = re.findall(r"(?:src|<link|<script|<img|@import)[^>]*", text)
    assert not loaded
    links = re.findall(r"<a href=([^>]+)>", text)
    assert links == ["locust.html", "locust_stats.csv", "report.json"]


def test_every_plot_is_an_svg_of_its_own() -> None:
    """Ids of one are not those of another, or a browser would mix their clippings."""
    drawn = dict(plots(an_outcome()))
    assert set(drawn) == {
        "Requests per second",
        "Latency, p50 and p99 of each second",
        "From a change to its sight",
        "Bookings",
        "Events sent to watchers",
        "Processor time",
        "The server's memory",
    }
    seen: set[str] = set()
    for svg in drawn.values():
        ElementTree.fromstring(svg)
        ids = set(re.findall(r'\bid="([^"]+)"', svg))
        assert ids
        assert not ids & seen
        seen |= ids


def test_a_run_in_which_nothing_happened_has_a_page() -> None:
    outcome = an_outcome()
    outcome.tally, outcome.samples = Tally(), []
    assert plots(outcome) == []
    assert "All counts" in page(outcome)


def test_the_summary_is_json_without_secrets() -> None:
    text = json.dumps(an_outcome().document())
    assert "secret" not in text
    document = json.loads(text)
    assert document["server"]["cores_mean"] == 0.5
    assert document["figures"][1]["name"] == "booking"


def test_of_a_server_elsewhere_nothing_is_claimed() -> None:
    """Its processor time and memory are not known, which is not nothing."""
    outcome = an_outcome()
    outcome.samples = [Sample(BEGAN + n, 0.0, 0, 0.2 * n, 10**8) for n in range(10)]
    text = page(outcome)
    assert "server&#x27;s" not in text
    assert "Locust&#x27;s memory" in text


@pytest.mark.usefixtures("undrawn")
def test_the_scale_of_a_national_run_is_in_its_page() -> None:
    outcome = an_outcome("national")
    assert outcome.scale.visitors == 10
    assert outcome.scale.bookings_per_minute == 60.0
    assert "10 visitors are 1 in 210,000" in page(outcome)
    assert "Scale:" not in page(an_outcome())


def test_cores_are_used_seconds_per_second() -> None:
    """A process that ended takes its time with it, which is no negative use."""
    samples = [Sample(*one, 0, 0.0, 0) for one in ((0, 1.0), (2, 4.0), (3, 3.5))]
    assert cores(samples, "server_cpu_s") == [(2, 1.5), (3, 0.0)]


def test_a_plan_is_read_as_it_was_written_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    a_plan().write(path)
    assert read_plan(path) == a_plan()
    assert path.stat().st_mode & 0o077 == 0


def test_weeks_are_as_topics_spell_them() -> None:
    plan = a_plan()
    assert plan.topics("prv_1") == ["slots/prv_1/consult/2026-W49"]
    first, last = days_of("2026-W49")
    assert (iso_week(first), str(first), str(last)) == (
        "2026-W49",
        "2026-11-30",
        "2026-12-06",
    )


def test_a_release_opens_exactly_its_slots() -> None:
    """Ten slots of five minutes from eight o'clock, on that day alone."""
    plan = a_plan()
    starts = opened_starts(plan)
    assert (len(starts), starts[0]) == (10, "2026-11-30T08:00:00Z")
    [place] = rules("consult", plan.first_day, 10)["locations"]
    assert place["weekly"] == {}
    assert place["exceptions"] == {
        "2026-11-30": [{"opens": "08:00", "closes": "08:50"}]
    }
    assert rules("consult", plan.first_day, 0)["locations"][0]["exceptions"] == {}
    with pytest.raises(ValueError, match="do not fit into a day"):
        rules("consult", plan.first_day, 200)


def test_the_booked_monday_is_at_least_two_days_away() -> None:
    plan = a_plan()
    for ahead in range(14):
        today = plan.first_day.fromordinal(plan.first_day.toordinal() - ahead)
        monday = next_monday(today)
        assert monday.weekday() == 0
        assert 2 <= (monday - today).days <= 8


@pytest.mark.parametrize(
    "words", [["--users", "0"], ["--users", "-3"], ["--seconds", "0"], ["--slots", "x"]]
)
def test_a_run_of_nobody_is_refused_at_once(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """It is not taken for the default, and nothing is started."""
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(["release", *words])
    assert ended.value.code == 2
    assert words[1] in capsys.readouterr().err


def test_the_length_of_a_run_is_what_was_measured() -> None:
    """A run that ends before its time says how long it was, and of how much."""
    outcome = an_outcome()
    first, last = outcome.tally.span
    assert outcome.document()["ran_s"] == last - first + 1
    assert f"{outcome.ran_s} s (at most" in outcome.text(Path("results"))
