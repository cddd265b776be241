"""The file of revocations, while versions share it that know different kinds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from actors.domain.ids import Millis
from care.sharing import Revocation, RevocationKind
from persistence.shared.revocations_file import FileRevocations
from tests import factories as make
from tests.fakes.clocks import SteppedClock

LATER = Millis(make.NOW + 3_600_000)
NEWER = (
    b'{"kind":"device","value":"dev_1","at":%d,"until":%d,"place":"a new field"}'
    % (make.NOW, LATER)
)
"""A line of a version that knows more."""
BROKEN = b"no revocation"


async def test_a_file_of_a_newer_version_hides_nothing_and_loses_nothing(
    tmp_path: Path,
) -> None:
    """What is known is learned, though lines beside it are not; adding another keeps
    the bytes of all; the standing tells of what is no revocation."""
    path = tmp_path / "revocations.jsonl"
    known = Revocation(RevocationKind.SESSION, "ses_1", make.NOW, LATER)
    mine = b'{"kind":"session","value":"ses_1","at":%d,"until":%d}' % (make.NOW, LATER)
    path.write_bytes(b"\n".join([NEWER, BROKEN, mine]) + b"\n")
    store = FileRevocations(path, SteppedClock(make.NOW))
    learned = asyncio.Queue[Sequence[Revocation]]()
    following = asyncio.ensure_future(store.follow(learned.put_nowait))
    found = await learned.get()
    newer = Revocation("device", "dev_1", make.NOW, LATER)
    assert set(found) == {known, newer}
    assert "no revocation: 1" in store.standing().detail
    assert not store.standing().ok
    other = Revocation(RevocationKind.GRANT, "mem_1", make.NOW, LATER)
    await store.add(other)
    assert {known, newer, other} == set(await learned.get())
    following.cancel()
    await asyncio.wait([following])
    assert set(path.read_bytes().splitlines()) >= {NEWER, BROKEN, mine}
    assert len(path.read_bytes().splitlines()) == 4


async def test_a_file_that_is_well_again_is_no_trouble(tmp_path: Path) -> None:
    """Also one that was away."""
    path = tmp_path / "revocations.jsonl"
    path.mkdir()
    store = FileRevocations(path, SteppedClock(make.NOW))
    learned = asyncio.Queue[Sequence[Revocation]]()
    following = asyncio.ensure_future(store.follow(learned.put_nowait))
    while store.standing().ok:  # noqa: ASYNC110 - the suite's deadline holds
        await asyncio.sleep(0.001)
    path.rmdir()
    await store.add(Revocation(RevocationKind.TOKEN, "t", make.NOW, LATER))
    await learned.get()
    await asyncio.sleep(0)
    assert store.standing().ok
    following.cancel()
    await asyncio.wait([following])
