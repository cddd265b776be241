"""A disk in memory that loses what was not synced, as real ones do at a power cut.

Every file has the bytes that readers see and the bytes that are durable, with the
changes between them in order; folders likewise. A crash keeps a random part of the
changes, in sectors, and may flip a bit in what was torn. A failed sync leaves the
bytes visible and forgets that they are not durable (fsyncgate).
"""

from __future__ import annotations

import errno
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

SECTOR = 16
"""Bytes that are written as one; tiny, so that small logs tear in many ways."""


class PowerCut(BaseException):
    """The machine stopped in the middle of a system call; nothing may catch it."""


class Change(Protocol):
    """What a call did to a file's bytes."""

    def __call__(self, content: bytearray, /) -> None:
        """Do it to ``content``."""
        ...


@dataclass
class File:
    """One inode."""

    number: int
    seen: bytearray = field(default_factory=bytearray)
    durable: bytearray = field(default_factory=bytearray)
    pending: list[tuple[str, int, bytes]] = field(default_factory=list)

    def change(self, kind: str, offset: int, data: bytes = b"") -> None:
        """Do something to what readers see; it becomes durable with a sync."""
        _apply(self.seen, kind, offset, data)
        self.pending.append((kind, offset, data))


@dataclass
class Fault:
    """A call that fails: the ``after``-th from now of that name."""

    call: str
    error: int
    after: int = 0
    short: int | None = None


Entry = tuple[str, str, File | None]
"""A change of a folder: what (link, unlink, rename:new), the path, the file."""


