"""Messages of clients and of the server on the live socket: one set of types.

The decoders of the socket and the AsyncAPI document are made from these; the server's
frames, which are written by hand for speed (frames.py), are checked against them.
Commands carry the fields of the REST request of the same operation.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct

from gateway.live.core.frames import Position
from gateway.live.core.topic_names import TOPIC_CHARACTERS_MAX
from gateway.wire.formats import Instant

TEXT_BYTES_MAX: Final = 64 * 1024
TOPICS_PER_MESSAGE_MAX: Final = 256

MessageId = Annotated[
    int | str | None, Meta(description="Chosen by the client; answers repeat it.")
]
TopicText = Annotated[
    str,
    Meta(
        max_length=TOPIC_CHARACTERS_MAX,
        description="slots/<provider_id>/<visit_type>/<ISO week>, "
        "schedule/<provider_id>, me, or search/<id> as POST /v1/searches answers it.",
        examples=["slots/prv_1/consult/2026-W49"],
    ),
]
Count = Annotated[int, Meta(ge=0)]


class Envelope(Struct, frozen=True):
    """Fields of every message of a client."""

    op: str
    id: MessageId = None
    key: str | None = None


class Identified(Struct, frozen=True):
    """The readable fields of an otherwise invalid message."""

    id: MessageId = None


class Auth(Struct, frozen=True, tag_field="op", tag="auth", forbid_unknown_fields=True):
    """Sign in, refresh the token, or sign in as another person."""

    token: Annotated[str, Meta(max_length=4096)]
    id: MessageId = None


class Logout(
    Struct, frozen=True, tag_field="op", tag="logout", forbid_unknown_fields=True
):
    """Sign out: private topics end, the connection stays open.

    ``revoke``: the token is revoked on the whole site.
    """

    id: MessageId = None
    revoke: bool = False


class Subscribe(
    Struct, frozen=True, tag_field="op", tag="subscribe", forbid_unknown_fields=True
):
    """Watch topics; ``since`` is the client's position: ``[epoch, version]``."""

    topics: Annotated[
        list[TopicText], Meta(min_length=1, max_length=TOPICS_PER_MESSAGE_MAX)
    ]
    id: MessageId = None
    since: dict[str, Position] = {}


class Unsubscribe(
    Struct, frozen=True, tag_field="op", tag="unsubscribe", forbid_unknown_fields=True
):
    """Stop watching these topics."""

    topics: Annotated[
        list[TopicText], Meta(min_length=1, max_length=TOPICS_PER_MESSAGE_MAX)
    ]
    id: MessageId = None


class Ping(Struct, frozen=True, tag_field="op", tag="ping", forbid_unknown_fields=True):
    """Ask for a ``pong``."""

    id: MessageId = None


ClientMessage = Auth | Logout | Subscribe | Unsubscribe | Ping
"""Messages of clients other than commands."""

SlotPair = tuple[Instant, Literal["free", "held", "booked"]]
SlotChange = tuple[Instant, Literal["free", "held", "booked", "gone"]]


class Leave(Struct, frozen=True):
    """A span of time in which a provider offers nothing."""

    time_off_id: str
    start: Instant
    end: Instant
    reason: str


class SlotsSnapshot(Struct, frozen=True, tag_field="t", tag="snapshot"):
    """All slots of a topic at a position; replaces what the client has.

    ``seats_left``, of a group visit only: how many more patients each free slot takes.
    """

    topic: TopicText
    epoch: Count
    version: Count
    slots: list[SlotPair]
    seats_left: dict[Instant, Count] = {}


class SlotsDelta(
    Struct, frozen=True, tag_field="t", tag="delta", rename={"before": "from"}
):
    """Changed slots. States are absolute; ``gone`` removes.

    ``seats_left``, of a group visit only: how many more patients those that are free
    take.
    """

    topic: TopicText
    epoch: Count
    before: Count
    version: Count
    slots: list[SlotChange]
    seats_left: dict[Instant, Count] = {}


