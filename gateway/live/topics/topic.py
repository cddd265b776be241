"""One topic: its content at a position, its recent frames, its watchers.

Positions: ``version`` is that of the last frame, and the next delta's ``from``, so that
frames chain although a calendar's version also counts what other topics show. ``floor``
is the version of the content; changes up to it are already in it.

While a read is in flight nothing is applied: changes wait in ``held`` (position first,
then data), and those that the read already contains are skipped. A read that is too
old, or was overtaken by a reset, is discarded and repeated. One file because a frame,
its content and its position change together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from actors.domain.ids import Millis, ProviderId
from actors.domain.messages.answers import (
    GONE,
    BookingView,
    HoldView,
    ScheduleView,
    SlotsView,
)
from care.notices.ports import Notice
from gateway.directory.lists.shown import ListView
from gateway.live.core.frames import (
    LIST,
    NOWHERE,
    TIME_OFF,
    Frame,
    FrameEncoder,
    Hidden,
    HoldOver,
    ListState,
    Position,
    Rows,
)
from gateway.live.core.topic_names import TopicName
from gateway.live.topics.ring import Ring, SentDelta

if TYPE_CHECKING:
    from gateway.live.topics.watcher import Watcher
    from gateway.wire.problems import Problem


class MeView(Struct, frozen=True):
    """A patient's bookings, as the read model knows them, and live holds.

    ``holds``: None if they are not known; those that are shown stay. ``inbox``: the
    newest notices and how many are unread, empty if they are not known.
    """

    bookings: Sequence[BookingView]
    holds: Sequence[HoldView] | None = None
    inbox: Rows = {}


TopicView = SlotsView | ScheduleView | MeView | ListView
"""The answer to a topic's read."""

HELD_MAX: Final = 1_024
"""Most changes kept while a read is in flight; with more the topic is read again."""

FRAMES_AS_THEY_ARE: Final = 4
"""A watcher that misses more deltas than this gets them merged into one."""


class Held(Struct, frozen=True):
    """A change that waits for a read to end."""

    position: Position
    rows: Rows


