"""Replaces the active layout atomically (compare-and-set)."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator

from cluster.site.data_folder import DataFolder, Layout
from cluster.site.shared_layout import read_shared_layout, replace_shared_layout
from cluster.site.site import Site
from cluster.terminal.obstacle import Obstacle

_ATTEMPTS = 5


def change_layout(site: Site, change: Callable[[Layout], Layout]) -> Layout:
    """Apply ``change`` to the active layout; returns the new one. Blocks.

    If the journal is in Redis, the layout there is authoritative; ``change`` may be
    called again, with a layout that another process changed meanwhile.

    Raises:
        Obstacle: the layout is gone, or other processes keep changing it.
    """
    with _only_one(site.folder):
        for _ in range(_ATTEMPTS):
            old = _in_force(site)
            new = change(old)
            if new == old:
                return old
            shared = site.settings.journal_is_redis
            if not shared or replace_shared_layout(site.settings, old, new):
                site.folder.keep_layout(new)
                return new
    raise Obstacle(
        "The site's layout is being changed by another process, again and again.",
        "Let one command finish, then run this one again.",
    )


def _in_force(site: Site) -> Layout:
    if site.settings.journal_is_redis:
        layout = read_shared_layout(site.settings)
    else:
        layout = site.folder.examine()
    if layout is None:
        raise Obstacle(
            "The site's layout is gone.",
            "Put it back from a backup (slotcast restore).",
        )
    return layout


@contextlib.contextmanager
def _only_one(folder: DataFolder) -> Iterator[None]:
    """Lock: one process of this folder changes the layout at a time.

    A server is not affected.
    """
    descriptor = os.open(folder.path / "layout.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
