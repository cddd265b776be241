"""What the watchers of a list are shown."""

from __future__ import annotations

from msgspec import Struct


class ListView(Struct, frozen=True):
    """A list at an instant.

    ``members``: in order, by provider id, each as JSON: an item of GET /providers.
    ``total``: all that match. ``live``: no calendar is silent that could change it.
    ``next_cursor``: where the rest begins, for GET /providers; None if there is none.
    """

    members: dict[str, bytes]
    total: int
    live: bool
    next_cursor: str | None
