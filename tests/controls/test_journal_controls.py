"""The crash checks can fail: each removes one safeguard and must be caught."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from actors.errors import JournalCorrupt
from persistence.journal.files import format as wal_format
from persistence.journal.files import reader as wal_reader
from persistence.journal.files.fence import Fence
from persistence.journal.files.tail import Tail
from persistence.journal.files.wal import Wal
from tests.crash.model import Run
from tests.simulation.sim_disk import SimDisk

SEEDS = 2000
Breaking = Callable[[pytest.MonkeyPatch], None]


def _no_checksum(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(wal_format, "frame_is_sound", lambda *_: True)
    patch.setattr(wal_reader, "frame_is_sound", lambda *_: True)


def _no_cut(patch: pytest.MonkeyPatch) -> None:
    settle = Wal._settle

    def without_cut(self: Wal, segment: int, tail: Tail) -> None:
        uncut = Tail(
            base=tail.base,
            end=tail.end,
            seq=tail.seq,
            epoch=tail.epoch,
            size=tail.size,
            torn=0,
            unsynced=tail.unsynced,
            crc=tail.crc,
        )
        settle(self, segment, uncut)

    patch.setattr(Wal, "_settle", without_cut)


def _no_fence(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Fence, "check", lambda *_: None)


def _no_sync(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(SimDisk, "sync", lambda *_: None)


def _no_folder_sync(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(SimDisk, "sync_folder", lambda *_: None)


def _trusting_what_was_never_synced(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Wal, "_settle", lambda self, _, tail: _set_room(self, tail))


def _set_room(wal: Wal, tail: Tail) -> None:
    wal._room = tail.end


def _no_rewrite(patch: pytest.MonkeyPatch) -> None:
    settle = Wal._settle

    def without_rewrite(self: Wal, segment: int, tail: Tail) -> None:
        settle(self, segment, _with(tail, unsynced=b""))

    patch.setattr(Wal, "_settle", without_rewrite)


def _with(tail: Tail, *, unsynced: bytes) -> Tail:
    fields = {name: getattr(tail, name) for name in tail.__struct_fields__}
    return Tail(**{**fields, "unsynced": unsynced})


def _poison_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Wal, "_refuse_if_poisoned", lambda _: None)


def _is_caught() -> bool:
    for seed in range(SEEDS):
        try:
            Run(seed).go(25)
        except (AssertionError, JournalCorrupt, pytest.fail.Exception):
            return True
    return False


@pytest.mark.parametrize(
    "breaking",
    [
        _no_checksum,
        _no_cut,
        _no_fence,
        _no_sync,
        _no_folder_sync,
        _trusting_what_was_never_synced,
        _no_rewrite,
    ],
)
def test_a_removed_safeguard_is_caught(
    breaking: Breaking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it, some seed loses, invents or corrupts a record."""
    breaking(monkeypatch)
    assert _is_caught()