class SimDisk:
    """The simulated twin of ``SystemDisk``."""

    def __init__(self, rng: random.Random, *, free: int = 1 << 40) -> None:
        """``rng`` decides what a crash keeps; ``free`` is the room in bytes."""
        self._rng = rng
        self.free = free
        self.calls: list[str] = []
        self.on_call: Callable[[str], None] = lambda _call: None
        self.faults: list[Fault] = []
        self.cut_after: int | None = None
        self.flips = True
        self._dead = False
        self._files: dict[str, File] = {}
        self._durable: dict[str, File] = {}
        self._entries: list[Entry] = []
        self._handles: dict[int, tuple[File, str]] = {}
        self._locks: dict[int, int] = {}
        self._next = 3

    # --- what tests do -----------------------------------------------------------

    def crash(self) -> None:
        """Cut the power and come back: un-synced things are lost, in part or whole."""
        survivors = self._surviving_entries()
        for file in {id(file): file for file in survivors.values()}.values():
            self._settle(file)
        self._files = dict(survivors)
        self._durable = dict(survivors)
        self._entries = []
        self._end_processes()

    def kill(self) -> None:
        """End all processes; what they wrote is still seen, synced or not."""
        self._end_processes()

    def fail(
        self, call: str, error: int, *, after: int = 0, short: int | None = None
    ) -> None:
        """Let a call fail with ``error``; a write keeps ``short`` bytes."""
        self.faults.append(Fault(call, error, after, short))

    def content(self, path: str) -> bytearray:
        """What readers see of a file, to be looked at or damaged in place."""
        return self._files[path].seen

    def damage(self, path: str, offset: int, mask: int = 1) -> None:
        """Rot: change a byte of a file, on the medium too."""
        file = self._files[path]
        for content in (file.seen, file.durable):
            if offset < len(content):
                content[offset] ^= mask

    @property
    def has_power(self) -> bool:
        """Whether the machine still runs."""
        return not self._dead

    def paths(self) -> list[str]:
        """All files."""
        return sorted(self._files)

    # --- the port ----------------------------------------------------------------

    def make_folder(self, path: str) -> None:
        """Folders are there as soon as they are named."""
        self._step("make_folder")

    def names(self, folder: str) -> Sequence[str]:
        """Names in a folder."""
        self._alive()
        start = len(folder) + 1
        below = {
            path[start:].split("/")[0]
            for path in self._files
            if path.startswith(folder + "/")
        }
        return sorted(below)

    def open(self, path: str, *, create: bool = False, write: bool = False) -> int:
        """Open, or make."""
        self._alive()
        if path not in self._files:
            if not create:
                raise FileNotFoundError(errno.ENOENT, "no such file", path)
            self._step("create")
            self._files[path] = File(self._number())
            self._entries.append(("link", path, self._files[path]))
        handle = self._number()
        self._handles[handle] = (self._files[path], path)
        return handle

    def close(self, handle: int) -> None:
        """Close; a lock goes with it."""
        self._handles.pop(handle, None)
        self._unlock(handle)

    def size(self, handle: int) -> int:
        """Length."""
        return len(self._file(handle).seen)

    def read(self, handle: int, length: int, offset: int) -> bytes:
        """What readers see."""
        self._fault("read")
        return bytes(self._file(handle).seen[offset : offset + length])

    def write(self, handle: int, data: bytes, offset: int) -> int:
        """May be short, or be cut in the middle."""
        file = self._file(handle)
        try:
            fault = self._step("write")
        except PowerCut:
            kept = self._rng.randrange(len(data) + 1)
            file.change("write", offset, data[:kept])
            raise
        if fault is not None and fault.short is not None:
            data = data[: fault.short]
        file.change("write", offset, bytes(data))
        return len(data)

    def reserve(self, handle: int, offset: int, length: int) -> None:
        """Takes room, and lengthens with zeros."""
        file = self._file(handle)
        self._step("reserve")
        if length > self.free:
            raise OSError(errno.ENOSPC, "no room")
        file.change("reserve", offset + length)

    def truncate(self, handle: int, size: int) -> None:
        """Cut or lengthen."""
        file = self._file(handle)
        self._step("truncate")
        file.change("truncate", size)

    def sync(self, handle: int) -> None:
        """Make durable; a failed one forgets what was not."""
        file = self._file(handle)
        try:
            self._step("sync")
        except OSError:
            self._settle(file, visible=True)
            raise
        # Only what is known to be dirty: a failed sync may have lost the rest.
        for kind, offset, data in file.pending:
            _apply(file.durable, kind, offset, data)
        file.pending = []

    def sync_folder(self, path: str) -> None:
        """Make names durable."""
        self._step("sync_folder")
        prefix = path + "/"
        for entry in self._entries:
            if entry[1].startswith(prefix):
                _relink(self._durable, entry)
        self._entries = [e for e in self._entries if not e[1].startswith(prefix)]

    def rename(self, old: str, new: str) -> None:
        """Atomic, durable with the folder."""
        self._alive()
        if old not in self._files:
            raise FileNotFoundError(errno.ENOENT, "no such file", old)
        self._step("rename")
        entry = ("rename:" + new, old, self._files[old])
        _relink(self._files, entry)
        self._entries.append(entry)

    def unlink(self, path: str) -> None:
        """Durable with the folder."""
        self._alive()
        if path in self._files:
            self._step("unlink")
            entry = ("unlink", path, self._files[path])
            _relink(self._files, entry)
            self._entries.append(entry)

    def try_lock(self, handle: int) -> bool:
        """One holder per file."""
        self._step("lock")
        number = self._file(handle).number
        return self._locks.setdefault(number, handle) == handle

    def unlock(self, handle: int) -> None:
        """No harm after a power cut."""
        self._unlock(handle)

    def lock_holder(self, handle: int) -> int | None:
        """The handle that holds it stands for the process."""
        return self._locks.get(self._file(handle).number)

    def free_bytes(self, path: str) -> int:
        """What the test says."""
        self._alive()
        return self.free

    def pause(self, seconds: float) -> None:
        """Lets the test do something meanwhile."""
        self.on_call("pause")

    # --- inside ------------------------------------------------------------------

    def _step(self, call: str) -> Fault | None:
        """Count, record, and perhaps stop at a call that changes something."""
        self._alive()
        self.on_call(call)
        if self.cut_after is not None:
            if self.cut_after == 0:
                self._dead = True
                raise PowerCut(call)
            self.cut_after -= 1
        self.calls.append(call)
        return self._fault(call)

    def _fault(self, call: str) -> Fault | None:
        self._alive()
        for fault in self.faults:
            if fault.call != call:
                continue
            if fault.after == 0:
                self.faults.remove(fault)
                if fault.short is None:
                    raise OSError(fault.error, "by the test")
                return fault
            fault.after -= 1
        return None

    def _alive(self) -> None:
        if self._dead:
            raise PowerCut("no power")

    def _file(self, handle: int) -> File:
        self._alive()
        if handle not in self._handles:
            raise OSError(errno.EBADF, "not open")
        return self._handles[handle][0]

    def _unlock(self, handle: int) -> None:
        for number, holder in list(self._locks.items()):
            if holder == handle:
                del self._locks[number]

    def _number(self) -> int:
        self._next += 1
        return self._next

    def _end_processes(self) -> None:
        self._handles.clear()
        self._locks.clear()
        self._dead = False
        self.cut_after = None

    def _surviving_entries(self) -> dict[str, File]:
        """The names after a crash: any part of the un-synced changes took place."""
        names = dict(self._durable)
        chance = self._rng.choice((0.0, 0.5, 1.0))
        for entry in self._entries:
            if self._rng.random() < chance:
                _relink(names, entry)
        return names

    def _settle(self, file: File, *, visible: bool = False) -> None:
        """Let a part of the un-synced changes reach the medium."""
        chance = self._rng.choice((0.0, 0.5, 1.0))
        for kind, offset, data in file.pending:
            if kind == "write":
                self._settle_write(file.durable, offset, data, chance)
            elif self._rng.random() < chance or chance == 1.0:
                _apply(file.durable, kind, offset, b"")
        file.pending = []
        if not visible:
            file.seen = bytearray(file.durable)

    def _settle_write(
        self, durable: bytearray, offset: int, data: bytes, chance: float
    ) -> None:
        at = 0
        while at < len(data):
            end = min(at + SECTOR - (offset + at) % SECTOR, len(data))
            if self._rng.random() < chance:
                # A file that lost its length grows again with what is kept.
                changed = durable[offset + at : offset + end] != data[at:end]
                _apply(durable, "write", offset + at, data[at:end])
                if self.flips and changed and self._rng.random() < 0.05:
                    durable[offset + at] ^= 1 << self._rng.randrange(8)
            at = end


def _apply(content: bytearray, kind: str, offset: int, data: bytes) -> None:
    if kind == "truncate":
        del content[offset:]
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    if kind == "write":
        content[offset : offset + len(data)] = data


def _relink(names: dict[str, File], entry: Entry) -> None:
    kind, path, file = entry
    if kind == "link" and file is not None:
        names[path] = file
    else:
        moved = names.pop(path, None)
        new = kind.removeprefix("rename:")
        if kind != "unlink" and (moved or file):
            names[new] = moved or _existing(file)


def _existing(file: Any) -> File:
    assert isinstance(file, File)
    return file
