"""A read model in SQLite whose file is damaged: it is derived, so it is rebuilt.

The connection that finds the damage leaves a mark beside the file. The projector, the
only writer, sees the mark, puts the file aside under another name and makes a new one
from journal and snapshots; another mark lasts until that is done::

    slotcast.db.damaged   damage was found; put the file aside
    slotcast.db.anew      the file was put aside; rebuild it

Connections to the file that was put aside notice that the inode changed, and close.
"""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path
from typing import Any, Final

from sqlalchemy import event
from sqlalchemy.engine import Engine, ExceptionContext
from sqlalchemy.exc import DisconnectionError

from actors.domain.ids import Millis

KEPT: Final = 3
"""Files put aside that are kept; older ones are deleted: a bad disk makes many."""
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

log = logging.getLogger(__name__)


def is_damaged(error: BaseException | None) -> bool:
    """Whether an error, or what caused it, says that SQLite's file is damaged."""
    while error is not None:
        cause = getattr(error, "orig", None) or error
        code = getattr(cause, "sqlite_errorcode", None)
        if isinstance(code, int) and code & 0xFF in _DAMAGED:
            return True
        error = error.__cause__
    return False


class SqliteFile:
    """The file of a read model, and the marks beside it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._damaged = path.with_name(path.name + ".damaged")
        self._anew = path.with_name(path.name + ".anew")

    def mark_damaged(self, inode: int = 0) -> None:
        """Damage was found in the file of this inode; 0 means the present file."""
        try:
            self._damaged.write_text(str(inode or self.inode))
        except OSError:
            log.exception("%s is damaged, and cannot be marked", self.path)

    @property
    def is_marked(self) -> bool:
        """Whether it waits to be put aside; a mark on an older file is forgotten."""
        try:
            marked = self._damaged.read_text()
        except OSError:
            return False
        if marked == str(self.inode):
            return True
        if marked:  # else it is just being written
            self._damaged.unlink(missing_ok=True)
        return False

    @property
    def inode(self) -> int:
        """Which file it is; 0 if there is none."""
        try:
            return self.path.stat().st_ino
        except OSError:
            return 0

    @property
    def is_to_be_made_anew(self) -> bool:
        """Whether it was put aside, and its rows are not all there again."""
        return self._anew.exists()

    def put_aside(self, now: Millis) -> Path:
        """Give the damaged file another name; what it was called is free then."""
        aside = self.path.with_name(f"{self.path.name}.aside-{now}")
        self._anew.touch()
        for suffix in ("-shm", "-wal", ""):
            part = self.path.with_name(self.path.name + suffix)
            if part.exists():
                part.replace(aside.with_name(aside.name + suffix))
        self._damaged.unlink(missing_ok=True)
        self._forget_old()
        return aside

    def is_anew(self) -> None:
        """All rows are there again."""
        self._anew.unlink(missing_ok=True)

    def _forget_old(self) -> None:
        names = {
            path.name.removesuffix("-wal").removesuffix("-shm")
            for path in self.path.parent.glob(f"{self.path.name}.aside-*")
        }
        for name in sorted(names)[:-KEPT]:
            for suffix in ("", "-wal", "-shm"):
                self.path.with_name(name + suffix).unlink(missing_ok=True)


def notice_damage(engine: Engine) -> None:
    """Mark the engine's file if it is damaged; follow when it was put aside."""
    database = engine.url.database
    if not database or database == ":memory:":
        return
    file = SqliteFile(Path(database))
    opened = 0  # the inode of the newest connection, which may fail while it is made

    def failed(context: ExceptionContext) -> None:
        if is_damaged(context.original_exception):
            context.is_disconnect = True  # whatever is in the pool is of that file
            known = context.connection
            file.mark_damaged(known.info["inode"] if known is not None else opened)

    def connected(_connection: Any, record: Any) -> None:
        nonlocal opened
        opened = record.info["inode"] = file.inode

    def taken(_connection: Any, record: Any, _proxy: Any) -> None:
        if record.info.get("inode") != file.inode:
            raise DisconnectionError("the file was put aside")

    event.listen(engine, "handle_error", failed)
    event.listen(engine, "connect", connected)
    event.listen(engine, "checkout", taken)
