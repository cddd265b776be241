"""Whether what watchers see is what there is: pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Rows = dict[str, str]
"""A topic as it is compared: key → state, of a slot or of a booking."""


def of_slots(body: Mapping[str, Any]) -> Rows:
    """The answer of ``GET …/slots``."""
    return {slot["start"]: slot["state"] for slot in body["slots"]}


def of_bookings(bookings: Iterable[Mapping[str, Any]]) -> Rows:
    """Bookings of a schedule, from REST or from the live topic."""
    return {b["booking_id"]: f"{b['start']} {b['status']}" for b in bookings}


def difference(seen: Rows, there: Rows) -> str:
    """A sentence on the first difference; empty if there is none."""
    for key in sorted(seen.keys() | there.keys()):
        mine, fresh = seen.get(key, "absent"), there.get(key, "absent")
        if mine != fresh:
            return f"{key} is seen as {mine}, and is {fresh}"
    return ""
