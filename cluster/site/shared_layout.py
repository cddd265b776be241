"""The layout of a site whose journal is in Redis: kept there, copied to each node.

The one in Redis is authoritative. A folder of a site that its Redis does not know means
a lost journal or the wrong Redis, and no server may start on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import msgspec

from actors.errors import SchedulingError
from cluster.site.data_folder import FORMAT, DataFolder, Layout, new_layout
from cluster.site.settings import Settings
from cluster.terminal.obstacle import Obstacle

if TYPE_CHECKING:
    from persistence.redis.layout import RedisLayout

T = TypeVar("T")


def agreed_layout(
    folder: DataFolder, settings: Settings, local: Layout | None
) -> Layout | None:
    """The authoritative layout, for a folder that has ``local``; None if there is none.

    Blocks; not for an event loop.

    Raises:
        Obstacle: Redis does not answer, or knows another site than the folder.
    """
    if not settings.journal_is_redis:
        return local
    shared = read_shared_layout(settings)
    if local is None:
        return shared
    if shared is None:
        raise Obstacle(
            f"The data folder {folder.path} belongs to a site that the journal's Redis "
            f"does not know (prefix {settings.site!r}).",
            "Check SLOTCAST_JOURNAL and SLOTCAST_SITE. If the Redis has lost its data, "
            "restore a backup (slotcast restore); to begin a new site set "
            "SLOTCAST_DATA to another place.",
        )
    if shared.site_id != local.site_id:
        raise Obstacle(
            f"The data folder {folder.path} belongs to another site than the one in "
            f"the journal's Redis under the prefix {settings.site!r}.",
            "Set SLOTCAST_SITE or SLOTCAST_JOURNAL to this folder's site, or "
            "SLOTCAST_DATA to another place.",
        )
    if shared != local:
        folder.keep_layout(shared)
    return shared


def read_shared_layout(settings: Settings) -> Layout | None:
    """The layout in Redis; None if the site has not been created. Raises Obstacle."""
    content = _asked(settings, lambda shelf: shelf.read())
    return _decoded(content) if content is not None else None


def begin_shared_layout(folder: DataFolder, settings: Settings, today: str) -> Layout:
    """Create the site, unless another node was first.

    Returns the authoritative layout.
    """
    mine = new_layout(settings, today)
    if _asked(settings, lambda shelf: shelf.create(msgspec.json.encode(mine))):
        return mine
    theirs = read_shared_layout(settings)
    assert theirs is not None
    folder.check_matches(theirs, settings)
    return theirs


def replace_shared_layout(settings: Settings, old: Layout, new: Layout) -> bool:
    """Activate another layout; False if ``old`` is no longer active."""
    before, after = msgspec.json.encode(old), msgspec.json.encode(new)
    return _asked(settings, lambda shelf: shelf.replace(before, after))


def _decoded(content: bytes) -> Layout:
    try:
        layout = msgspec.json.decode(content, type=Layout)
    except msgspec.MsgspecError as error:
        raise Obstacle(
            f"The site's layout in Redis is damaged ({error}).",
            "Put it back from a backup (slotcast restore).",
        ) from error
    if layout.format > FORMAT:
        raise Obstacle(
            f"The site has format {layout.format}, made by a newer Slotcast; this one "
            f"knows format {FORMAT}.",
            "Run the newer version.",
        )
    return layout


def _asked(settings: Settings, ask: Callable[[RedisLayout], Awaitable[T]]) -> T:
    from persistence.redis.layout import RedisLayout

    async def work() -> T:
        shelf = RedisLayout(
            settings.journal, settings.site, replicas=settings.journal_replicas
        )
        try:
            return await ask(shelf)
        finally:
            await shelf.close()

    try:
        return asyncio.run(work())
    except (SchedulingError, OSError) as error:
        raise Obstacle(
            f"The journal's Redis does not answer: {error}",
            "Start it, or check SLOTCAST_JOURNAL (its address and password).",
        ) from error
