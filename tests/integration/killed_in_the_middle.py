"""A ``slotcast`` command that is killed when it touches a backup for the n-th time.

Usage: python -m tests.integration.killed_in_the_middle N backup|restore PLACE
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from cluster import cli
from cluster.backup.places import FolderPlace


def dying(call: Callable[..., Any], after: int) -> Callable[..., Any]:
    """The call; the ``after``-th one is the last thing that this process does."""
    left = after

    def counted(*given: Any) -> Any:
        nonlocal left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*given)

    return counted


if __name__ == "__main__":
    touches = int(sys.argv[1])
    if sys.argv[2] == "backup":
        FolderPlace.put = dying(FolderPlace.put, touches)  # type: ignore[method-assign]
    else:
        FolderPlace.get = dying(FolderPlace.get, touches)  # type: ignore[method-assign]
    sys.argv = ["slotcast", *sys.argv[2:]]
    sys.exit(cli.main())
