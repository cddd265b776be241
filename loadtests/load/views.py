"""Comparison of a watcher's view with a fresh read: pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Rows = dict[str, str]
"""A topic for comparison: key → state, of a slot or of a booking."""


def of_slots(body: Mapping[str, Any]) -> Rows:
    """The view in an answer of ``GET …/slots``."""
    return {slot["start"]: slot["state"] for slot in body["slots"]}


def of_bookings(bookings: Iterable[Mapping[str, Any]]) -> Rows:
    """The view of a schedule's bookings, from REST or the live topic."""
    return {b["booking_id"]: f"{b['start']} {b['status']}" for b in bookings}


def difference(seen: Rows, there: Rows) -> str:
    """A sentence about the first difference; empty if there is none."""
    for key in sorted(seen.keys() | there.keys()):
        mine, fresh = seen.get(key, "absent"), there.get(key, "absent")
        if mine != fresh:
            return f"{key} is seen as {mine} but is {fresh}"
    return ""
