"""``slotcast watch`` as a process beside a gateway: what it prints, how it ends."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.live_api import LiveApi, open_live_api
from tests.fakes.live_relay import open_relay
from tests.fixtures.server import ROOT, clean_environment

WEEK = "slots/prv_1/consult/2026-W33"
SLOT: dict[str, Any] = {
    "provider_id": "prv_1",
    "visit_type": "consult",
    "start": "2026-08-10T09:00:00Z",
}
PATIENCE_S = 60.0
"""A start of the command beside other work; only a bug waits so long."""


@pytest.fixture
async def api() -> AsyncIterator[LiveApi]:
    async with open_live_api() as opened:
        yield opened


class Watching:
    """One process and its lines."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []

    async def until(self, text: str) -> str:
        """Read on until a line has this text."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            while line := (await self.process.stdout.readline()).decode():
                self.lines.append(line.rstrip("\n"))
                if text in line:
                    return self.lines[-1]
        raise AssertionError(f"no {text!r} in {self.lines}: {await self.said()}")

    async def said(self) -> str:
        assert self.process.stderr is not None
        return (await self.process.stderr.read()).decode()

    async def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(number)
        async with asyncio.timeout(PATIENCE_S):
            return await self.process.wait()


@asynccontextmanager
async def watching(*words: str, **settings: str) -> AsyncIterator[Watching]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cluster", "watch", *words),
        cwd=ROOT,
        env=clean_environment(TZ="UTC", **settings),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield Watching(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_a_person_sees_content_then_changes(api: LiveApi) -> None:
    """The week by day, a booking as it is made; Ctrl-C ends with 0 and no trace."""
    async with (
        watching(WEEK, "--url", api.url) as shown,
        api.client("patient", "pat_1") as patient,
    ):
        assert (await shown.until(WEEK)).startswith(f"{WEEK}  112 free, at ")
        assert "  Mon 10 Aug free   09:00 09:30" in await shown.until("10 Aug")
        booked = await patient.ask("book", key="k1", **SLOT)
        line = await shown.until("->")
        position = f"at {booked['body']['epoch']}.{booked['body']['version']}"
        assert line.endswith(f"  Mon 10 Aug 09:00  free -> booked  {position}")
        assert await shown.stop() == 0
        assert await shown.said() == ""


async def test_a_lost_line_is_told_and_found_again(api: LiveApi) -> None:
    """What changed meanwhile comes as changes, not as content again."""
    async with (
        open_relay(f"ws://127.0.0.1:{api.port}/v1/live") as relay,
        watching(WEEK, "--url", relay.url) as shown,
        api.client("patient", "pat_1") as patient,
    ):
        await shown.until("14 Aug")
        relay.cut()
        await shown.until("connection lost (the connection broke); again in")
        await patient.ask("hold", key="k1", **SLOT)
        await shown.until("connected again")
        await shown.until("09:00  free -> held")
        assert await shown.stop(signal.SIGTERM) == 0


async def test_programs_get_a_json_object_a_line(api: LiveApi, tmp_path: Path) -> None:
    """Signed in by a file; several topics; the token is in no line."""
    token = api.api.token("patient", "pat_1")
    path = tmp_path / "token"
    path.write_text(f"{token}\n")
    words = (WEEK, "me", "--json", "--url", api.url, "--token-file", str(path))
    async with watching(*words) as shown, api.client("patient", "pat_1") as patient:
        await shown.until('"topic": "me"')
        if not any(f'"topic": "{WEEK}"' in line for line in shown.lines):
            await shown.until(f'"topic": "{WEEK}"')
        await patient.ask("book", key="k1", **SLOT)
        await shown.until('"booking_id"')
        if not any('"start": "2026' in line for line in shown.lines[2:]):
            await shown.until('"start": "2026')
        assert await shown.stop() == 0
    told = [json.loads(line) for line in shown.lines]
    kinds = [one["event"] for one in told]
    assert sorted(kinds[:3]) == ["signed_in", "snapshot", "snapshot"]
    assert {(one["topic"], one["new"]) for one in told if one["event"] == "change"} == {
        (WEEK, "booked"),
        ("me", "booked"),
    }
    assert token not in "\n".join(shown.lines)


async def test_a_reader_who_has_enough_ends_it(api: LiveApi) -> None:
    """A closed pipe is an end like another: 0, and no complaint."""
    async with (
        watching(WEEK, "--url", api.url) as shown,
        api.client("patient", "pat_1") as patient,
    ):
        await shown.until("14 Aug")
        assert shown.process.stdout is not None
        shown.process.stdout._transport.close()  # type: ignore[attr-defined]
        await patient.ask("hold", key="k1", **SLOT)
        async with asyncio.timeout(PATIENCE_S):
            assert await shown.process.wait() == 0
        assert await shown.said() == ""


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("me",), 2, "me cannot be watched: "),
        (("nonsense",), 2, "nonsense cannot be watched: "),
        (("schedule/prv_1", "--token", "nonsense"), 2, "The token is not accepted: "),
        ((WEEK, "--token", "a", "--token-file", "b"), 2, "Give either --token or"),
        ((WEEK, "--token-file", "/no/such/file"), 2, "cannot be read"),
        ((WEEK, "--url", "ftp://nowhere"), 2, "There is no live socket at"),
    ],
)
async def test_troubles_are_sentences(
    api: LiveApi, words: tuple[str, ...], code: int, said: str
) -> None:
    """What is wrong and what to do, an exit code, and never a traceback."""
    url = () if "--url" in words else ("--url", api.url)
    async with watching(*words, *url) as shown:
        told = await shown.said()
        assert await shown.process.wait() == code
    assert said in told
    assert "Traceback" not in told
    assert len(told.strip().splitlines()) <= 2


async def test_the_week_may_be_left_out(api: LiveApi) -> None:
    """Slots without a week are those of the current one."""
    async with watching("slots/prv_1/consult", "--url", api.url) as shown:
        before = datetime.now(UTC).isocalendar()
        line = await shown.until("slots/prv_1/consult/")
        after = datetime.now(UTC).isocalendar()
        weeks = {f"{year}-W{week:02}" for year, week, _ in (before, after)}
        assert any(week in line for week in weeks)


async def test_nobody_answers(tmp_path: Path) -> None:
    """The data folder names no server: it says where it looked, and what to do."""
    settings = {"SLOTCAST_DATA": str(tmp_path / "none"), "SLOTCAST_PORT": "9"}
    async with watching(WEEK, **settings) as shown:
        told = await shown.said()
        assert await shown.process.wait() == 2
    assert "No server answers at ws://127.0.0.1:9/v1/live: " in told
    assert "slotcast serve" in told
