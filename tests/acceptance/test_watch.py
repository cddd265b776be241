"""``slotcast watch`` beside a real server: it finds it by the data folder."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from tests.fixtures.server import (
    ROOT,
    ServerProcess,
    clean_environment,
    http_get,
    http_post,
)
from tests.wall_clock import packaged_zone

pytestmark = pytest.mark.acceptance


def test_it_finds_the_server_and_outlives_it(tmp_path: Path) -> None:
    """A booking shows; a stop and a start of the server are two plain lines, and what
    was booked stands; Ctrl-C ends with 0."""
    with ServerProcess(tmp_path / "data") as server:
        server.start()
        page = http_get(server.line_to_try()).json()
        start = next(s["start"] for s in page["slots"] if s["state"] == "free")
        week = _week(start, page["time_zone"])
        topic = f"slots/{page['provider_id']}/{page['visit_type']}/{week}"
        watching = subprocess.Popen(
            [sys.executable, "-m", "cluster", "watch", topic, "--json"],
            cwd=ROOT,
            env=clean_environment(SLOTCAST_DATA=str(server.data)),
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert watching.stdout is not None
            lines = (json.loads(line) for line in watching.stdout)
            first = next(lines)
            assert (first["event"], first["topic"]) == ("snapshot", topic)
            slot = {"provider_id": page["provider_id"], "start": start}
            answer = http_post(
                f"{server.url}/v1/bookings",
                json={**slot, "visit_type": page["visit_type"]},
                headers={"Authorization": f"Bearer {server.token('patient', 'pat_9')}"},
            )
            assert answer.status_code == 201, answer.text
            seen = next(lines)
            assert (seen["start"], seen["new"]) == (start, "booked")
            assert seen["version"] == answer.json()["version"]
            assert server.stop() == 0
            assert _next_of("lost", lines)["detail"].startswith("connection lost (the")
            server.start()
            _next_of("connected", lines)
            watching.send_signal(signal.SIGINT)
            assert watching.wait(30) == 0
        finally:
            watching.kill()
            watching.communicate(timeout=30)


def _next_of(kind: str, lines: Iterator[dict[str, str]]) -> dict[str, str]:
    for told in lines:
        if told["event"] == kind:
            return told
    raise AssertionError(f"no {kind!r}")


def _week(start: str, time_zone: str) -> str:
    """The week in which the provider's own calendar has this instant."""
    local = datetime.fromisoformat(start).astimezone(packaged_zone(time_zone))
    year, week, _ = local.isocalendar()
    return f"{year}-W{week:02}"
