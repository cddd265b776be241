"""The show as a person starts it: small, against its own server, to its end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.fixtures.server import ROOT, clean_environment

pytestmark = pytest.mark.acceptance
PATIENCE_S = 240.0


def start(tmp_path: Path, *words: str) -> subprocess.Popen[str]:
    """The command in a session of its own, its temporary files in a folder of ours."""
    return subprocess.Popen(
        [sys.executable, "-m", "loadtests.blink", *words],
        cwd=ROOT,
        env=clean_environment(TMPDIR=str(tmp_path)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def left_of(tmp_path: Path) -> list[str]:
    """Processes whose temporary folder was ours: all that the show started."""
    found = []
    for one in psutil.process_iter():
        try:
            if one.pid != os.getpid() and one.environ().get("TMPDIR") == str(tmp_path):
                found.append(one.name())
        except psutil.Error:
            continue
    return found


def until_nobody_is_left(tmp_path: Path, within_s: float = 60.0) -> list[str]:
    """Those who are still there after a while."""
    deadline = time.monotonic() + within_s
    while (left := left_of(tmp_path)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


def test_two_hundred_watchers_see_three_changes(tmp_path: Path) -> None:
    """Each change is a line with its times, all see all, and nothing is left."""
    words = ("--watchers", "200", "--changes", "3", "--every", "0.2")
    show = start(tmp_path, *words)
    out, err = show.communicate(timeout=PATIENCE_S)
    assert show.returncode == 0, out + err
    assert "200 of 200 watchers of slots/prv_blink/consult/" in out
    lines = re.findall(
        r"^ +(\d)  (\w+ 09:30|\w+ 10:00) (booked|cancelled) +answered +([\d.]+) ms "
        r"+seen by the first +([\d.]+), half +([\d.]+), the last +([\d.]+) ms "
        r"+200 of 200$",
        out,
        re.MULTILINE,
    )
    assert [line[0] for line in lines] == ["1", "2", "3"]
    assert [line[2] for line in lines] == ["booked", "cancelled", "booked"]
    for *_, first, half, last in lines:
        assert 0 < float(first) <= float(half) <= float(last)
    assert "3 of 3 changes were seen by all 200." in out
    assert "Traceback" not in out + err
    assert until_nobody_is_left(tmp_path) == []


def test_a_show_that_is_stopped_ends_what_it_started(tmp_path: Path) -> None:
    """SIGTERM in the middle: a word, 0, and no process left."""
    show = start(tmp_path, "--watchers", "50", "--changes", "10000", "--every", "0.1")
    assert show.stdout is not None
    for line in show.stdout:
        if "seen by the first" in line:
            break
    show.send_signal(signal.SIGTERM)
    out, err = show.communicate(timeout=PATIENCE_S)
    assert show.returncode == 0, out + err
    assert "Stopped." in out
    assert "Traceback" not in out + err
    assert until_nobody_is_left(tmp_path) == []


def test_too_many_watchers_are_refused_before_anything_starts(tmp_path: Path) -> None:
    """A sentence with the number that is possible, and 2."""
    show = start(tmp_path, "--watchers", "1000000", "--changes", "1")
    out, err = show.communicate(timeout=PATIENCE_S)
    assert (show.returncode, err) == (2, "")
    assert re.search(r"At most [\d,]+ watchers fit", out)
