"""Changes are joined with their sights exactly, whatever a frame brings."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.benchmarks.changing import Change
from tests.benchmarks.sights import joined

TOPICS = ("slots/prv_1/visit/2026-W49", "slots/prv_2/visit/2026-W49")


def a_change(topic: str, version: int, asked: float) -> Change:
    return Change(topic, version, asked, asked, asked)


def a_frame(topic: str, before: int, version: int, at: list[float]) -> dict[str, Any]:
    us = [round(1e6 * (one - at[0])) for one in at]
    told = {"kind": "delta", "topic": topic, "epoch": 1, "from": before}
    return {**told, "version": version, "first": at[0], "us": us}


STEPS = st.lists(st.integers(1, 4), min_size=1, max_size=8)
"""By how many versions each frame goes on."""


@given(
    st.lists(st.tuples(st.sampled_from(TOPICS), STEPS), max_size=6), st.integers(1, 3)
)
def test_every_change_is_seen_by_each_watcher_whatever_the_frames(
    watched: list[tuple[str, list[int]]], watchers: int
) -> None:
    """Frames that chain from the first version to the last, cut anywhere: each change
    is covered once for each watcher, at the age of the frame that brought it."""
    changes, frames, ages = [], [], []
    ends = dict.fromkeys(TOPICS, 0)
    for topic, steps in watched:
        for step in steps:
            before, version = ends[topic], ends[topic] + step
            ends[topic] = version
            at = 100.0 + version
            for one in range(before + 1, version + 1):
                changes.append(a_change(topic, one, float(one)))
                ages += [at - one] * watchers
            frames.append(a_frame(topic, before, version, [at] * watchers))
    found = joined(changes, frames, dict.fromkeys(TOPICS, watchers))
    assert (found.unseen, found.twice) == (0, 0)
    assert found.covered == len(changes) * watchers
    assert found.frames == len(frames) * watchers
    seen = sorted(float(one) for part in found.seconds for one in part)
    assert seen == sorted(ages)


def test_what_is_not_seen_and_what_is_seen_twice_is_told() -> None:
    """One watcher of two lacks a change; both have another one twice."""
    topic = TOPICS[0]
    changes = [a_change(topic, 1, 1.0), a_change(topic, 2, 2.0)]
    frames = [
        a_frame(topic, 0, 1, [5.0]),
        a_frame(topic, 1, 2, [6.0, 6.0]),
        a_frame(topic, 1, 2, [7.0, 7.0]),
    ]
    found = joined(changes, frames, {topic: 2})
    assert (found.unseen, found.twice) == (1, 2)


def test_the_newest_change_of_a_frame_gives_its_age_by_the_second() -> None:
    """A frame that brings two changes is as old as the later one."""
    topic = TOPICS[0]
    changes = [a_change(topic, 1, 10.0), a_change(topic, 2, 12.0)]
    found = joined(changes, [a_frame(topic, 0, 2, [12.5, 13.25])], {topic: 2})
    series = found.by_second(10.0, 5)
    assert series["frames"] == [0, 0, 1, 1, 0]
    assert series["covered"] == [0, 0, 2, 2, 0]
    assert series["max"] == [None, None, 500.0, 1250.0, None]


def test_snapshots_are_no_sights() -> None:
    """A snapshot shows everything; it says nothing of when a change came."""
    topic = TOPICS[0]
    frame = {**a_frame(topic, -1, 3, [5.0]), "kind": "snapshot"}
    assert joined([a_change(topic, 3, 1.0)], [frame], {topic: 1}).unseen == 1
