"""Become another program that is told to end when its supervisor is gone.

``python -m cluster.node.tether PARENT PROGRAM ARGUMENT…``: Linux sends SIGTERM to this
process when its parent dies, also by ``kill -9``, and that survives ``exec``. So no
gateway and no Ray outlives the command that was to watch over it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1
ORPHANED = 1
"""Exit code when the parent was gone before we could ask to be told."""


def tethered(command: Sequence[str]) -> list[str]:
    """This command, to be started by the process that calls this."""
    own = [sys.executable, "-m", "cluster.node.tether", str(os.getpid())]
    return [*own, *command]


def main(words: Sequence[str]) -> int:
    """Become the program; returns only if the parent has ended already."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() == int(words[0]):
        os.execvp(words[1], list(words[1:]))  # noqa: S606 - no shell is wanted
    return ORPHANED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
