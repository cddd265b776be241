"""The packaged edition of the IANA time zone database, the only one used.

``zoneinfo.ZoneInfo(name)`` reads the zone files of the machine before those of the
package, so that two machines could offer one visit at two instants. Zones are built
from the package's files here; no other module makes one.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Final
from zoneinfo import ZoneInfo

import tzdata

EDITION: Final = str(tzdata.IANA_VERSION)
"""The edition of the database, for instance ``2026f``."""

_PLACEHOLDERS: Final = frozenset({"Factory"})
"""Placeholder zones in the database, which are refused."""

_PACKAGE: Final = files("tzdata")

NAMES: Final = (
    frozenset(_PACKAGE.joinpath("zones").read_text("utf-8").split()) - _PLACEHOLDERS
)
"""The names of the IANA list, links such as ``Asia/Calcutta`` included."""


@lru_cache(maxsize=1024)
def zone_info(name: str) -> ZoneInfo | None:
    """The zone of an IANA name as the package has it; None if it is not one."""
    if name not in NAMES:
        return None
    with _PACKAGE.joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)
