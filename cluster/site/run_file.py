"""Which process uses a data folder, and what a killed server left running.

Processes are identified by pid *and* start time, so that a reused pid is never mistaken
for one of them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from shutil import rmtree

import msgspec
import psutil
from msgspec import Struct

from cluster.terminal.addresses import http_url

RAY_FOLDER_PREFIX = "slotcast-ray-"
"""How a server names the folder of its Ray, so that no other is ever removed."""
STOP_SECONDS = 3.0
"""How long a leftover may take to end after SIGTERM before it is killed."""


class ProcessMark(Struct, frozen=True):
    """A process: its pid, start time (seconds since the epoch) and name."""

    pid: int
    started: float
    name: str = ""


class RunRecord(Struct, frozen=True, omit_defaults=True):
    """The process that holds a folder's lock, and what it started."""

    owner: ProcessMark
    command: str
    host: str = ""
    port: int = 0
    ray_address: str = ""
    node_host: str = ""
    """This node's address in a cluster; empty for a server of its own."""
    ray_folder: str = ""
    ray_token: str = ""
    children: tuple[ProcessMark, ...] = ()


def mark_of(process: psutil.Process) -> ProcessMark:
    """The mark of a live process. Raises psutil.Error if it is gone."""
    return ProcessMark(process.pid, process.create_time(), process.name())


def mark_of_self() -> ProcessMark:
    """The mark of this process."""
    return mark_of(psutil.Process(os.getpid()))


def marks_of_descendants() -> tuple[ProcessMark, ...]:
    """Every process below this one."""
    marks = []
    for child in psutil.Process(os.getpid()).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            marks.append(mark_of(child))
    return tuple(marks)


def write_record(path: Path, record: RunRecord) -> None:
    """Record this process; a crash may lose the record, not corrupt it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    with os.fdopen(os.open(draft, flags, 0o600), "wb") as file:  # it holds a secret
        file.write(msgspec.json.encode(record) + b"\n")
    draft.rename(path)


def read_record(path: Path) -> RunRecord | None:
    """The process that uses or used the folder; None if no record can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=RunRecord)
    except (OSError, msgspec.MsgspecError):
        return None


def describe_owner(path: Path) -> str:
    """The owner in words: ``slotcast serve, pid 4711, at http://127.0.0.1:8000``."""
    record = read_record(path)
    if record is None or living(record.owner) is None:
        return "another process"
    where = f", at {http_url(record.host, record.port)}" if record.port else ""
    return f"{record.command}, pid {record.owner.pid}{where}"


def living(mark: ProcessMark) -> psutil.Process | None:
    """The process of this mark, if it lives and is the same one."""
    try:
        process = psutil.Process(mark.pid)
        same = abs(process.create_time() - mark.started) < 0.05  # noqa: PLR2004
        if same and process.status() != psutil.STATUS_ZOMBIE:
            return process
    except psutil.Error:
        return None
    return None


def stop_processes(marks: Iterable[ProcessMark], patience_s: float) -> int:
    """End those of ``marks`` that are alive: SIGTERM, then SIGKILL.

    Returns their number.
    """
    alive = [process for mark in marks if (process := living(mark)) is not None]
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, stubborn = psutil.wait_procs(alive, timeout=patience_s)
    for process in stubborn:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(stubborn, timeout=STOP_SECONDS)
    return len(alive)


def clear_leftovers(path: Path) -> int:
    """End what a killed server left behind. Needs the folder's lock.

    Returns:
        How many processes were still there.
    """
    record = read_record(path)
    if record is None:
        return 0
    count = stop_processes(record.children, STOP_SECONDS)
    if Path(record.ray_folder).name.startswith(RAY_FOLDER_PREFIX):
        rmtree(record.ray_folder, ignore_errors=True)
    path.unlink(missing_ok=True)
    return count


@contextlib.contextmanager
def owning(run_file: Path, command: str) -> Iterator[None]:
    """Become the owner in the run file.

    Processes left by a killed owner are ended first.
    """
    clear_leftovers(run_file)
    write_record(run_file, RunRecord(mark_of_self(), command))
    try:
        yield
    finally:
        run_file.unlink(missing_ok=True)
