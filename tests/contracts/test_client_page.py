"""The example of docs/client.md runs as it stands there."""

from __future__ import annotations

import asyncio
import re
import sys

from tests.fakes.live_api import open_live_api
from tests.fixtures.server import ROOT, clean_environment

TOPIC = "slots/prv_1/consult/2026-W33"


async def test_the_example_books_sees_and_cancels() -> None:
    """Against a real gateway, with nothing but what the page says to set."""
    page = (ROOT / "docs" / "client.md").read_text("utf-8")
    (program,) = re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    async with open_live_api() as api:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", program),
            cwd=ROOT,
            env=clean_environment(
                SLOTCAST_URL=api.url,
                SLOTCAST_TOKEN=api.api.token("patient", "pat_1"),
                TOPIC=TOPIC,
            ),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await process.communicate()
    lines = out.decode().splitlines()
    assert process.returncode == 0, lines
    assert len(lines) == 2, lines
    assert re.fullmatch(r"2026-08-1\dT\d\d:\d\d:00Z free -> booked", lines[0])
    assert lines[1] == f"{lines[0].split()[0]} is free again"
