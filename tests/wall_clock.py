"""Wall clocks for oracles: the packaged zones through the standard library alone."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo


@lru_cache(maxsize=256)
def packaged_zone(name: str) -> ZoneInfo:
    """A zone of the tzdata package, whatever the machine's zone files say."""
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)
