"""The spool: entries on the local disk, until the records have them.

Each process writes a file of its own, which it locks; a file whose process has ended
is passed on by any other process of the data folder. A line is a checksum and an
entry. A line that is cut short was never acknowledged. How far a file has been passed
on is in the records, in the same transaction as its entries: none comes twice.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from crc32c import crc32c
from msgspec import DecodeError, Struct, json
from sqlalchemy import delete
from sqlalchemy.exc import DBAPIError

from actors.errors import Unavailable
from care.audit.entries import SITE_TENANT, Draft
from care.sharing import Standing
from persistence.audit.chain import SourceMoved, move_source, positions
from persistence.audit.models import AuditSourceRecord
from persistence.audit.pending import queue_entries
from persistence.files.disk import Disk, SystemDisk
from persistence.files.writer_thread import WriterThread
from persistence.sql.records import Records

log = logging.getLogger(__name__)

SPOOL_BYTES_MAX: Final = 256 * 1024 * 1024
"""Size of all files from which nothing more is taken: the records are away for long."""
FILE_BYTES_MAX: Final = 8 * 1024 * 1024
"""Size from which the next file is begun."""
WAITING_MAX: Final = 10_000
"""Entries that wait for one sync; more are refused."""
CHUNK_BYTES: Final = 256 * 1024
"""Read and passed on at a time."""
PASS_ON_S: Final = 0.2
AWAY_S: Final = 2.0
_SUFFIX: Final = ".spool"


class FileSpool:
    """The spool of one process. Implements ``care.audit.ports.AuditSpool``."""

    def __init__(
        self,
        folder: Path,
        records: Records,
        *,
        disk: Disk | None = None,
        bytes_max: int = SPOOL_BYTES_MAX,
        file_bytes_max: int = FILE_BYTES_MAX,
    ) -> None:
        self._folder = folder
        self._records = records
        self._disk = disk or SystemDisk()
        self._bytes_max = bytes_max
        self._file_bytes_max = file_bytes_max
        self._thread = WriterThread("audit spool")
        self._own: _OwnFile | None = None
        self._closed_bytes = 0
        """Size of the files that are not this process's current one."""
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._flushing: asyncio.Future[None] | None = None
        self._news = asyncio.Event()
        self._wrong = ""
        self._behind = ""

    async def write(self, drafts: Sequence[Draft]) -> None:
        """See AuditSpool.write."""
        if len(self._waiting) >= WAITING_MAX:
            raise Unavailable("too many entries of the audit trail wait for the disk")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._waiting.append((b"".join(map(_line, drafts)), done))
        if self._flushing is None:
            self._flushing = asyncio.ensure_future(self._flush())
        await done

    def standing(self) -> Standing:
        """See AuditSpool.standing."""
        detail = self._wrong or self._behind
        return Standing(ok=not detail, detail=detail)

    async def run(self) -> None:
        """See AuditSpool.run."""
        while True:
            self._news.clear()
            try:
                passed = await self.pass_on()
            except (Unavailable, DBAPIError, OSError) as error:
                self._behind = f"the audit spool is not passed on: {error}"
                log.warning("%s", self._behind)
                await asyncio.sleep(AWAY_S)
                continue
            self._behind = ""
            if not passed:
                await self._news.wait()
            await asyncio.sleep(PASS_ON_S)

    async def pass_on(self) -> int:
        """Pass on one chunk of every file; how many entries.

        Raises:
            Unavailable: the records do not answer; nothing of a file is lost.
        """
        names = await self._thread.run(self._names)
        async with self._records.reading() as session:
            known = await positions(session, [_source(name) for name in names])
        done, left = 0, 0
        for name in names:
            at = known.get(_source(name), (-1, 0))[0]
            own = self._own
            if own is not None and own.name == name:
                done += await self._pass_on(name, own.handle, at, own.synced, own=True)
                continue
            handle = await self._thread.run(lambda name=name: self._orphan(name))  # type: ignore[misc]
            if handle is None:
                continue
            try:
                size = await self._thread.run(
                    lambda handle=handle: self._disk.size(handle)  # type: ignore[misc]
                )
                done += await self._pass_on(name, handle, at, size, own=False)
                left += size
            finally:
                self._disk.close(handle)
        self._closed_bytes = left
        return done

    async def close(self) -> None:
        """See AuditSpool.close."""
        while self._flushing is not None:
            await asyncio.wait({self._flushing})
        try:
            async with asyncio.timeout(AWAY_S):
                while await self.pass_on():
                    pass
        except (Unavailable, DBAPIError, OSError, TimeoutError) as error:
            log.warning("the audit spool is passed on after the next start: %s", error)
        if self._own is not None:
            self._disk.close(self._own.handle)
            self._own = None
        self._thread.stop()

    # --- writing -------------------------------------------------------------------

    async def _flush(self) -> None:
        """Write what waits, and what comes meanwhile, one sync for each round."""
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                failed = await self._written(b"".join(lines for lines, _ in batch))
                for _, done in batch:
                    if done.done():  # its waiter was cancelled
                        continue
                    if failed is None:
                        done.set_result(None)
                    else:
                        done.set_exception(Unavailable(failed))
        finally:
            self._flushing = None

    async def _written(self, data: bytes) -> str | None:
        """Make lines durable; why not, if that fails."""
        try:
            await self._thread.run(lambda: self._append(data))
        except OSError as error:
            self._wrong = f"the audit spool cannot be written: {error.strerror}"
            log.error("ALARM: %s", self._wrong)  # noqa: TRY400 - it is no defect
            return self._wrong
        except Unavailable as error:
            return str(error)
        self._wrong = ""
        self._news.set()
        return None

    def _append(self, data: bytes) -> None:
        """Make lines durable; on the thread."""
        own = self._own
        if own is not None and own.synced >= self._file_bytes_max:
            self._give_up(own)
            own = None
        if own is None:
            own = self._own = self._begin()
        if self._closed_bytes + own.synced + len(data) > self._bytes_max:
            raise Unavailable(
                "the audit spool is full: the records have been away for long"
            )
        try:
            at = own.synced
            while data:
                count = self._disk.write(own.handle, data, at)
                data, at = data[count:], at + count
            self._disk.sync(own.handle)
        except OSError:
            # What a failed write or sync left behind is not known: another file.
            self._give_up(own)
            if not own.synced:
                self._forget(own.name)
            raise
        own.synced = at

    def _begin(self) -> _OwnFile:
        folder = str(self._folder)
        self._disk.make_folder(folder)
        name = secrets.token_hex(12) + _SUFFIX
        handle = self._disk.open(str(self._folder / name), create=True)
        try:
            self._disk.try_lock(handle)
            self._disk.sync_folder(folder)
        except OSError:
            self._disk.close(handle)
            self._forget(name)
            raise
        return _OwnFile(name, handle)

    def _forget(self, name: str) -> None:
        """Remove a file that holds nothing: a disk that refuses would collect them."""
        with suppress(OSError):
            self._disk.unlink(str(self._folder / name))

    def _give_up(self, own: _OwnFile) -> None:
        self._closed_bytes += own.synced
        self._own = None
        self._disk.close(own.handle)

    # --- passing on ----------------------------------------------------------------

    def _names(self) -> list[str]:
        names = self._disk.names(str(self._folder))
        return [name for name in names if name.endswith(_SUFFIX)]

    def _orphan(self, name: str) -> int | None:
        """A file that no process writes, locked; None if one does."""
        try:
            handle = self._disk.open(str(self._folder / name), write=True)
        except FileNotFoundError:
            return None
        if self._disk.try_lock(handle):
            return handle
        self._disk.close(handle)
        return None

    async def _pass_on(
        self, name: str, handle: int, at: int, end: int, *, own: bool
    ) -> int:
        start = max(at, 0)
        if start >= end:
            if not own:
                await self._remove(name)
            return 0
        length = min(CHUNK_BYTES, end - start)
        data = await self._thread.run(lambda: self._disk.read(handle, length, start))
        whole = data[: data.rfind(b"\n") + 1]
        if not whole:
            if not own:  # cut short: it was never acknowledged
                await self._remove(name)
            return 0
        drafts = [_draft(line) for line in whole.splitlines()]
        after = start + len(whole)
        try:
            async with self._records.writing() as session:
                await session.run_sync(
                    lambda one: move_source(one.connection(), _source(name), at, after)
                )
                await queue_entries(session, drafts)
        except SourceMoved:
            return 0
        return len(drafts)

    async def _remove(self, name: str) -> None:
        # The file first: a row without a file is harmless, a file without its row
        # would be passed on again.
        path = str(self._folder / name)
        await self._thread.run(lambda: self._disk.unlink(path))
        await self._thread.run(lambda: self._disk.sync_folder(str(self._folder)))
        row = AuditSourceRecord
        async with self._records.writing() as session:
            await session.execute(delete(row).where(row.source == _source(name)))


class _OwnFile(Struct):
    """The file that this process writes; ``synced``: up to where it is durable."""

    name: str
    handle: int
    synced: int = 0


def _source(name: str) -> str:
    return f"spool {name}"


def _line(draft: Draft) -> bytes:
    content = json.encode(draft)
    return b"%08x %b\n" % (crc32c(content), content)


def _draft(line: bytes) -> Draft:
    checksum, _, content = line.partition(b" ")
    try:
        if int(checksum, 16) == crc32c(content):
            return json.decode(content, type=Draft)
    except (ValueError, DecodeError):
        pass
    log.error("ALARM: a line of the audit spool is damaged")
    return Draft(SITE_TENANT, 0, "slotcast", "spool_damaged", "", {"outcome": "gap"})  # type: ignore[arg-type]
