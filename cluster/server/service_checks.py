"""Checks of a site's services before it starts: database and Redis.

A service setting that would break a guarantee stops the start, with its name and a
remedy; a merely unwise one causes a warning.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from actors.errors import SchedulingError
from cluster.site.site import Site
from cluster.terminal.obstacle import Obstacle
from cluster.terminal.terminal import Terminal
from persistence.findings import Finding


def check_services(site: Site, terminal: Terminal) -> None:
    """Check the services of this site. Blocks; not for an event loop.

    Raises:
        Obstacle: a setting would break a guarantee, or the journal does not answer. A
        read model that does not answer prevents nothing: it is written behind.
    """
    settings = site.settings
    if settings.journal_is_redis:
        _heed(_journal_findings(settings.journal, settings.journal_replicas), terminal)
    if settings.database:
        _heed(_database_findings(settings.database, terminal), terminal)


def _journal_findings(url: str, replicas: int) -> Sequence[Finding]:
    from persistence.redis.server import inspect_server

    try:
        return asyncio.run(inspect_server(url, replicas))
    except (SchedulingError, OSError) as error:
        raise Obstacle(
            f"The journal's Redis does not answer: {error}",
            "Start it, or check SLOTCAST_JOURNAL (its address and password).",
        ) from error


def _database_findings(url: str, terminal: Terminal) -> Sequence[Finding]:
    from persistence.sql.server_settings import inspect_database

    try:
        return asyncio.run(inspect_database(url))
    except (SchedulingError, OSError) as error:
        terminal.note(
            f"The database does not answer ({error}); bookings go on without it, and "
            "the read model follows when it is back.",
            style="yellow",
        )
        return ()


def _heed(findings: Sequence[Finding], terminal: Terminal) -> None:
    for finding in findings:
        if finding.severity == "refuse":
            raise Obstacle(finding.sentence, finding.remedy)
        terminal.note(f"{finding.sentence} {finding.remedy}", style="yellow")