class BookingsSnapshot(Struct, frozen=True, tag_field="t", tag="snapshot"):
    """All bookings of a topic at a position; replaces what the client has.

    ``holds``, on ``me`` only: the patient's live holds, each with the status ``held``.
    ``notices``, on ``me`` only: the newest ones, and how many of all are ``unread``.
    """

    topic: TopicText
    epoch: Count
    version: Count
    bookings: list[dict[str, Any]]
    time_off: list[Leave] = []
    holds: list[dict[str, Any]] = []
    notices: list[dict[str, Any]] = []
    unread: Count | None = None


class BookingsDelta(
    Struct, frozen=True, tag_field="t", tag="delta", rename={"before": "from"}
):
    """Changed bookings, complete; each replaces the one with its id.

    ``time_off``, when it is there, replaces all leave. ``holds``, on ``me`` only: by
    ``hold_id`` they replace what was while their status is ``held``; ``booked``,
    ``expired``, ``released`` and ``ended`` remove. ``notices``, on ``me`` only: by
    ``notice_id`` they replace; ``unread`` comes with every change of them.
    """

    topic: TopicText
    epoch: Count
    before: Count
    version: Count
    bookings: list[dict[str, Any]]
    time_off: list[Leave] | None = None
    holds: list[dict[str, Any]] = []
    notices: list[dict[str, Any]] = []
    unread: Count | None = None


class MembersSnapshot(Struct, frozen=True, tag_field="t", tag="snapshot"):
    """A watched list at a position; replaces what the client has.

    ``members``: items of GET /v1/providers, in the order that ``order`` repeats by id.
    ``total``: how many match. ``live``: no calendar is silent that could change the
    list. ``next_cursor``: where GET /v1/providers goes on after the last member.
    """

    topic: TopicText
    epoch: Count
    version: Count
    members: list[dict[str, Any]]
    order: list[str]
    total: Count
    live: bool
    next_cursor: str | None


class MembersDelta(
    Struct, frozen=True, tag_field="t", tag="delta", rename={"before": "from"}
):
    """Changed members, each whole; they replace by ``provider_id``.

    ``gone`` are members no longer. ``order``, if it is there, is that of all members,
    and comes with ``total``, ``live`` and ``next_cursor``.
    """

    topic: TopicText
    epoch: Count
    before: Count
    version: Count
    members: list[dict[str, Any]]
    gone: list[str] = []
    order: list[str] | None = None
    total: Count | None = None
    live: bool | None = None
    next_cursor: str | None = None


class Result(Struct, frozen=True, tag_field="t", tag="result"):
    """The result of a client's message; the body is that of REST."""

    id: MessageId
    status: Annotated[int, Meta(ge=200, le=299)]
    body: Any


class FieldNote(Struct, frozen=True):
    """One invalid field."""

    field: str
    message: str


class Error(Struct, frozen=True, tag_field="t", tag="error"):
    """An error. With a ``topic``: there is no subscription to it (any more)."""

    id: MessageId
    status: Annotated[int, Meta(ge=400, le=599)]
    code: str
    detail: str
    topic: str = ""
    errors: list[FieldNote] = []
    retry_ms: int = 0
    hold_id: str | None = None
    booking_id: str | None = None


class Pong(Struct, frozen=True, tag_field="t", tag="pong"):
    """The answer to a ping."""

    id: MessageId


class Heartbeat(Struct, frozen=True, tag_field="t", tag="heartbeat"):
    """Every 20 s: the server's time, and the positions of the client's topics."""

    now: Instant
    positions: dict[str, Position]


class Bye(Struct, frozen=True, tag_field="t", tag="bye"):
    """The connection is about to be closed with this code.

    A client that comes back waits a random time between the two of ``retry_ms``.
    """

    code: int
    retry_ms: tuple[int, int]
