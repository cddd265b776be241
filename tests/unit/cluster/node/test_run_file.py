"""Who works on a folder, and the end of what was left behind."""

import subprocess
import sys
from pathlib import Path

import psutil

from cluster.site.run_file import (
    ProcessMark,
    RunRecord,
    clear_leftovers,
    living,
    mark_of,
    mark_of_self,
    read_record,
    write_record,
)

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]


def test_leftovers_of_a_killed_server_are_stopped(tmp_path: Path) -> None:
    """A child that outlived its server ends at the next start."""
    with subprocess.Popen(SLEEPER) as child:
        mark = mark_of(psutil.Process(child.pid))
        path = tmp_path / "run.json"
        write_record(
            path, RunRecord(mark_of_self(), "slotcast serve", children=(mark,))
        )
        assert clear_leftovers(path) == 1
        assert living(mark) is None
    assert not path.exists()


def test_a_pid_used_again_by_somebody_else_is_left_alone(tmp_path: Path) -> None:
    """The start time tells a stranger with the same pid."""
    with subprocess.Popen(SLEEPER) as child:
        stale = ProcessMark(child.pid, started=1.0, name="old")
        path = tmp_path / "run.json"
        write_record(path, RunRecord(mark_of_self(), "serve", children=(stale,)))
        assert clear_leftovers(path) == 0
        assert child.poll() is None
        child.kill()


def test_a_torn_record_is_no_record(tmp_path: Path) -> None:
    """A crash while writing leaves nothing that confuses a start."""
    path = tmp_path / "run.json"
    path.write_bytes(b'{"owner": {"pi')
    assert read_record(path) is None
    assert clear_leftovers(path) == 0
