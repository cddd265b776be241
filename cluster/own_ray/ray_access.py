"""Who may reach our Ray: this machine only, and who shows the token.

Ray's processes run what they are sent, so they listen on loopback, and each start has
a fresh secret, known to the server's own processes and to tools that may read the
data folder. Ray reads both from the environment at the moment it is imported.
"""

from __future__ import annotations

import os
import secrets
import sys

from cluster.own_ray.environment import QUIET, forget_foreign


def new_ray_token() -> str:
    """A secret for one start of Ray."""
    return secrets.token_hex(32)


def show_ray_token(token: str) -> None:
    """Use this token in this process and its children; before Ray is imported."""
    if "ray" in sys.modules and os.environ.get("RAY_AUTH_TOKEN") != token:
        raise RuntimeError("Ray was imported before it could learn its token")
    forget_foreign()
    # Ray's word for "this machine is all there is": without it, it takes the address
    # of the network and listens on every interface, on Linux at least.
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    os.environ.update(QUIET)
    os.environ["RAY_AUTH_MODE"] = "token"
    os.environ["RAY_AUTH_TOKEN"] = token
