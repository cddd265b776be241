"""Frames and the states they lead to: the Python client reads them as the web app does.

The same files are read by web/src/live/reduce.test.ts.
"""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from slotcast.client.frames import ServerMessage
from slotcast.client.view import TopicView

VECTORS = sorted(
    (Path(__file__).parents[1] / "samples" / "live_vectors").glob("*.json")
)


@pytest.mark.parametrize("path", VECTORS, ids=[one.stem for one in VECTORS])
def test_the_same_frames_give_the_same_states(path: Path) -> None:
    """Each frame is applied, skipped or a gap, and the view ends where it must."""
    vector = json.loads(path.read_text("utf-8"))
    view = TopicView("slots/prv_1/consult/2026-W49")
    steps = [
        type(view.apply(msgspec.convert(frame, ServerMessage))).__name__.lower()
        for frame in vector["frames"]
    ]
    assert steps == vector["steps"]
    assert list(view.position or ()) == (vector["position"] or [])
    assert view.slots == vector["slots"]
    assert view.seats_left == vector.get("seats_left", {})
    free = {key: row["next_free"] for key, row in view.members.items()}
    assert free == vector.get("members", {})
    assert list(view.listing.order) == vector.get("order", [])
