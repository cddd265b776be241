"""The folder of one start of Ray: its sockets and logs, for this user only.

Ray makes its own folder readable and writable for every user of the machine, and a user
who may rename its sockets can intercept its connections. So Ray's folder is created
inside a private one.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from cluster.site.run_file import RAY_FOLDER_PREFIX

PATH_MAX = 40
"""Ray adds up to 66 characters for its sockets, and AF_UNIX allows 107."""
_INNER = "r"


def new_ray_folder() -> Path:
    """A folder with mode 700 whose path is short enough for sockets."""
    return Path(tempfile.mkdtemp(prefix=RAY_FOLDER_PREFIX, dir="/tmp"))  # nosec B108


def ray_temp(folder: Path) -> Path:
    """The folder passed to Ray. Raises ValueError if socket paths would be too long."""
    inner = folder / _INNER
    if len(str(inner)) > PATH_MAX:
        raise ValueError(f"Ray needs a shorter folder than {folder}")
    return inner


def raylet_socket(folder: Path) -> Path:
    """The raylet's socket for processes of its node."""
    return folder / _INNER / "session_latest" / "sockets" / "raylet"
