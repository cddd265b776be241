"""The live benchmarks run small and tell the truth: all frames arrive, none is lost.

What they measure is not looked at here; that they measure what they say is. One server
for all of them, a part of its providers for each.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks import (
    bench_fanout,
    bench_growth,
    bench_hold,
    bench_hot,
    bench_memory,
    bench_peak,
    bench_sight,
    bench_stalled,
    bench_storm,
    plots,
)
from tests.benchmarks.live_site import LiveSite, live_site

pytestmark = pytest.mark.acceptance
WATCHERS = 60
EACH = 10
"""Providers of each row."""
ROWS = ("growth", "sight", "hot", "stalled", "storm", "hold", "peak", "memory")


@pytest.fixture(scope="module")
def site() -> Iterator[LiveSite]:
    with live_site(EACH * len(ROWS)) as made:
        yield made


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """As little waiting as will do."""
    monkeypatch.setattr(bench_sight, "WARM_S", 0.5)
    monkeypatch.setattr(bench_storm, "AWAY_S", 0.5)
    monkeypatch.setattr(bench_storm, "AFTER_S", 0.2)
    for module in (bench_growth, bench_hold, bench_memory):
        monkeypatch.setattr(module, "SETTLE_S", 0.1)
    monkeypatch.setattr(bench_memory, "MESSAGES", 1)


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """What the rows told, for the plots."""
    return {}


def part(site: LiveSite, row: str) -> LiveSite:
    return site.part(EACH * ROWS.index(row), EACH)


def all_there(counts: dict[str, Any], watchers: int = WATCHERS) -> bool:
    there = (counts["joined"], counts["lost"], counts["refused"], counts["closes"])
    return there == (watchers, 0, {}, {})


def is_whole(sight: dict[str, Any], changes: int, watchers: int) -> bool:
    """Whether every one of so many watchers of each change saw it once."""
    told = (sight["changes"], sight["unseen"], sight["seen_twice"])
    return told == (changes, 0, 0) and sight["changes_seen"] == changes * watchers


def test_every_change_is_seen_once_by_each_of_its_watchers(
    site: LiveSite, found: dict[str, Any]
) -> None:
    """Ten providers, sixty watchers: each change comes to six, none twice."""
    row = found["sight"] = bench_sight.measure(part(site, "sight"), WATCHERS, 20, 2)
    assert set(row["answers"]) == {"200", "201"}
    assert is_whole(row["sight"], 40, WATCHERS // EACH)
    assert row["sight"]["frames_delivered"] <= 40 * WATCHERS // EACH
    assert all_there(row["crowd"])
    shares = [share for share, _ in row["quantiles_ms"]]
    within = [ms for _, ms in row["quantiles_ms"]]
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert within == sorted(within)
    assert row["sight"]["ms"]["max"] == pytest.approx(within[-1], abs=0.01)


def test_frames_that_bring_several_changes_are_counted_so(
    site: LiveSite, found: dict[str, Any]
) -> None:
    """Fast changes on few topics: by whatever number of frames, all are covered, the
    seconds add up, and all end at the newest version."""
    row = found["hot"] = bench_hot.measure(part(site, "hot"), WATCHERS, 150, 2)
    assert is_whole(row["sight"], 300, WATCHERS // EACH)
    assert sum(row["series"]["frames"]) <= row["sight"]["frames_delivered"]
    assert row["deltas_encoded"] <= 300
    assert row["everybody_had_the_last"]["behind"] == 0
    assert all_there(row["crowd"])


def test_who_stalls_is_owed_and_comes_to_the_newest(
    site: LiveSite, found: dict[str, Any]
) -> None:
    """One in ten stops reading; the others see everything, and it catches up."""
    row = found["stalled"] = bench_stalled.measure(
        part(site, "stalled"), WATCHERS, 50, 2
    )
    assert row["stalled"] == WATCHERS // EACH
    for name in ("others_before", "others_during"):
        # A change of the topic that only the stalled watch has no other watcher.
        assert (row[name]["unseen"], row[name]["seen_twice"]) == (0, 0)
        assert row[name]["changes_seen"] == 90 * WATCHERS // EACH
    assert row["closed_by_the_server"] == 0
    assert row["everybody_had_the_last"]["behind"] == 0
    assert all_there(row["crowd"])


def test_a_storm_asks_no_shard_and_leaves_nobody_behind(
    site: LiveSite, found: dict[str, Any]
) -> None:
    """All come back, resumed from the ring or shown a snapshot that is encoded once for
    each position, without a request to a shard."""
    kinds = ["resume", "snapshot"]
    mine = part(site, "storm")
    row = found["storm"] = bench_storm.measure(mine, WATCHERS, 20, kinds)
    for kind, storm in row["storms"].items():
        assert (storm["back"], storm["failed"]) == (WATCHERS, 0), kind
        assert storm["topic_reads"] == storm["shard_requests_of_resumes"] == 0
        assert storm["everybody_had_the_last"]["behind"] == 0
        assert storm["changes"] == storm["changes_asked"] >= 20
    resume, snapshot = row["storms"]["resume"], row["storms"]["snapshot"]
    assert resume["resumes"]["ring"] > 0
    assert resume["snapshots_encoded"] == 0
    assert snapshot["resumes"]["snapshot"] == WATCHERS
    assert snapshot["snapshots_encoded"] <= snapshot["positions_shown"]
    assert row["crowd"]["lost"] == 0


def test_a_hold_tells_of_every_gateway(site: LiveSite, found: dict[str, Any]) -> None:
    """Processor time and memory of the process that serves, and no watcher lost."""
    row = bench_hold.measure(part(site, "hold"), WATCHERS, 0.05)
    found["hold"] = {"one": row}
    assert all(len(each) == row["gateways"] == 1 for each in row["series"]["cores"])
    assert row["open_files"][0] > WATCHERS
    assert row["idle_cores"] > 0
    assert row["a_change_to_all_at_the_end"]["behind"] == 0
    assert all_there(row["crowd"])


def test_bookings_at_a_fixed_rate_are_all_told(
    site: LiveSite, found: dict[str, Any]
) -> None:
    """So many bookings a second, each acknowledged, timed and seen."""
    row = bench_peak.measure(part(site, "peak"), WATCHERS, 40, 2)
    found["peak"] = {"providers_10": row}
    assert row["answers"] == {"201": 80}
    assert sum(row["series"]["answers"]["answers"]) == 80
    assert is_whole(row["sight"], 80, WATCHERS // EACH)
    assert row["answer_ms"]["p50"] > 0
    assert all_there(row["crowd"])


def test_memory_is_told_by_step(site: LiveSite, found: dict[str, Any]) -> None:
    """Each step holds as many watchers as it says."""
    mine = bench_memory.ours(part(site, "memory"))
    found["memory"] = {"slotcast": bench_memory.measure(mine, [20, 40, WATCHERS])}
    row = found["memory"]["slotcast"]
    assert (row["joined"], row["lost"]) == (WATCHERS, 0)
    assert [one["watchers"] for one in row["samples"]] == [20, 40, WATCHERS]
    assert all(one["rss"] >= one["pss"] > 0 for one in row["samples"])


def test_growth_counts_every_message(site: LiveSite, found: dict[str, Any]) -> None:
    """A change to all is as many messages as there are watchers of it."""
    effort = bench_growth.Effort(0.2, 2)
    mine = part(site, "growth").part(0, 1)
    few = bench_growth.by_watchers(mine, [30, WATCHERS], effort)
    count = len(site.providers)
    more = bench_growth.by_providers(site, [count], WATCHERS, effort)
    found["growth"] = {"watchers": few, "providers": more}
    assert [one["messages"] for one in few] == [2 * 30, 2 * WATCHERS]
    assert [one["messages"] for one in more] == [2 * WATCHERS / 2]
    assert all(one["lost"] == 0 for one in (*few, *more))


def test_a_change_to_all_is_delivered_to_all(
    found: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ours and the plain way; every message is counted."""
    for name, value in (("CHANGES", 3), ("EVERY_S", 0.6), ("IDLE_S", 0.2)):
        monkeypatch.setattr(bench_fanout, name, value)
    servers = {
        f"{name}_{WATCHERS}": bench_fanout.measure(name, WATCHERS)
        for name in ("slotcast", "starlette")
    }
    found["fanout"] = servers
    for one in servers.values():
        told = (one["joined"], one["lost"], one["delivered"])
        assert told == (WATCHERS, 0, 3 * WATCHERS)


def test_every_row_has_a_plot(found: dict[str, Any], tmp_path: Path) -> None:
    """What the rows told can be drawn from a file of it, and drawn the same again."""
    path = tmp_path / "live.json"
    path.write_text(json.dumps(found))
    drawn = plots.draw(path)
    live = plots.ROWS.keys() - {"searches"}  # a bench of its own, on a site of its own
    assert {one.name for one in drawn} == {f"live-{name}.svg" for name in live}
    first = [one.read_bytes() for one in drawn]
    assert [one.read_bytes() for one in plots.draw(path)] == first
