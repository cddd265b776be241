"""The fence of one shard's folder: a lock, and the epoch that may write.

Two slots hold the epoch, a new one always overwriting the other, so that a torn write
leaves the last good one. A slot that is neither empty nor valid may have held the
newest epoch (torn or corrupted): then no process owns the shard until the next seal,
which takes a higher epoch.
"""

from __future__ import annotations

from msgspec import Struct

from actors.errors import Fenced, JournalUnavailable
from persistence.files.disk import Disk
from persistence.journal.files.format import (
    SLOT_BYTES,
    SLOT_STRIDE,
    pack_slot,
    unpack_slot,
)

EPOCH_FILE = "epoch"
LOCK_FILE = "lock"
LOCK_PAUSE_S = 0.005


class Slots(Struct, frozen=True):
    """Content of the epoch file.

    The newest valid epoch, and whether a newer one may be lost.
    """

    epoch: int
    slot: int
    doubtful: bool


def read_slots(raw: bytes) -> Slots:
    """Decode the epoch file; epoch 0 if no slot is valid."""
    parts = (raw[:SLOT_BYTES], raw[SLOT_STRIDE : SLOT_STRIDE + SLOT_BYTES])
    epochs = [unpack_slot(part) for part in parts]
    doubtful = any(
        epoch is None and any(part) for epoch, part in zip(epochs, parts, strict=True)
    )
    newest = max(epoch or 0 for epoch in epochs)
    slot = epochs.index(newest) if newest in epochs else 1
    return Slots(newest, slot, doubtful)


class Fence:
    """Allows one writer of a shard's folder at a time."""

    def __init__(self, disk: Disk, folder: str, lock_wait_s: float) -> None:
        """``lock_wait_s`` bounds the wait for another process's write or seal."""
        self._disk = disk
        self._folder = folder
        self._lock_wait_s = lock_wait_s
        self._lock: int | None = None
        self._epochs: int | None = None
        self._mine = b""
        self._epoch = 0

    def open(self) -> None:
        """Open the two files, creating them if needed. Raises OSError."""
        if self._lock is None:
            self._lock = self._disk.open(f"{self._folder}/{LOCK_FILE}", create=True)
        if self._epochs is None:
            self._epochs = self._disk.open(f"{self._folder}/{EPOCH_FILE}", create=True)
            self._disk.sync_folder(self._folder)

    def lock(self) -> None:
        """Take the lock, waiting a bounded time.

        Raises:
            JournalUnavailable: another process, named in the error, holds it.
        """
        handle = self._opened(self._lock)
        if self._disk.try_lock(handle):
            return
        for _ in range(int(self._lock_wait_s / LOCK_PAUSE_S)):
            self._disk.pause(LOCK_PAUSE_S)
            if self._disk.try_lock(handle):
                return
        holder = self._disk.lock_holder(handle)
        raise JournalUnavailable(
            f"{self._folder} has been locked for {self._lock_wait_s:g} s by process "
            f"{holder or 'unknown'}: if that process hangs, end it"
        )

    def unlock(self) -> None:
        """Release the lock."""
        self._disk.unlock(self._opened(self._lock))

    def slots(self) -> Slots:
        """Read the epoch file. Raises OSError."""
        return read_slots(self._read())

    def advance(self, floor: int) -> int:
        """Write the next epoch above ``floor`` durably; the caller holds the lock.

        Raises:
            OSError: the new epoch may or may not be on the disk.
        """
        now = self.slots()
        epoch = max(now.epoch + now.doubtful, floor) + 1
        if now.epoch:
            # Its sync may have failed, after which the kernel considers the page clean.
            # It must be durable before the other slot is overwritten.
            self._put(now.epoch, now.slot)
        self._put(epoch, 1 - now.slot)
        self._mine = self._read()
        self._epoch = epoch
        return epoch

    def _put(self, epoch: int, slot: int) -> None:
        handle = self._opened(self._epochs)
        block = pack_slot(epoch)
        if self._disk.write(handle, block, slot * SLOT_STRIDE) != len(block):
            raise OSError(f"{self._folder}/{EPOCH_FILE}: short write")
        self._disk.sync(handle)

    def check(self, epoch: int) -> None:
        """Check that ``epoch``, which this object wrote, is still the newest.

        Raises:
            Fenced: it is not.
            OSError: the epoch file cannot be read.
        """
        if not self._mine or epoch != self._epoch:
            raise Fenced(
                f"{self._folder}: epoch {epoch} was not sealed here, or not last"
            )
        raw = self._read()
        if raw != self._mine:
            newest = read_slots(raw).epoch
            raise Fenced(f"{self._folder}: epoch {epoch} is superseded by {newest}")

    def close(self) -> None:
        """Release files and lock; ends the ownership."""
        for handle in (self._lock, self._epochs):
            if handle is not None:
                self._disk.close(handle)
        self._lock = self._epochs = None
        self._mine = b""

    def _read(self) -> bytes:
        length = SLOT_STRIDE + SLOT_BYTES
        return self._disk.read(self._opened(self._epochs), length, 0)

    def _opened(self, handle: int | None) -> int:
        if handle is None:
            raise Fenced(f"{self._folder} is not open for writing")
        return handle
