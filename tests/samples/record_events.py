"""Writes the recorded samples of the newest version, once, when it is new.

Run as ``python -m tests.samples.record_events``. Samples of a version are never
written again: they stand for journals that exist.
"""

from __future__ import annotations

from pathlib import Path

from persistence import codec
from tests.fixtures.events import one_of_each

EVENTS = Path(__file__).parent / "events"


def record(folder: Path) -> list[Path]:
    """Write one file per event type; those that exist stay as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, event in one_of_each().items():
        path = folder / f"{name}.bin"
        if not path.exists():
            path.write_bytes(codec.encode(event))
            written.append(path)
    return written


if __name__ == "__main__":
    record(EVENTS / f"v{codec.VERSION}")
