"""Reads where postcodes are: a CSV file with a header, as the ONS Postcode Directory.

The columns are found by their names; docs/import.md lists them. The file is read line
by line and only what is asked for is kept: the real one has 2.7 million rows.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from care.directory.words import Point

POSTCODE: Final = ("pcds", "postcode", "pcd", "pcd7", "pcd8")
LATITUDE: Final = ("lat", "latitude")
LONGITUDE: Final = ("long", "longitude", "lng", "lon")
_LATITUDE_MAX: Final = 90
_LONGITUDE_MAX: Final = 180


class OtherColumns(Exception):
    """The file's first line names no postcode, latitude and longitude."""


def plain(postcode: str) -> str:
    """A postcode as it is compared: capitals without spaces."""
    return "".join(postcode.split()).upper()


def read_postcodes(lines: Iterable[str], wanted: Collection[str]) -> dict[str, Point]:
    """Plain postcode to latitude and longitude, of those that are wanted.

    Rows that give no place are left out: the directory writes 99.999999 for none.

    Raises:
        OtherColumns: see there.
    """
    rows = csv.DictReader(lines)
    names = {name.strip().lower(): name for name in rows.fieldnames or () if name}
    columns = [
        next((names[one] for one in known if one in names), None)
        for known in (POSTCODE, LATITUDE, LONGITUDE)
    ]
    code, latitude, longitude = columns
    if code is None or latitude is None or longitude is None:
        raise OtherColumns(", ".join(names) or "nothing")
    found: dict[str, Point] = {}
    for row in rows:
        postcode = plain(row[code] or "")
        if postcode in wanted and (point := _point(row, latitude, longitude)):
            found[postcode] = point
    return found


def _point(
    row: Mapping[str, str | None], latitude: str, longitude: str
) -> Point | None:
    try:
        lat, lon = float(row[latitude] or ""), float(row[longitude] or "")
    except ValueError:
        return None
    if abs(lat) <= _LATITUDE_MAX and abs(lon) <= _LONGITUDE_MAX:  # false for NaN
        return lat, lon
    return None
