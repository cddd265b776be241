"""Encodes messages of the server, each once for all receivers.

A frame is complete when it is made. Writers put the same object on every socket; no
frame carries anything that belongs to one watcher. Answers to one watcher's own
requests are the exception, and are made here too.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Final, Literal

from msgspec import Struct, json, to_builtins

from actors.domain.ids import HoldId, Millis, ProviderId
from actors.domain.messages.answers import (
    FREE,
    GONE,
    BookingView,
    HoldView,
    seats_of,
)
from actors.domain.rules import TimeOff
from care.notices.ports import Notice
from gateway.holds.schemas import hold_body
from gateway.live.core.topic_names import Kind, TopicName
from gateway.wire.formats import millis_text, minute_text
from gateway.wire.problems import Problem


class HoldOver(Struct, frozen=True):
    """An ended hold; ``status`` says how it ended.

    ``ended``: its end was not observed, and its calendar does not have it.
    """

    hold_id: HoldId
    provider_id: ProviderId
    status: Literal["booked", "expired", "released", "ended"]


class Hidden(Struct, frozen=True):
    """A booking that is confidential since this version of its calendar."""

    version: int


class Unread(Struct, frozen=True):
    """How many of a patient's notices are unread.

    ``shown`` stands for the notices that are shown and for which of them are read: a
    change of any is said together with the number.
    """

    count: int
    shown: int


class ListState(Struct, frozen=True):
    """What a watched list says of itself; ``order``: all members, by id."""

    order: tuple[str, ...]
    total: int
    live: bool
    next_cursor: str | None


Row = (
    str
    | bytes
    | ListState
    | BookingView
    | HoldView
    | HoldOver
    | Hidden
    | Notice
    | Unread
    | tuple[TimeOff, ...]
)
"""A slot's state in one letter (answers.py), a booking, a live hold, in changes one
that is over or a booking that became confidential, a notice, (under ``UNREAD``) how
many are unread, (under ``TIME_OFF``) all leave, a member of a list as JSON, or (under
``LIST``) what the list says of itself."""

Rows = dict[int | str, Row]
"""What a topic shows: start -> state, or booking id -> booking. Absolute."""

TIME_OFF: Final = ""
"""The key of a schedule's leave among its bookings, whose ids are never empty."""

LIST: Final = ""
"""The key of a watched list's state among its members, whose ids are never empty."""

UNREAD: Final = "unread"
"""The key of the number of unread notices; no id looks like it."""

Identifier = int | str | None
"""A message's id, chosen by the client; answers repeat it."""

_TEXT: Final = 0x81
"""A text frame, and the last of its message."""
_SHORT, _LONG = 126, 1 << 16
"""Payloads from these lengths on say their length in two more bytes, or in eight."""
_WORDS: Final = {"f": "free", "h": "held", "b": "booked", "g": "gone"}


class Position(Struct, frozen=True, array_like=True, order=True):
    """A watcher's position on a topic."""

    epoch: int
    version: int


NOWHERE: Final = Position(-1, -1)
"""The position before all others: a snapshot is due."""


class Frame:
    """One finished message. ``topic`` and ``position`` say what it brings up to date.

    ``payload`` is the JSON text in UTF-8; ``wire`` is the whole WebSocket frame for
    transports that take bytes, ``text`` for those that take text; made at most once.
    """

    __slots__ = ("_text", "_wire", "payload", "position", "topic")

    def __init__(
        self, payload: bytes, topic: str = "", position: Position = NOWHERE
    ) -> None:
        self.payload = payload
        self.topic = topic
        self.position = position
        self._text: str | None = None
        self._wire: bytes | None = None

    @property
    def wire(self) -> bytes:
        """Header and payload: final, unmasked, uncompressed (RFC 6455, section 5.2)."""
        if self._wire is None:
            self._wire = header_of(len(self.payload)) + self.payload
        return self._wire

    @property
    def text(self) -> str:
        """The payload as text."""
        if self._text is None:
            self._text = self.payload.decode()
        return self._text


def header_of(length: int) -> bytes:
    """The header of a whole, unmasked text frame with a payload of this length."""
    if length < _SHORT:
        return bytes((_TEXT, length))
    if length < _LONG:
        return struct.pack(">BBH", _TEXT, _SHORT, length)
    return struct.pack(">BBQ", _TEXT, _SHORT + 1, length)


