"""The demo region comes into a site: once, and safely again after a crash."""

from __future__ import annotations

from cluster.filling.registering import Progress
from cluster.filling.sow import Sown, sow
from cluster.site.site import Site
from cluster.wiring.calendars import open_calendars


async def sow_demo(site: Site, command: str, progress: Progress) -> Sown:
    """Make or complete the demo region, and remember that it is there.

    Raises:
        Obstacle: somebody else has the folder and cannot be reached, or a calendar
            refuses its rules.
        Unavailable: no answer in time; do it again.
    """
    async with open_calendars(site, command) as calendars:
        sown = await sow(calendars, site.made_on, progress)
    site.folder.mark_seeded("demo")
    return sown
