"""What ``slotcast watch`` prints: live topics as lines for people, or for programs.

For people: what a topic shows, then each change on a line of its own. For programs: one
JSON object a line, whose ``event`` says what it is. Tokens are in neither.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any, Final, Protocol

from rich.text import Text

from slotcast.client import Change, TopicView
from slotcast.client.events import (
    ByeSeen,
    Connected,
    DeltaSeen,
    Event,
    GapHealed,
    GapSeen,
    Lost,
    SignedIn,
    SnapshotSeen,
    TokenEnding,
    TopicRefused,
)
from slotcast.client.frames import Position

STATES: Final = ("free", "held", "booked")
_STYLES: Final = {
    "free": "green",
    "held": "yellow",
    "booked": "red",
    "": "dim",
    "cancelled": "dim",
    "arrived": "cyan",
    "fulfilled": "dim green",
    "noshow": "magenta",
}
_LEAVING: Final = {
    4005: "the token has expired",
    4008: "we read too slowly",
    4012: "the server stops",
    4013: "the server is overloaded",
}


_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")


def isolated(text: str) -> str:
    """Free text without characters that change the direction of the line."""
    return f"\u2068{text}\u2069" if _TURNING.search(text) else text


class Writing(Protocol):
    """Turns events into lines, at an instant in milliseconds since 1970."""

    def lines(
        self, event: Event, views: Mapping[str, TopicView], now: int
    ) -> Iterator[Text]:
        """Lines to print for an event; may be empty."""
        ...


class PlainLines:
    """Lines for people, in the time of a zone (None: the machine's)."""

    def __init__(self, zone: tzinfo | None, *, names_topics: bool) -> None:
        self._zone = zone
        self._names_topics = names_topics

    def lines(
        self, event: Event, views: Mapping[str, TopicView], now: int
    ) -> Iterator[Text]:
        """Lines to print for an event; may be empty."""
        match event:
            case SnapshotSeen(before=None) if event.topic in views:
                yield from self._content(views[event.topic], now)
            case SnapshotSeen() | DeltaSeen():
                for change in event.changes:
                    yield self._change(event.topic, event.position, change, now)
            case _:
                told = remark(event)
                if told:
                    yield Text(f"{self._clock(now)}  {told}", style="dim")

    def _content(self, view: TopicView, now: int) -> Iterator[Text]:
        head = Text(view.topic, style="bold")
        rows = [*view.slots.values(), *(r["status"] for r in view.bookings.values())]
        counts = Counter(rows)
        states = [*STATES, *sorted(counts.keys() - set(STATES))]
        told = ", ".join(
            f"{counts[state]} {state}" for state in states if counts[state]
        )
        zone = datetime.fromtimestamp(now / 1000, UTC).astimezone(self._zone).tzname()
        head.append(
            f"  {told or 'nothing'}, at {at(view.position)}, times in {zone}",
            style="not bold",
        )
        yield head
        yield from self._days(view.slots)
        for row in sorted(view.bookings.values(), key=lambda row: str(row["start"])):
            line = Text(f"  {self._start(str(row['start']))}  ")
            line.append(
                f"{row['status']:<9}", style=_STYLES.get(str(row["status"]), "")
            )
            yield line.append(f"  {_who(row)}")
        for leave in view.time_off:
            first, last = (self._start(str(leave[end])) for end in ("start", "end"))
            reason = isolated(str(leave["reason"]))
            yield Text(f"  off from {first} to {last}  {reason}", style="dim")

    def _days(self, slots: Mapping[str, str]) -> Iterator[Text]:
        """A line for each day and state, with its times."""
        days: dict[str, dict[str, list[str]]] = {}
        for start, state in sorted(slots.items()):
            day, _, time = self._start(start).rpartition(" ")
            days.setdefault(day, {}).setdefault(state, []).append(time)
        for day, states in days.items():
            shown = day
            for state in STATES:
                if state in states:
                    line = Text(f"  {shown:<11}{state:<7}")
                    yield line.append(" ".join(states[state]), style=_STYLES[state])
                    shown = ""

    def _change(self, topic: str, position: Position, change: Change, now: int) -> Text:
        line = Text(f"{self._clock(now)}  ")
        if self._names_topics:
            line.append(f"{topic}  ", style="bold")
        booking = change.booking
        start = change.key if booking is None else str(booking.get("start", ""))
        line.append(f"{self._start(start)}  ")
        line.append(change.old or "nothing", style=_STYLES.get(change.old, ""))
        if change.old == change.new:
            line.append(", changed")  # a booking that was moved, or its reason
        else:
            line.append(" -> ")
            line.append(change.new or "gone", style=_STYLES.get(change.new, ""))
        if booking is not None:
            line.append(f"  {_who(booking)}")
        return line.append(f"  at {at(position)}", style="dim")

    def _start(self, text: str) -> str:
        """``Tue  1 Dec 09:00``; what is no instant stays as it is."""
        try:
            instant = datetime.fromisoformat(text).astimezone(self._zone)
        except ValueError:
            return text
        return f"{instant:%a} {instant.day:2} {instant:%b %H:%M}"

    def _clock(self, now: int) -> str:
        local = datetime.fromtimestamp(now / 1000, UTC).astimezone(self._zone)
        return f"{local:%H:%M:%S}.{now % 1000:03}"


class JsonLines:
    """Lines for programs: UTC, and names that stay."""

    def lines(
        self, event: Event, views: Mapping[str, TopicView], now: int
    ) -> Iterator[Text]:
        """Lines to print for an event; may be empty."""
        instant = datetime.fromtimestamp(now / 1000, UTC)
        seen_at = instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        for kind, fields in documents(event, views):
            told = {"event": kind, "seen_at": seen_at, **fields}
            yield Text(json.dumps(told, ensure_ascii=False))


def documents(
    event: Event, views: Mapping[str, TopicView]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """An event's names and fields for programs: none, one, or one for each change."""
    match event:
        case SnapshotSeen(before=None) if event.topic in views:
            yield "snapshot", _shown(views[event.topic])
        case SnapshotSeen() | DeltaSeen():
            where = _position(event.topic, event.position)
            for change in event.changes:
                named = "start" if change.booking is None else "booking_id"
                fields: dict[str, Any] = {named: change.key}
                if change.booking is not None:
                    fields["booking"] = change.booking
                yield "change", where | fields | {"old": change.old, "new": change.new}
        case GapSeen():
            yield "gap", {"topic": event.topic}
        case GapHealed():
            yield "healed", _position(event.topic, event.position)
        case _:
            told = remark(event)
            if told:
                yield _name(event), {"detail": told}


def remark(event: Event) -> str:
    """The line for an event that is no change; may be empty."""
    match event:
        case Connected(again=True):
            return "connected again"
        case Lost():
            why = _LEAVING.get(event.code or 0, event.reason)
            return f"connection lost ({why}); again in {event.wait_s:.1f} s"
        case TokenEnding():
            return "the token ends soon"
        case SignedIn():
            return f"signed in as {event.role} {event.subject}"
        case ByeSeen():
            return f"the server says goodbye: {_LEAVING.get(event.code, event.code)}"
        case GapSeen() | GapHealed() | TopicRefused():
            return _remark_on_topic(event)
        case _:
            return ""


def _remark_on_topic(event: GapSeen | GapHealed | TopicRefused) -> str:
    match event:
        case GapSeen():
            return f"something of {event.topic} was missed; asked for it"
        case GapHealed():
            return f"{event.topic} is complete again, at {at(event.position)}"
        case TopicRefused():
            return f"{event.topic} is refused: {event.detail}"


def at(position: Position | None) -> str:
    """``7.105``: epoch and version."""
    return "none" if position is None else f"{position[0]}.{position[1]}"


def _name(event: Event) -> str:
    names: dict[type, str] = {
        Connected: "connected",
        Lost: "lost",
        TopicRefused: "refused",
        TokenEnding: "token_ending",
        SignedIn: "signed_in",
        ByeSeen: "bye",
    }
    return names[type(event)]


def _shown(view: TopicView) -> dict[str, Any]:
    fields = _position(view.topic, view.position or (0, 0))
    if view.topic.startswith("slots/"):
        return fields | {"slots": sorted(view.slots.items())}
    rows = list(view.bookings.values())
    return fields | {"bookings": rows, "time_off": list(view.time_off)}


def _position(topic: str, position: Position) -> dict[str, Any]:
    return {"topic": topic, "epoch": position[0], "version": position[1]}


def _who(row: Mapping[str, Any]) -> str:
    names = ("visit_type", "patient_id", "provider_id", "booking_id")
    return "  ".join(str(row[name]) for name in names if row.get(name))