class FrameEncoder:
    """Makes the frames of topics, and counts them.

    ``booking_body`` is the body of GET /bookings/{id}, so that both transports say
    the same; ``notice_body`` that of an item of GET /notices. ``encoded`` proves
    that a change is encoded once, not once per watcher.
    """

    def __init__(
        self,
        booking_body: Callable[[BookingView], bytes],
        notice_body: Callable[[Notice], bytes] = json.encode,
    ) -> None:
        self._booking_body = booking_body
        self._notice_body = notice_body
        self.deltas = 0
        self.snapshots = 0

    def snapshot(self, name: TopicName, position: Position, rows: Rows) -> Frame:
        """The snapshot of a topic at a position."""
        self.snapshots += 1
        return self.snapshot_of(name, position, self._content(name.kind, rows))

    def snapshot_of(self, name: TopicName, position: Position, content: bytes) -> Frame:
        """The same, from encoded content: see ``content_of``."""
        payload = b'{"t":"snapshot",%b"version":%d,%b}' % (
            _head(name.wire, position),
            position.version,
            content,
        )
        return Frame(payload, name.wire, position)

    def delta(
        self, name: TopicName, before: int, position: Position, rows: Rows
    ) -> Frame:
        """The delta between two versions of one epoch."""
        self.deltas += 1
        content = self._content(name.kind, rows)
        payload = b'{"t":"delta",%b"from":%d,"version":%d,%b}' % (
            _head(name.wire, position),
            before,
            position.version,
            content,
        )
        return Frame(payload, name.wire, position)

    def _content(self, kind: Kind, rows: Rows) -> bytes:
        if kind is Kind.SLOTS:
            return _slots(rows)
        if kind is Kind.SEARCH:
            return _members(rows)
        body = self._booking_body
        bookings = [body(row) for row in rows.values() if isinstance(row, BookingView)]
        content = b'"bookings":[%b]' % b",".join(bookings)
        holds = [
            _held(row) if isinstance(row, HoldView) else to_builtins(row)
            for row in rows.values()
            if isinstance(row, HoldView | HoldOver)
        ]
        if holds:
            content += b',"holds":' + json.encode(holds)
        unread = rows.get(UNREAD)
        if isinstance(unread, Unread):
            told = (row for row in rows.values() if isinstance(row, Notice))
            notices = b",".join(map(self._notice_body, told))
            content += b',"unread":%d,"notices":[%b]' % (unread.count, notices)
        leave = rows.get(TIME_OFF)
        if isinstance(leave, tuple):
            content += b',"time_off":' + json.encode([_leave(one) for one in leave])
        return content


def content_of(snapshot: Frame) -> bytes:
    """The part of a snapshot of slots that does not name topic or position."""
    payload = snapshot.payload
    # No topic's name has a quotation mark in it.
    return payload[payload.index(b'"slots":[') : -1]


def _head(wire: str, position: Position) -> bytes:
    # A topic's name has been checked: it holds nothing that JSON must escape.
    return b'"topic":"%b","epoch":%d,' % (wire.encode(), position.epoch)


def _slots(rows: Rows) -> bytes:
    words = _WORDS
    try:
        pairs = [
            f'["{minute_text(start)}","{words[state]}"]'
            for start, state in sorted(rows.items())
            if isinstance(start, int) and isinstance(state, str)
        ]
    except KeyError:
        return _slots_with_seats(rows)
    return b'"slots":[%b]' % ",".join(pairs).encode()


def _slots_with_seats(rows: Rows) -> bytes:
    """The same of a group visit: beside the states, how many seats are left."""
    seats = {
        start: left
        for start, state in sorted(rows.items())
        if isinstance(start, int)
        and isinstance(state, str)
        and (left := seats_of(state))
    }
    plain = _slots(rows | dict.fromkeys(seats, FREE))
    told = (f'"{minute_text(start)}":{left}' for start, left in seats.items())
    return b'%b,"seats_left":{%b}' % (plain, ",".join(told).encode())


def _members(rows: Rows) -> bytes:
    state = rows.get(LIST)
    order = state.order if isinstance(state, ListState) else rows
    members = [row for key in order if isinstance(row := rows.get(key), bytes)]
    content = b'"members":[%b]' % b",".join(members)
    gone = [key for key, row in rows.items() if row == GONE]
    if gone:
        content += b',"gone":' + json.encode(gone)
    if isinstance(state, ListState):
        content += b"," + json.encode(state)[1:-1]
    return content


def _held(hold: HoldView) -> dict[str, object]:
    """A hold, whenever the frame is read: its end is an instant, not a duration."""
    body: dict[str, object] = to_builtins(hold_body(hold, hold.expires))
    del body["expires_in_ms"]
    return {"status": "held", **body}


def _leave(time_off: TimeOff) -> dict[str, str]:
    return {
        "time_off_id": time_off.time_off_id,
        "start": minute_text(time_off.start),
        "end": minute_text(time_off.end),
        "reason": time_off.reason,
    }


def result_frame(identifier: Identifier, status: int, body: bytes) -> Frame:
    """The answer to a client's message; the body is that of REST."""
    # The body is JSON already; the rest is written around it.
    shown = b"%d" % identifier if type(identifier) is int else json.encode(identifier)
    return Frame(
        b'{"t":"result","id":%b,"status":%d,"body":%b}'
        % (shown, status, body or b"null")
    )


def error_frame(identifier: Identifier, problem: Problem, topic: str = "") -> Frame:
    """An error; with a ``topic`` it means that there is no subscription to it."""
    content: dict[str, object] = {
        "t": "error",
        "id": identifier,
        "status": problem.status,
        "code": problem.code,
        "detail": problem.detail,
    }
    if topic:
        content["topic"] = topic
    content |= problem.reason
    if problem.fields:
        content["errors"] = [{"field": f, "message": m} for f, m in problem.fields]
    for name, value in problem.headers:
        if name == b"retry-after":
            content["retry_ms"] = int(value) * 1000
    return Frame(json.encode(content))


def pong_frame(identifier: Identifier) -> Frame:
    """The answer to a ping."""
    return Frame(json.encode({"t": "pong", "id": identifier}))


def heartbeat_frame(now: Millis, positions: Mapping[str, Position]) -> Frame:
    """A heartbeat, with the positions of the client's topics."""
    return Frame(
        json.encode({"t": "heartbeat", "now": millis_text(now), "positions": positions})
    )


def bye_frame(code: int, retry_ms: tuple[int, int]) -> Frame:
    """Announces the close of the connection; reconnect within this range of delays."""
    return Frame(json.encode({"t": "bye", "code": code, "retry_ms": retry_ms}))
