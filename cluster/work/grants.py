"""The job that ends guardianships whose time is up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from actors.ports import Clock
from care.grants.ports import Guardianships
from care.jobs.jobs import Job
from care.jobs.ports import Handler
from care.notices.messages import Message
from cluster.site.site import Site
from persistence.grants.guardians import SqlGuardianships
from persistence.keys.ring import KeyRing
from persistence.sql.records import Records

END_GUARDIANSHIPS: Final = "guardians.end"
"""Notes that guardianships are over and tells the guardians. Their tokens ended by
themselves, at the instant."""
ENDED_AT_ONCE: Final = 100
"""In one transaction."""
MAIL: Final = Message(
    "guardianship_over",
    "",
    "You no longer act for a person",
    "A person whom you acted for is of age, so your access to their visits and data "
    "has ended. They can invite you again from their own account.",
)


def guardian_handlers(
    guardianships: Guardianships, clock: Clock
) -> Mapping[str, Handler]:
    """Handlers of jobs about guardianships."""

    async def end(_job: Job) -> None:
        while await guardianships.end_due(MAIL, now=clock.now(), limit=ENDED_AT_ONCE):
            pass

    return {END_GUARDIANSHIPS: end}


def guardian_handlers_of(
    site: Site, records: Records, clock: Clock
) -> Mapping[str, Handler]:
    """The handlers of a site, over its records.

    Raises:
        Obstacle: the keys of sealed data cannot be used.
    """
    ring = KeyRing(records, site.key_encryption_keys(), clock)
    return guardian_handlers(SqlGuardianships(records, ring), clock)
