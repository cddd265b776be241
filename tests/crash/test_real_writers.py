"""Real processes on real files: killed while they write, and stopped ones that wake."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

from persistence.files.disk import SystemDisk
from persistence.journal.files.inspect import verify
from persistence.journal.files.reader import WalReader
from persistence.journal.files.wal import Wal
from tests.crash.writer import LIMITS
from tests.fixtures.events import tiny

SHARD = "s0000"
ROOT = Path(__file__).parents[2]


def _writer(root: Path, batches: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.crash.writer", str(root / SHARD), SHARD]
    return subprocess.Popen(
        [*command, str(batches)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def _said(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout is not None
    return process.stdout


def _seqs(root: Path) -> list[int]:
    reader = WalReader(SystemDisk(), str(root / SHARD), SHARD)
    records = reader.read(0, 1_000_000)
    assert all(record.seq == record.event.version for record in records)
    reader.close()
    return [record.seq for record in records]


def test_killed_again_and_again(tmp_path: Path) -> None:
    """Whatever a killed writer acknowledged is there, whole, for the next one."""
    acknowledged = 0
    for round_ in range(4):
        with _writer(tmp_path, 1_000_000) as process:
            said = _said(process)
            _, epoch, seq = said.readline().split()
            assert int(epoch) == round_ + 1
            assert int(seq) >= acknowledged
            for _ in range(40 + round_ * 20):
                acknowledged = int(said.readline())
            process.kill()
            rest = said.read().splitlines()
        whole = [line for line in rest if line.isdecimal()][:-1]
        acknowledged = int(whole[-1]) if whole else acknowledged
        (report,) = verify(tmp_path)
        assert report.is_sound, report.damage
    wal = Wal(SystemDisk(), str(tmp_path / SHARD), SHARD, limits=LIMITS)
    last = wal.seal().last_seq
    assert last >= acknowledged > 250
    assert _seqs(tmp_path) == list(range(1, last + 1))
    wal.close()


def test_a_stopped_writer_wakes_too_late(tmp_path: Path) -> None:
    """A writer stopped while another took over writes nothing when it goes on."""
    wal = Wal(SystemDisk(), str(tmp_path / SHARD), SHARD, limits=LIMITS)
    with _writer(tmp_path, 50) as zombie:
        while _said(zombie).readline() != "waiting\n":
            pass
        zombie.send_signal(signal.SIGSTOP)
        sealed = wal.seal()
        seq = wal.append(sealed.epoch, sealed.last_seq, [tiny(sealed.last_seq + 1)])
        zombie.send_signal(signal.SIGCONT)
        assert zombie.communicate("go on\n")[0] == "Fenced\n"
    seq = wal.append(sealed.epoch, seq, [tiny(seq + 1)])
    assert _seqs(tmp_path) == list(range(1, seq + 1))
    wal.close()
