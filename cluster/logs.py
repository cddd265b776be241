"""Where log lines go: JSON, one per line, rotated, into the data folder's logs/.

The terminal shows short messages for people; all details go here.
"""

from __future__ import annotations

import json
import logging
import time
from functools import lru_cache
from io import TextIOBase
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

import msgspec
import structlog

from cluster.clock import now_micros

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor

FILE_BYTES_MAX = 20 * 1024 * 1024
"""Size in bytes at which a log file is rotated."""
FILES_KEPT = 4
"""Older files of each log: with the size, at most 100 MiB per process."""
_QUIET = ("uvicorn", "httpx", "aiosqlite", "asyncio", "ray", "alembic", "websockets")
"""Libraries whose lines below WARNING are dropped."""


class RotatingFile(TextIOBase):
    """A text file that is rotated at ``bytes_max``, to x.log.1, x.log.2 …."""

    def __init__(
        self, path: Path, bytes_max: int = FILE_BYTES_MAX, kept: int = FILES_KEPT
    ) -> None:
        self._path = path
        self._bytes_max = bytes_max
        self._kept = kept
        path.parent.mkdir(parents=True, exist_ok=True)
        self._open()

    def write(self, text: str, /) -> int:
        """Add a line; a full disk loses it rather than stopping the work."""
        line = text.encode("utf-8", "backslashreplace")
        if self._size + len(line) > self._bytes_max and self._size:
            self._turn_over()
        try:
            self._file.write(line)
        except OSError:
            return 0
        self._size += len(line)
        return len(text)

    def close(self) -> None:
        """Close the file."""
        if not self.closed:
            self._file.close()
        super().close()

    def _open(self) -> None:
        self._file = self._path.open("ab", buffering=0)
        self._size = self._file.tell()

    def _turn_over(self) -> None:
        self._file.close()
        for number in range(self._kept, 0, -1):
            newer = self._numbered(number - 1)
            if newer.exists():
                newer.replace(self._numbered(number))
        self._open()

    def _numbered(self, number: int) -> Path:
        return (
            self._path.with_name(f"{self._path.name}.{number}")
            if number
            else (self._path)
        )


def _json(line: dict[str, object], **_: object) -> str:
    """One line; values without a JSON form are written as ``str``."""
    try:
        return msgspec.json.encode(line, enc_hook=str).decode()
    except UnicodeEncodeError:  # an unpaired surrogate from an error's text
        return json.dumps(line, default=str)


def _line(_logger: object, level: str, event: EventDict) -> str:
    """A line's text, in one step: each request writes one.

    The same as with structlog's own processors, which lines of libraries pass.
    """
    event["level"] = level
    event["timestamp"] = _now()
    if "exc_info" in event:
        event = structlog.processors.format_exc_info(_logger, level, event)
    return _json(dict(event))


def _now() -> str:
    seconds, micros = divmod(now_micros(), 1_000_000)
    return f"{_second(seconds)}.{micros:06}Z"


@lru_cache(maxsize=2)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def log_to(path: Path, level: str) -> None:
    """Send this process's log lines to ``path``, from ``level`` on."""
    lowest = logging.getLevelNamesMapping()[level.upper()]
    file = cast("TextIO", RotatingFile(path))
    stamps: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[_line],
        wrapper_class=structlog.make_filtering_bound_logger(lowest),
        logger_factory=structlog.WriteLoggerFactory(file=file),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(file)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*stamps, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(serializer=_json),
            ],
        )
    )
    _take_over(handler, lowest)


def _take_over(handler: logging.Handler, level: int) -> None:
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, level))
