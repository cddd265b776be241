"""The journal's state, one row of ``slotcast cluster status``."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from cluster.site.site import MIB, Site
from cluster.site.stores import open_journal

WELL, REFUSES = "well", "refuses"


class JournalHealth(Struct, frozen=True):
    """One look at the journal."""

    place: str
    state: str
    """``well``; or ``refuses``: with its settings nothing may be acknowledged."""
    replicas: int
    """How many copies every event must be on before it is acknowledged."""
    full: float
    """How full it is, 0 to 1. At 0.9 new holds are refused, at 0.97 new bookings."""
    remarks: Sequence[str] = ()
    """Problems and warnings, each with its remedy; the worst first."""


async def journal_health(site: Site) -> JournalHealth:
    """Inspect the site's journal. Raises JournalUnavailable: it does not answer."""
    if site.settings.journal_is_redis:
        return await _of_redis(site)
    journal = open_journal(site.stores)
    try:
        return JournalHealth(site.stores.journal, WELL, 0, journal.pressure())
    finally:
        await journal.close()


async def _of_redis(site: Site) -> JournalHealth:
    from persistence.journal.redis.room import RedisRoom
    from persistence.redis.client import RedisStore
    from persistence.redis.server import inspect_store

    settings = site.settings
    store = RedisStore(settings.journal, replicas=settings.journal_replicas)
    room = RedisRoom(store, settings.journal_budget_mib * MIB)
    try:
        findings = await inspect_store(store, settings.journal_replicas)
        refused = any(one.severity == "refuse" for one in findings)
        if not refused:
            await room.inspect()
        return JournalHealth(
            store.place,
            REFUSES if refused else WELL,
            settings.journal_replicas,
            room.pressure(),
            [f"{one.sentence} {one.remedy}" for one in findings],
        )
    finally:
        await room.close()
        await store.close()
