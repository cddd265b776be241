"""Workers killed in the middle of telling: a real mail server sees each thing once."""

from __future__ import annotations

import asyncio
import re
import sys
from collections import defaultdict
from email import message_from_bytes, policy
from pathlib import Path
from random import Random
from typing import Any

from aiosmtpd.controller import Controller

from tests.benchmarks.bench_notices import fill
from tests.fixtures.patients import PATIENCE_S
from tests.fixtures.reserved import free_port
from tests.fixtures.server import ROOT

NOTICES = 100
LEASE_S = 61
"""A new worker's clock is so much later: what the dead one had claimed is due."""
_UID = re.compile(r"UID:(\S+)")


class Mailbox:
    """What the server was given: Message-ID -> the visits that its mails are about."""

    def __init__(self) -> None:
        self.mails: dict[str, list[str]] = defaultdict(list)
        self.count = 0

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        mail = message_from_bytes(envelope.content, policy=policy.default)
        (calendar,) = (
            part for part in mail.walk() if part.get_content_type() == "text/calendar"
        )
        found = _UID.search(str(calendar.get_content()))
        assert found is not None
        self.mails[str(mail["Message-ID"])].append(found[1])
        self.count += 1
        return "250 taken"


async def test_each_booking_is_told_under_one_message_id(tmp_path: Path) -> None:
    """However often the worker is killed: all arrive, and a mail that came twice has
    the same Message-ID, by which mail programs show it once."""
    chance = Random(11)
    await fill(tmp_path, NOTICES)
    box = Mailbox()
    server = Controller(box, hostname="127.0.0.1", port=free_port())
    server.start()
    try:
        for life in range(NOTICES):
            if len(box.mails) == NOTICES:
                break
            wanted = min(NOTICES, len(box.mails) + chance.randint(1, 40))
            await _live(tmp_path, server.port, LEASE_S * life, box, wanted)
    finally:
        server.stop()
    assert len(box.mails) == NOTICES
    visits = [set(about) for about in box.mails.values()]
    assert all(len(about) == 1 for about in visits)
    assert len(set.union(*visits)) == NOTICES


async def _live(
    folder: Path, port: int, seconds: int, box: Mailbox, wanted: int
) -> None:
    """A worker that is killed once the server has so many mails."""
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.crash.notices_worker"),
        *(str(folder), str(port), str(seconds)),
        cwd=ROOT,
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            while len(box.mails) < wanted:
                assert worker.returncode is None
                await asyncio.sleep(0.002)
    finally:
        worker.kill()
        await worker.wait()
