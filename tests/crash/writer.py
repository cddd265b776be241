"""A process that appends to a shard's log as fast as it can; killed by its parent.

``python -m tests.crash.writer FOLDER SHARD BATCHES`` prints ``sealed EPOCH SEQ``,
then the last seq after each append; then it waits for a line, appends once more, and
prints what came of it.
"""

from __future__ import annotations

import sys

from actors.errors import SchedulingError
from persistence.files.disk import SystemDisk
from persistence.journal.files.wal import Limits, Wal
from tests.fixtures.events import tiny

LIMITS = Limits(segment_bytes=16 * 1024, grow_bytes=4096, lock_wait_s=2.0)


def say(*words: object) -> None:
    """One line, at once."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Append batches of 1, 2, 3, 1, 2 … events, numbered by seq."""
    folder, shard, batches = sys.argv[1:]
    wal = Wal(SystemDisk(), folder, shard, limits=LIMITS)
    sealed = wal.seal()
    say("sealed", sealed.epoch, sealed.last_seq)
    seq = sealed.last_seq
    for count in range(int(batches)):
        size = count % 3 + 1
        batch = [tiny(n) for n in range(seq + 1, seq + size + 1)]
        seq = wal.append(sealed.epoch, seq, batch)
        say(seq)
    say("waiting")
    sys.stdin.readline()
    try:
        say(wal.append(sealed.epoch, seq, [tiny(seq + 1)]))
    except SchedulingError as error:
        say(type(error).__name__)


if __name__ == "__main__":
    main()