class Board:
    """One topic's content and position.

    The hub decides when to send, this class what.
    """

    __slots__ = (
        "_merged",
        "_ready",
        "_snapshot",
        "again",
        "asked",
        "composed",
        "encoder",
        "epoch",
        "floor",
        "held",
        "hidden",
        "idle_since",
        "loaded",
        "members",
        "name",
        "need",
        "payers",
        "pending",
        "pending_version",
        "read_at",
        "reading",
        "ring",
        "rows",
        "spoke_at",
        "unsure",
        "version",
        "waiting",
        "watchers",
    )

    def __init__(  # noqa: PLR0915 - one for each field
        self, name: TopicName, encoder: FrameEncoder
    ) -> None:
        self.name = name
        self.encoder = encoder
        self.loaded = False
        self.composed = False
        """Slots of a visit that takes rooms or equipment too: it is read again with
        each change of one of their calendars, and no position names its content."""
        self.members: frozenset[ProviderId] = frozenset()
        """Those calendars."""
        self.epoch = self.version = self.floor = 0
        self.rows: Rows = {}
        self.hidden: dict[int | str, int] = {}
        """Bookings that this topic does not show, and the version that hid them."""
        self.ring = Ring()
        self.watchers: dict[Watcher, None] = {}
        self.waiting: dict[Watcher, Position] = {}
        self.asked: dict[Callable[[Problem | None], None], None] = {}
        """Called once with whether the topic exists."""
        self.payers: tuple[str, ...] = ()
        """The payer of the topic; see sessions/topic_limits.py."""
        self.reading = False
        self.again = False
        self.need = NOWHERE
        self.held: list[Held] = []
        self.unsure: list[HoldView] = []
        """Holds that were held back and may have ended meanwhile: the read asks."""
        self.pending: Rows = {}
        """Changes in the content that were not sent yet (coalescing.py)."""
        self.pending_version = 0
        self.spoke_at = Millis(-(1 << 62))
        self.idle_since: Millis | None = None
        self.read_at = Millis(0)
        self._snapshot: Frame | None = None
        self._ready: Frame | None = None
        self._merged: dict[int, Frame] = {}

    @property
    def position(self) -> Position:
        """The position of a watcher that has every frame."""
        return Position(self.epoch, self.version)

    @property
    def is_watched(self) -> bool:
        """Whether it has watchers, including those that wait for the first content."""
        return bool(self.watchers or self.waiting)

    @property
    def is_wanted(self) -> bool:
        """Whether it is watched, or a subscription waits to learn if it exists."""
        return self.is_watched or bool(self.asked)

    # --- content ---------------------------------------------------------------

    def hold(self, position: Position, rows: Rows) -> None:
        """Keep a change until the read in flight has ended."""
        if len(self.held) >= HELD_MAX:
            self.held.clear()
            self.again = True
            self.need = max(self.need, position)
        self.held.append(Held(position, rows))

    def for_proxies(self, rows: Rows) -> Rows:
        """Rows as people see them who act for the patient; notes what is hidden."""
        seen: Rows = {}
        for key, row in rows.items():
            if isinstance(row, BookingView) and row.confidential:
                known = self.hidden.get(key, -1)
                self.hidden[key] = max(known, row.version)
                seen[key] = Hidden(row.version)
            elif isinstance(row, HoldView):
                seen[key] = replace(row, moving=None)  # it may be confidential
            else:
                seen[key] = row
        return seen

    def doubt_held(self) -> None:
        """Changes were missed: holds that were held back may have ended meanwhile."""
        for change in self.held:
            for key, row in list(change.rows.items()):
                if isinstance(row, HoldView):
                    self.unsure.append(row)
                    del change.rows[key]

    def take_held(self) -> Sequence[Held]:
        """Take the held changes, in order."""
        held, self.held = self.held, []
        self.unsure = []
        return held

    def begin(self, position: Position, rows: Rows) -> None:
        """Replace the content: earlier frames do not chain any more."""
        self.epoch, self.version = position.epoch, position.version
        self.floor = position.version
        self.rows = {}
        self.rows = self.news(rows) if self.name.proxy else rows
        self.ring.clear()
        self.pending = {}
        self.loaded = True
        self._forget_frames()

    def news(self, rows: Rows) -> Rows:
        """The part of a change that is different from what is shown."""
        shown = self.rows
        if self.name.kind.is_whole:
            return {
                key: row for key, row in rows.items() if shown.get(key, GONE) != row
            }
        return {key: row for key, row in rows.items() if self._is_newer(key, row)}

    def _is_newer(self, key: int | str, row: object) -> bool:
        old = self.rows.get(key)
        if isinstance(row, HoldOver | Hidden):
            return old is not None
        if isinstance(old, Notice) and isinstance(row, Notice):
            return old.read_at is None and row.read_at is not None
        if isinstance(row, BookingView) and row.version <= self.hidden.get(key, -1):
            return False  # read before it was hidden
        if isinstance(old, HoldView) and isinstance(row, HoldView):
            return row.version >= old.version and _promise(row) != _promise(old)
        if isinstance(old, BookingView) and isinstance(row, BookingView):
            # A booking's version is its calendar's, so it never goes back; a read may
            # repeat an unchanged booking at a later one.
            return row.version >= old.version and _visible(row) != _visible(old)
        return old != row

    def difference(self, fresh: Rows) -> Rows:
        """The changes that turn the shown content into the fresh one.

        Bookings that are not in the fresh content have left its window: they stay.
        Holds that are not in it have ended.
        """
        changed = self.news(fresh)
        missing = self.rows.keys() - fresh.keys()
        if self.name.kind.is_whole:
            return changed | dict.fromkeys(missing, GONE)
        for key in missing:
            if isinstance(hold := self.rows[key], HoldView):
                changed[key] = HoldOver(hold.hold_id, hold.provider_id, "ended")
        return changed

    @property
    def holds(self) -> Sequence[HoldView]:
        """The live holds in the content, and those that may be live."""
        shown = [row for row in self.rows.values() if isinstance(row, HoldView)]
        return [*shown, *self.unsure]

    def pend(self, version: int, rows: Rows) -> None:
        """Hold a change back; a newer one replaces an older one of the same item."""
        pending = self.pending
        for key, row in rows.items():
            old = pending.get(key)
            if not (
                isinstance(old, BookingView)
                and isinstance(row, BookingView)
                and row.version < old.version
            ):
                pending[key] = row
        self.pending_version = max(self.pending_version, version)

    def end(self) -> None:
        """End the topic: it has no watchers, and nothing to send."""
        self.watchers, self.waiting, self.pending = {}, {}, {}

    def take_pending(self) -> tuple[int, Rows]:
        """Take the held-back changes and their last version, leaving none."""
        rows, self.pending = self.pending, {}
        version, self.pending_version = self.pending_version, 0
        return version, rows

    def advance(self, version: int, rows: Rows, now: Millis) -> Frame:
        """Apply changes, and make their delta."""
        before = self.version
        self._apply(rows)
        self.version = version
        self.floor = max(self.floor, version)
        frame = self.encoder.delta(self.name, before, self.position, rows)
        self.ring.append(SentDelta(before, version, rows, frame, now))
        self._forget_frames()
        return frame

    def conceal(self, version: int, rows: Rows) -> None:
        """Apply changes that hide bookings: no delta says so, a snapshot is due."""
        self._apply(rows)
        self.version = version
        self.floor = max(self.floor, version)
        self.ring.clear()
        self._forget_frames()

    def _apply(self, rows: Rows) -> None:
        shown = self.rows
        for key, row in rows.items():
            if row == GONE or isinstance(row, HoldOver | Hidden):
                shown.pop(key, None)
            else:
                shown[key] = row

    # --- frames ----------------------------------------------------------------

    def snapshot(self) -> Frame:
        """The snapshot, encoded once per position."""
        ready, self._ready = self._ready, None
        if self._snapshot is None and ready is not None:
            # A position names one page, so its encoding may come from elsewhere.
            self._snapshot = ready if ready.position == self.position else None
        if self._snapshot is None:
            self._snapshot = self.encoder.snapshot(self.name, self.position, self.rows)
        return self._snapshot

    @property
    def encoded(self) -> Frame | None:
        """The snapshot, if it has been encoded at this position."""
        return self._snapshot

    def prepare(self, snapshot: Frame) -> None:
        """Use this snapshot if the next one wanted is at its position."""
        self._ready = snapshot

    def catch_up(self, stands: Position) -> Sequence[Frame] | None:
        """The deltas missing after a position; None means that a snapshot is needed.

        All or nothing: never a part of what is missing.
        """
        if stands.epoch != self.epoch or self.composed:
            return None
        if stands.version >= self.version:
            # At the floor the page is ours. In between and beyond it a client may have
            # seen, elsewhere, what was undone since: our next delta would not mention
            # it, so it gets a snapshot. Positions of "me" are this process's alone.
            # What is held back is such a thing too.
            ours = self.version if self.pending else self.floor
            return () if stands.version in (self.version, ours) else None
        missing = self.ring.after(stands.version)
        if missing is None:
            return None
        if len(missing) <= FRAMES_AS_THEY_ARE:
            return [entry.frame for entry in missing]
        merged = self._merge(missing)
        return None if merged is None else [merged]

    def _merge(self, missing: Sequence[SentDelta]) -> Frame | None:
        before = missing[0].before
        frame = self._merged.get(before)
        if frame is None:
            rows: Rows = {}
            for entry in missing:
                rows |= entry.rows
            if len(rows) > len(self.rows):
                return None
            frame = self.encoder.delta(self.name, before, self.position, rows)
            self._merged[before] = frame
        return frame

    def _forget_frames(self) -> None:
        self._snapshot = None
        if self._merged:
            self._merged.clear()


def _visible(booking: BookingView) -> tuple[object, ...]:
    return (
        booking.status,
        booking.start,
        booking.end,
        booking.visit_type,
        booking.location_id,
        booking.reason,
        booking.cancel_reason,
        booking.stranded,
        booking.confidential,
    )


def _promise(hold: HoldView) -> tuple[object, ...]:
    return hold.expires, hold.extensions_left, hold.stranded


def schedule_rows(bookings: Sequence[BookingView], time_off: object) -> Rows:
    """A schedule's content: bookings by id, and all leave under one key."""
    rows: Rows = {booking.booking_id: booking for booking in bookings}
    if isinstance(time_off, tuple):
        rows[TIME_OFF] = time_off
    return rows


def list_rows(view: ListView) -> Rows:
    """A watched list's content: members by id, in order, and its state."""
    rows: Rows = {}
    rows.update(view.members.items())
    state = (tuple(view.members), view.total, view.live, view.next_cursor)
    rows[LIST] = ListState(*state)
    return rows
