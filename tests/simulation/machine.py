"""The machine: one disk, and processes that can be killed between any two calls.

``kill -9`` takes a process and its locks, but what it wrote stays in the system's
cache. A power cut takes every process and all that was not synced (sim_disk.py).
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Generator
from typing import Any

from persistence.files.disk import Disk
from tests.simulation.kernel import Kernel
from tests.simulation.sim_disk import PowerCut


class Killed(BaseException):
    """The process is no more. Not an Exception: no handler may catch it."""


class ProcessDisk:
    """The disk as one process sees it; counts its system calls, and can die in one.

    ``fuse`` is how many calls it may still make, None for no end. ``eio`` and
    ``full`` make the next sync or reservation fail.
    """

    def __init__(self, disk: Disk, kernel: Kernel) -> None:
        self.disk = disk
        self.kernel = kernel
        self.fuse: int | None = None
        self.dead = False
        self.eio = False
        self.full = False
        self.handles: set[int] = set()

    def kill(self) -> None:
        """End: handles and locks go back to the system."""
        if not self.dead:
            self.dead = True
            for handle in sorted(self.handles):
                self.disk.close(handle)
            self.handles.clear()

    def call(self) -> None:
        """One more system call, or the end."""
        if self.dead:
            raise Killed
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse < 0:
                self.kill()
                raise Killed

    def open(self, path: str, *, create: bool = False, write: bool = False) -> int:
        self.call()
        handle = self.disk.open(path, create=create, write=write)
        self.handles.add(handle)
        return handle

    def close(self, handle: int) -> None:
        self.call()
        self.handles.discard(handle)
        self.disk.close(handle)

    def write(self, handle: int, data: bytes, offset: int) -> int:
        if self.fuse == 0 and not self.dead and len(data) > 1:
            # Killed within the call: a part of it was written.
            some = self.kernel.rng.randrange(len(data))
            self.disk.write(handle, data[:some], offset)
        self.call()
        return self.disk.write(handle, data, offset)

    def reserve(self, handle: int, offset: int, length: int) -> None:
        self.call()
        if self.full:
            raise OSError(errno.ENOSPC, "no space left on device")
        self.disk.reserve(handle, offset, length)

    def sync(self, handle: int) -> None:
        self.call()
        if self.eio:
            self.eio = False
            raise OSError(errno.EIO, "input/output error")
        self.disk.sync(handle)

    def pause(self, seconds: float) -> None:
        """In one thread nothing else runs while we wait."""
        self.call()


def _passed_on(name: str) -> Callable[..., Any]:
    def method(self: ProcessDisk, *args: Any, **named: Any) -> Any:
        self.call()
        return getattr(self.disk, name)(*args, **named)

    method.__name__ = name
    return method


_PLAIN = (
    *("make_folder", "names", "size", "read", "truncate", "sync_folder"),
    *("rename", "unlink", "try_lock", "unlock", "lock_holder", "free_bytes"),
)
for _name in _PLAIN:
    setattr(ProcessDisk, _name, _passed_on(_name))


class Turn:
    """Awaiting it lets others move: the only thing that simulated code waits for."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class Thread:
    """A coroutine driven by the kernel: between any two turns it may be dropped."""

    def __init__(
        self,
        kernel: Kernel,
        coroutine: Any,
        ended: Callable[[Any, BaseException | None], None],
    ) -> None:
        self._kernel = kernel
        self._coroutine = coroutine
        self._ended = ended
        self.dropped = False
        self._go()

    def drop(self) -> None:
        """Never goes on; its end is not reported."""
        self.dropped = True
        self._coroutine.close()

    def _go(self) -> None:
        if self.dropped:
            return
        try:
            self._coroutine.send(None)
        except StopIteration as stop:
            self._ended(stop.value, None)
        except (Exception, Killed, PowerCut) as error:  # noqa: BLE001
            self._ended(None, error)
        else:
            self._kernel.after(self._kernel.rng.randrange(1, 12), self._go)
