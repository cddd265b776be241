"""Removes journals in Redis that are no longer in use, or never were."""

from __future__ import annotations

import re
from collections.abc import Callable

from persistence.redis.client import RedisStore
from persistence.redis.functions import Word

KEYS_PER_STEP = 500
_GENERATION = re.compile(rb"(?::\{[^}]*\})?:g(\d+):")


async def forget_generations(url: str, site: str, *, but: int) -> int:
    """Delete all journals and snapshots of a site ``but`` those of one generation.

    Returns the number of keys. After an interruption, call it again.

    Raises:
        JournalUnavailable: no answer.
    """
    store = RedisStore(url, name="slotcast-reshard")
    try:
        return await forget_keys(
            store, site, lambda key: generation_of_key(key, site) not in (0, but)
        )
    finally:
        await store.close()


async def forget_keys(
    store: RedisStore, site: str, is_old: Callable[[bytes], bool]
) -> int:
    """Delete the site's keys for which ``is_old`` holds, step by step; their number.

    Raises:
        JournalUnavailable: no answer.
    """
    gone = 0
    cursor: Word = b"0"
    while True:
        cursor, keys = await store.ask(
            "SCAN", cursor, "MATCH", f"{site}:*", "COUNT", KEYS_PER_STEP
        )
        old = [key for key in keys if is_old(key)]
        if old:
            await store.ask("UNLINK", *old)
            gone += len(old)
        if cursor in (b"0", "0"):
            return gone


def generation_of_key(key: bytes, site: str) -> int:
    """The generation of a key; 0 if it belongs to none."""
    match = _GENERATION.match(key, len(site.encode()))
    return int(match[1]) if match else 0
