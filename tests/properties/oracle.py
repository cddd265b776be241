"""A naive calendar that counts minutes in plain sets: slow, obvious, independent.

It imports nothing of ours. Instants are minutes since the Unix epoch, ``now`` is in
ms; a visit type is a plain tuple of numbers. Every method says the code of the
refusal that must come, or "" if the command must be accepted, and keeps books.
One file because it is one set of books, kept by hand.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tests.wall_clock import packaged_zone

CELL = 5


@dataclass(frozen=True)
class Kind:
    """A visit type; ``places`` are the locations that offer it."""

    minutes: int
    before: int
    after: int
    alignment: int
    notice: int
    horizon: int
    places: tuple[str, ...]


@dataclass
class Visit:
    """A hold or a booking."""

    kind: str
    start: int
    busy: set[int]
    patient: str
    status: str = "booked"
    expires: int = 0
    past: list[tuple[str, int]] = field(default_factory=list)
    extensions: int = 0
    placed: int = 0
    moving: str | None = None
    hold: str = ""
    """Of a booking: the hold whose time it took."""
    minutes: int = 0
    place: str = ""


@dataclass(frozen=True)
class Limits:
    """What the site lets one patient have."""

    hold_ms: int
    extensions: int
    total_ms: int
    holds: int
    upcoming: int
    renewals: int


@dataclass
class Rules:
    """``hours[place][weekday]`` in local minutes; ``special[place][date]`` replaces."""

    zone: str
    hours: dict[str, list[list[tuple[int, int]]]]
    special: dict[str, dict[str, list[tuple[int, int]]]]
    kinds: dict[str, Kind]
    change_notice: int = 0
    _open: dict[tuple[str, int], bool] = field(default_factory=dict)

    def is_open(self, place: str, minute: int) -> bool:
        known = self._open.get((place, minute))
        if known is None:
            local = self.local(minute)
            of_day = local.hour * 60 + local.minute
            spans = self.special.get(place, {}).get(local.date().isoformat())
            if spans is None:
                spans = self.hours[place][local.weekday()]
            known = any(opens <= of_day < closes for opens, closes in spans)
            self._open[(place, minute)] = known
        return known

    def local(self, minute: int) -> datetime:
        zone = packaged_zone(self.zone)
        return datetime.fromtimestamp(minute * 60, UTC).astimezone(zone)

    def local_minute(self, minute: int) -> int:
        local = self.local(minute)
        return local.hour * 60 + local.minute

    def week(self, minute: int) -> str:
        local = self.local(minute)
        iso = (local - timedelta(0)).isocalendar()
        return f"{iso.year}-W{iso.week:02d}"


class Oracle:
    """The books of one provider."""

    def __init__(self, rules: Rules, limits: Limits) -> None:
        self.rules = rules
        self.limits = limits
        self.lately: list[tuple[int, str, set[int]]] = []
        self.holds: dict[str, Visit] = {}
        self.bookings: dict[str, Visit] = {}
        self.expired: dict[str, str] = {}
        self.away: dict[str, tuple[int, int]] = {}
        self.window = 0
        """The instant, in ms, that watchers see the calendar at."""
        self._fits: dict[tuple[str, int], str] = {}

    def set_rules(self, rules: Rules) -> None:
        self.rules = rules
        self._fits = {}

    # --- what is offered and free ---

    def busy(self, kind: str, start: int) -> set[int]:
        rule = self.rules.kinds[kind]
        return set(range(start - rule.before, start + rule.minutes + rule.after))

    def place_of(self, kind: str, start: int) -> str:
        """Where a visit fits by the rules alone; "" if nowhere."""
        known = self._fits.get((kind, start))
        if known is None:
            known = self._fits[(kind, start)] = self._place_of(kind, start)
        return known

    def _place_of(self, kind: str, start: int) -> str:
        rule = self.rules.kinds[kind]
        if start % CELL or self.rules.local_minute(start) % rule.alignment:
            return ""
        minutes = range(start, start + rule.minutes)
        for place in rule.places:
            if all(self.rules.is_open(place, minute) for minute in minutes):
                return place
        return ""

    def visit(self, kind: str, start: int, patient: str) -> Visit:
        visit = Visit(kind, start, self.busy(kind, start), patient)
        visit.minutes = self.rules.kinds[kind].minutes
        visit.place = self.place_of(kind, start)
        return visit

    def is_covered(self, visit: Visit) -> bool:
        """Whether the rules still let this visit take place, where it is."""
        rule = self.rules.kinds.get(visit.kind)
        if rule is None or visit.place not in rule.places:
            return False
        span = range(visit.start, visit.start + visit.minutes)
        return all(self.rules.is_open(visit.place, minute) for minute in span)

    def has_ground(self, visit: Visit) -> bool:
        """Whether it is covered, and no leave has a part of it."""
        end = visit.start + visit.minutes
        away = any(a < end and visit.start < b for a, b in self.away.values())
        return self.is_covered(visit) and not away

    def upcoming(self, now: int) -> list[tuple[int, str]]:
        """Live visits that have not ended, by start."""
        return sorted(
            (visit.start, name)
            for name, visit in self.bookings.items()
            if visit.status in ("booked", "arrived")
            and (visit.start + visit.minutes) * 60_000 > now
        )

    def is_offered(self, kind: str, start: int, at_ms: int) -> bool:
        rule = self.rules.kinds[kind]
        ahead_ms = start * 60_000 - at_ms
        if not rule.notice * 60_000 <= ahead_ms < rule.horizon * 60_000:
            return False
        visit = range(start, start + rule.minutes)
        for since, until in self.away.values():
            if any(since <= minute < until for minute in visit):
                return False
        return self.place_of(kind, start) != ""

    def state(self, kind: str, start: int) -> str:
        """What a watcher sees: "", "f", "h" or "b"."""
        if not self.window or not self.is_offered(kind, start, self.window):
            return ""
        busy = self.busy(kind, start)
        if any(visit.busy & busy for visit in self.blocking()):
            return "b"
        return "h" if any(hold.busy & busy for hold in self.holds.values()) else "f"

    def blocking(self) -> list[Visit]:
        return [v for v in self.bookings.values() if v.status != "cancelled"]

    def slot_refusal(self, kind: str, start: int, now: int, *but: Visit | None) -> str:
        if kind not in self.rules.kinds:
            return "visit_type_not_found"
        if not self.is_offered(kind, start, max(now, self.window)):
            return "slot_not_offered"
        busy = self.busy(kind, start)
        holds = [hold for hold in self.holds.values() if hold.expires > now]
        others = [v for v in (*self.blocking(), *holds) if not any(v is x for x in but)]
        return "slot_unavailable" if any(v.busy & busy for v in others) else ""

    # --- time ---

    def expire(self, now: int) -> int:
        due = [name for name, hold in self.holds.items() if hold.expires <= now]
        for name in due:
            self.expired[name] = self.holds.pop(name).patient
        return len(due)

    # --- commands ---

    def own_hold(self, kind: str, start: int, patient: str, now: int) -> str | None:
        for name, hold in self.holds.items():
            if (hold.kind, hold.start, hold.patient) == (kind, start, patient):
                return name if hold.expires > now else None
        return None

    def own_holds_meeting(
        self, kind: str, start: int, patient: str, now: int
    ) -> list[str]:
        busy = self.busy(kind, start)
        return [
            name
            for name, hold in self.holds.items()
            if hold.patient == patient and hold.expires > now and hold.busy & busy
        ]

    def hold(
        self,
        name: str,
        kind: str,
        start: int,
        patient: str,
        now: int,
        *,
        moving: str | None = None,
        staff: bool = False,
    ) -> str:
        if moving is not None:
            refusal = self.booking_refusal(moving, patient, "booked")
            if refusal:
                return refusal
        moved = None if moving is None else self.bookings[moving]
        refusal = self.slot_refusal(kind, start, now, moved)
        if not refusal and not staff:
            refusal = self.hold_problem(kind, start, patient, now)
            if not refusal and moving is None:
                refusal = self.visit_problem(patient, now)
        if not refusal:
            self.expire(now)
            held = self.holds[name] = self.visit(kind, start, patient)
            held.expires, held.placed = now + self.limits.hold_ms, now
            held.moving = moving
            self.lately.append((now, patient, held.busy))
        return refusal

    def hold_problem(self, kind: str, start: int, patient: str, now: int) -> str:
        live = [h for h in self.holds.values() if h.patient == patient]
        live = [h for h in live if h.expires > now]
        if len(live) >= self.limits.holds:
            return "hold_limit"
        busy = self.busy(kind, start)
        same = [
            at
            for at, who, span in self.lately
            if who == patient and span & busy and now - at < 3_600_000
        ]
        return "hold_limit" if len(same) > self.limits.renewals else ""

    def visit_problem(self, patient: str, now: int) -> str:
        ahead = [
            visit
            for visit in self.bookings.values()
            if visit.patient == patient
            and visit.status == "booked"
            and visit.start * 60_000 > now
        ]
        return "booking_limit" if len(ahead) >= self.limits.upcoming else ""

    def booked(self, visit: Visit) -> None:
        """The patient has this time: holds that met it count no more."""
        self.lately = [
            one
            for one in self.lately
            if one[1] != visit.patient or not one[2] & visit.busy
        ]

    def meets_others(self, hold: Visit, *but: Visit) -> bool:
        """Whether a hold that is to move a visit meets another than that."""
        return any(
            visit.busy & hold.busy
            for visit in self.blocking()
            if not any(visit is one for one in but)
        )

    def hold_refusal(self, name: str, owner: str | None, now: int) -> str:
        for visit in self.bookings.values():
            if visit.hold == name and owner in (None, visit.patient):
                return "hold_confirmed"
        patient = self.holds[name].patient if name in self.holds else None
        patient = patient or self.expired.get(name)
        if patient is None or (owner is not None and owner != patient):
            return "hold_not_found"
        live = name in self.holds and self.holds[name].expires > now
        return "" if live else "hold_expired"

    def extend(self, name: str, owner: str | None, now: int) -> str:
        refusal = self.hold_refusal(name, owner, now)
        if refusal:
            return refusal
        hold, limits = self.holds[name], self.limits
        last = hold.placed + limits.total_ms
        if hold.extensions >= limits.extensions or hold.expires >= last:
            return "wrong_status"
        self.expire(now)
        hold.extensions += 1
        hold.expires = max(hold.expires, min(now + limits.hold_ms, last))
        return ""

    def release(self, name: str, owner: str | None, now: int) -> str:
        refusal = self.hold_refusal(name, owner, now)
        if not refusal:
            self.expire(now)
            del self.holds[name]
        return refusal

    def confirm(
        self,
        name: str,
        booking: str,
        owner: str | None,
        now: int,
        *,
        staff: bool = False,
    ) -> str:
        refusal = self.hold_refusal(name, owner, now) or self.late(name, now)
        if refusal:
            return refusal
        hold = self.holds[name]
        if hold.moving is not None and self.meets_others(hold):
            return "slot_unavailable"
        if not staff and (refusal := self.visit_problem(hold.patient, now)):
            return refusal
        self.expire(now)
        del self.holds[name]
        visit = Visit(hold.kind, hold.start, hold.busy, hold.patient)
        visit.minutes, visit.place = hold.minutes, hold.place
        self.take(booking, visit, name)
        return ""

    def late(self, name: str, now: int) -> str:
        """Whether what is held has begun, or lost its ground."""
        held = self.holds[name]
        gone = now > held.start * 60_000 or not self.has_ground(held)
        return "slot_not_offered" if gone else ""

    def take(self, booking: str, visit: Visit, hold: str) -> None:
        visit.hold = hold
        self.bookings[booking] = visit
        self.booked(visit)

    def book(
        self,
        name: str,
        kind: str,
        start: int,
        patient: str,
        now: int,
        *,
        staff: bool = False,
    ) -> str:
        own = self.own_hold(kind, start, patient, now)
        if own is not None:
            return self.confirm(own, name, patient, now, staff=staff)
        over, refusal = self.over(kind, start, patient, now, None)
        if not refusal and not staff:
            refusal = self.visit_problem(patient, now)
        if not refusal:
            self.expire(now)
            self.holds.pop(over, None)
            self.take(name, self.visit(kind, start, patient), over)
        return refusal

    def over(
        self, kind: str, start: int, patient: str, now: int, but: Visit | None
    ) -> tuple[str, str]:
        """The one own hold that a visit takes the place of, and why it cannot."""
        refusal = self.slot_refusal(kind, start, now, but)
        if refusal == "slot_unavailable":
            mine = self.own_holds_meeting(kind, start, patient, now)
            if len(mine) == 1:
                hold = self.holds[mine[0]]
                if not self.slot_refusal(kind, start, now, but, hold):
                    return mine[0], ""
        return "", refusal

    def booking_refusal(self, name: str, owner: str | None, allowed: str) -> str:
        visit = self.bookings.get(name)
        if visit is None or (owner is not None and owner != visit.patient):
            return "booking_not_found"
        return "" if visit.status in allowed.split() else "wrong_status"

    def too_early(self, name: str, opens: int, now: int) -> str:
        """Whether an outcome comes before a minute, or before the visit's local day."""
        visit = self.bookings.get(name)
        if visit is None:
            return ""
        if opens < 0:
            here, there = self.rules.local(now // 60_000), self.rules.local(visit.start)
            return "too_early" if here.date() < there.date() else ""
        return "too_early" if now < visit.start * 60_000 else ""

    def outcome(self, name: str, allowed: str, status: str, now: int) -> str:
        """Staff record what became of a visit."""
        opens = 0 if status == "noshow" else -1
        refusal = self.booking_refusal(name, None, allowed)
        refusal = refusal or self.too_early(name, opens, now)
        if not refusal:
            visit = self.bookings[name]
            visit.past.append((visit.status, now))
            self.mark(name, None, allowed, status, now)
        return refusal

    def undo(self, name: str, now: int) -> str:
        """The last outcome is taken back, within a day."""
        visit = self.bookings.get(name)
        if visit is None:
            return "booking_not_found"
        if visit.status == "cancelled" or not visit.past:
            return "wrong_status"
        if now - visit.past[-1][1] > 24 * 3_600_000:
            return "too_late"
        self.expire(now)
        visit.status = visit.past.pop()[0]
        return ""

    def begun(self, name: str, owner: str | None, now: int) -> str:
        """Whether a patient comes too late to change a visit."""
        latest = self.bookings[name].start - self.rules.change_notice
        return "too_late" if owner is not None and now > latest * 60_000 else ""

    def mark(
        self, name: str, owner: str | None, allowed: str, status: str, now: int
    ) -> str:
        refusal = self.booking_refusal(name, owner, allowed)
        if not refusal and status == "cancelled":
            refusal = self.begun(name, owner, now)
        if not refusal:
            self.expire(now)
            self.bookings[name].status = status
        return refusal

    def move(self, name: str, owner: str | None, start: int, now: int) -> str:
        refusal = self.booking_refusal(name, owner, "booked")
        refusal = refusal or self.begun(name, owner, now)
        if refusal:
            return refusal
        visit = self.bookings[name]
        own = self.own_hold(visit.kind, start, visit.patient, now)
        if own is not None:
            return self.move_to_hold(name, owner, own, now)
        over, refusal = self.over(visit.kind, start, visit.patient, now, visit)
        if not refusal:
            self.expire(now)
            self.holds.pop(over, None)
            visit.hold = over or visit.hold
            moved = self.visit(visit.kind, start, visit.patient)
            visit.start, visit.busy = moved.start, moved.busy
            visit.minutes, visit.place = moved.minutes, moved.place
            self.booked(visit)
        return refusal

    def move_to_hold(self, name: str, owner: str | None, hold: str, now: int) -> str:
        refusal = self.booking_refusal(name, owner, "booked")
        refusal = refusal or self.begun(name, owner, now)
        if refusal:
            return refusal
        visit = self.bookings[name]
        refusal = self.hold_refusal(hold, visit.patient, now) or self.late(hold, now)
        if refusal:
            return refusal
        taken = self.holds[hold]
        if taken.moving is not None and self.meets_others(taken, visit):
            return "slot_unavailable"
        self.expire(now)
        del self.holds[hold]
        visit.kind, visit.start, visit.busy = taken.kind, taken.start, taken.busy
        visit.minutes, visit.place = taken.minutes, taken.place
        visit.hold = hold
        self.booked(visit)
        return ""
