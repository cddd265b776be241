"""The watcher of the load tests follows the wire's rule for deltas."""

import pytest

from loadtests.live_client import TopicView, apply_frame

NINE, TEN = "2026-12-01T09:00:00Z", "2026-12-01T10:00:00Z"


def a_view() -> TopicView:
    return TopicView(epoch=7, version=101, slots={NINE: "free", TEN: "free"})


def a_delta(
    epoch: int, first: int, version: int, *slots: list[str]
) -> dict[str, object]:
    return {
        "t": "delta",
        "epoch": epoch,
        "from": first,
        "version": version,
        "slots": list(slots),
    }


@pytest.mark.parametrize(
    ("epoch", "first", "version", "applied", "at"),
    [
        (7, 101, 105, True, 105),
        (7, 99, 105, True, 105),
        (7, 90, 101, True, 101),
        (7, 90, 100, True, 101),
        (7, 102, 105, False, 101),
        (8, 101, 105, False, 101),
    ],
)
def test_a_delta_is_applied_skipped_or_a_gap(
    epoch: int, first: int, version: int, applied: bool, at: int
) -> None:
    """Apply when the epoch is equal and from <= mine < version, skip when
    version <= mine, else subscribe again."""
    view = a_view()
    assert apply_frame(view, a_delta(epoch, first, version, [NINE, "held"])) is applied
    assert view.version == at
    assert view.slots[NINE] == ("held" if at == 105 else "free")


def test_a_slot_that_is_gone_leaves_the_view_and_may_be_unknown() -> None:
    """Removal is absolute too: an unknown slot that goes does no harm."""
    view = a_view()
    delta = a_delta(7, 101, 102, [NINE, "gone"], ["2026-12-02T09:00:00Z", "gone"])
    assert apply_frame(view, delta)
    assert view.slots == {TEN: "free"}


def test_a_snapshot_replaces_everything() -> None:
    """A snapshot of another epoch is taken whole."""
    view = a_view()
    frame = {"t": "snapshot", "epoch": 9, "version": 3, "slots": [[TEN, "booked"]]}
    assert apply_frame(view, frame)
    assert (view.epoch, view.version, view.slots) == (9, 3, {TEN: "booked"})
