"""Groups: people who book several calendars at once (resolvers.py settles the rest).

A coordinator holds the members in the order that all share, then the primary; from then
on it is a patient with a hold, who confirms, releases, moves, or goes away. It may stop
between any two steps, and another may run the same attempt with the same keys.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from actors.domain.ids import (
    BookingId,
    GroupId,
    Millis,
    Minute,
    PatientId,
    ProviderId,
    VisitTypeId,
    booking_id,
    hold_id,
    time_off_id,
)
from actors.domain.messages import commands as cm
from actors.domain.messages.answers import (
    BookingView,
    Debt,
    DebtKind,
    GroupState,
    GroupView,
    HoldView,
)
from actors.domain.messages.refusals import Refusal, RefusalCode
from actors.domain.rules import Group
from tests.simulation.history import Operation
from tests.simulation.patients import REUSED_MS, Patient
from tests.simulation.region import LONG, SHORT
from tests.simulation.resolvers import Place, let_go, pay, pay_all, settler


@dataclass
class Attempt:
    """One attempt to hold several calendars: the same steps for all who run it."""

    group: Group
    patient: PatientId
    visit_type: VisitTypeId
    start: Minute
    moving: BookingView | None = None
    begun: int = 0
    joins: bool = False
    """Its primary is not held: it books at once, with the members that are."""
    step: int = 0

    def twin(self, group: Group) -> Attempt:
        """The same attempt, begun again elsewhere."""
        moving, begun = self.moving, self.begun
        common = (self.patient, self.visit_type, self.start, moving, begun)
        return Attempt(group, *common, self.joins)

    @property
    def calendar(self) -> ProviderId:
        """Whose turn it is."""
        members = self.group.members
        return (*members, self.group.primary)[self.step]


class Coordinator(Patient):
    """A patient who books rooms with their visits, and a gateway that helps."""

    def __init__(
        self, *args: Any, rooms: list[ProviderId], rng: random.Random, **given: Any
    ) -> None:
        super().__init__(*args, **given)
        self.rooms = rooms
        self.rng = rng
        self.attempt: Attempt | None = None
        self.twins: list[Coordinator] = []
        self.to_repeat: list[Attempt] = []
        self.seen: list[Group] = []

    def wish(self) -> bool:
        rng = self.rng
        if self.attempt is not None and rng.random() < 0.05:
            self.attempt = None  # the gateway dies between two steps
        self.attempt = self._current()
        if self.attempt is not None:
            return self._hold_next(self.attempt)
        choice = rng.random()
        if self.seen and choice < 0.1:
            return self._meddle(rng.choice(self.seen))
        held = [hold for hold in self.holds.values() if hold.group is not None]
        if held and choice < 0.3:
            return self._close(held[0])
        if choice < 0.6 and not self.holds:
            return self._begin(None)
        together = [one for one in self.bookings.values() if one.group is not None]
        if together and choice < 0.86:
            return self._with_group(rng.choice(together), choice)
        return super().wish()

    def _current(self) -> Attempt | None:
        """Its own attempt or another's, while its keys are remembered for certain."""
        lately = self.kernel.now - REUSED_MS
        if self.attempt is not None and self.attempt.begun > lately:
            return self.attempt
        self.to_repeat = [one for one in self.to_repeat if one.begun > lately]
        return self.to_repeat.pop(0) if self.to_repeat else None

    def _with_group(self, booking: BookingView, choice: float) -> bool:
        """Move a visit with its members, cancel it, or move it alone, as none may."""
        if choice < 0.7:
            return self._begin(booking)
        if choice < 0.78:
            return self._cancel(booking)
        return self._move(booking, Minute(self.rng.choice(self.starts)), None)

    # --- an attempt ----------------------------------------------------------------

    def _begin(self, moving: BookingView | None) -> bool:
        rng = self.rng
        primary = rng.choice(self.doctors) if moving is None else moving.provider_id
        others = [one for one in self.calendars if one != primary]
        chosen = rng.sample(others, min(len(others), rng.choice((1, 1, 1, 2))))
        start = Minute(rng.choice(self.starts))
        if moving is not None:
            start = Minute(moving.start + rng.choice((-30, 30, 60)))
        kind = LONG if rng.random() < 0.3 else SHORT
        name = GroupId(f"group-{self.name}-{len(self.seen)}")
        group = Group(name, primary, tuple(sorted(chosen, key=self._place)))
        self.seen.append(group)
        now = self.kernel.now
        joins = moving is None and len(self.seen) % 4 == 2  # no draw: seeds stay
        self.attempt = Attempt(group, self.patient, kind, start, moving, now, joins)
        if self.twins and rng.random() < 0.6:
            twin = rng.choice(self.twins)
            twin.to_repeat.append(self._repeated(self.attempt))
        return self._hold_next(self.attempt)

    def _repeated(self, attempt: Attempt) -> Attempt:
        """The same attempt at another gateway, which may choose other members."""
        group = attempt.group
        others = [one for one in self.calendars if one != group.primary]
        if self.rng.random() < 0.5:
            chosen = self.rng.sample(others, len(group.members))
            members = tuple(sorted(chosen, key=self._place))
            group = Group(group.group_id, group.primary, members)
        return attempt.twin(group)

    @property
    def calendars(self) -> list[ProviderId]:
        """All that a group can have."""
        return [*self.rooms, *self.doctors]

    @property
    def doctors(self) -> list[ProviderId]:
        """Those that a visit can be with."""
        return [one for one in self.providers if one not in self.rooms]

    def _place(self, calendar: ProviderId) -> tuple[bool, str]:
        """The order of all coordinators: rooms before doctors, then by id."""
        return calendar not in self.rooms, calendar

    def _hold_next(self, attempt: Attempt) -> bool:
        here, group = attempt.calendar, attempt.group
        is_primary = here == group.primary
        if is_primary and attempt.joins:
            return self._join(attempt)
        told = group if is_primary else Group(group.group_id, group.primary)
        moving = self._moving(attempt, here)

        def build(token: str, common: dict[str, Any]) -> cm.Command:
            return cm.PlaceHold(
                hold_id=hold_id(here, group.group_id),
                patient_id=attempt.patient if is_primary else PatientId(""),
                visit_type=attempt.visit_type,
                start=attempt.start,
                moving=moving,
                group=told,
                **common,
            )

        kind = "hold" if is_primary else "member_hold"
        content = (attempt.start, attempt.visit_type, group.group_id, moving)
        return self.want(kind, here, content, build, key=f"g-{group.group_id}")

    def _join(self, attempt: Attempt) -> bool:
        """Book at the primary, which has no hold of the group."""
        here, group = attempt.group.primary, attempt.group

        def build(token: str, common: dict[str, Any]) -> cm.Command:
            return cm.BookSlot(
                booking_id=booking_id(here, token),
                patient_id=attempt.patient,
                visit_type=attempt.visit_type,
                start=attempt.start,
                group=group,
                **common,
            )

        content = (attempt.start, attempt.visit_type, group.group_id)
        return self.want("book", here, content, build, key=f"g-{group.group_id}")

    @staticmethod
    def _moving(attempt: Attempt, here: ProviderId) -> BookingId | None:
        """The visit, or the part of it here, that the hold is to replace."""
        before = attempt.moving
        if before is None:
            return None
        if here == attempt.group.primary:
            return before.booking_id
        old = before.group
        if old is None or here not in old.members:
            return None
        return booking_id(here, old.group_id)

    def heard(self, operation: Operation) -> None:
        attempt, answer = self.attempt, operation.answer
        if attempt is not None and operation.key == f"g-{attempt.group.group_id}":
            if operation.provider == attempt.calendar:  # else it was heard before
                self._went_on(attempt, answer)
            is_theirs = attempt.patient == self.patient
        else:
            is_theirs = True
        if operation.kind == "member_hold" or not is_theirs:
            return
        super().heard(operation)
        if isinstance(answer, BookingView) and answer.group is not None:
            self._booked(operation, answer)
        elif operation.kind == "release":
            for group in self.seen:
                if operation.subject == hold_id(group.primary, group.group_id):
                    self._give_up(group)

    def _went_on(self, attempt: Attempt, answer: Any) -> None:
        """The next calendar's turn; after the primary's, or a refusal, it is over."""
        if isinstance(answer, HoldView) and attempt.calendar != attempt.group.primary:
            attempt.step += 1
            return
        self.attempt = None
        is_other = RefusalCode.IDEMPOTENCY_KEY_REUSED
        if isinstance(answer, Refusal) and answer.code is not is_other:
            self._give_up(attempt.group)

    # --- what a gateway does at once, unless it dies -------------------------------

    def _booked(self, operation: Operation, view: BookingView) -> None:
        """Pay the members; nothing is repeated here, that is for the resolvers."""
        group = view.group
        if group is None or self.rng.random() < 0.35:
            return
        kind = dict.fromkeys(("confirm", "book"), DebtKind.CONFIRM)
        kind["cancel"] = DebtKind.CANCEL
        if operation.kind not in kind:
            return  # of a move the resolver knows more: the members before
        debts = [
            Debt(member, group.group_id, kind[operation.kind], view.version)
            for member in group.members
        ]
        dies_after = self.rng.randrange(len(debts) + 2)
        if operation.kind == "cancel" or dies_after <= len(debts):
            for debt in debts[:dies_after]:
                pay(self.desk, debt, view.booking_id, lambda reply: None)
        else:
            place = view.provider_id, view.booking_id, view.version
            pay_all(self.desk, place, tuple(debts), self._settle_later)

    def _settle_later(self, place: Place) -> None:
        """The primary is told in the background: more may be owed by then."""
        pause = self.rng.choice((1, 500, 4_000))
        self.kernel.after(pause, settler(self.desk), place)
        booking = self.bookings.get(place[1])
        if booking is not None and self.rng.random() < 0.3:
            self._cancel(booking)

    def _give_up(self, group: Group) -> None:
        """First the primary's word, then the members are let go."""
        if self.rng.random() < 0.3:
            return

        def answered(reply: Any) -> None:
            if isinstance(reply, GroupView) and reply.state is GroupState.OVER:
                for member in group.members:
                    if self.rng.random() < 0.8:
                        let_go(self.desk, member, group.group_id)

        command = cm.AbortGroup(
            provider_id=group.primary,
            group_id=group.group_id,
            deadline=Millis(self.desk.deadline()),
        )
        self.desk.ask(command, answered)

    def _close(self, hold: HoldView) -> bool:
        """Leave takes the ground of what a member holds."""
        assert hold.group is not None
        member = hold.group.members[0] if hold.group.members else hold.provider_id
        start, end = hold.start, hold.end

        def build(token: str, common: dict[str, Any]) -> cm.Command:
            return cm.AddTimeOff(
                time_off_id=time_off_id(member, token), start=start, end=end, **common
            )

        return self.want("leave", member, (start, end), build)

    def _meddle(self, group: Group) -> bool:
        """Staff try to change a member by itself, which is not for them to do."""
        member = self.rng.choice(group.members)
        name = group.group_id
        kind = self.rng.choice(("free", "strike", "hand_move"))

        def build(token: str, common: dict[str, Any]) -> cm.Command:
            if kind == "free":
                return cm.ReleaseHold(
                    hold_id=hold_id(member, name), owner=None, **common
                )
            if kind == "strike":
                return cm.CancelBooking(
                    booking_id=booking_id(member, name), owner=None, **common
                )
            return cm.RescheduleBooking(
                booking_id=booking_id(member, name),
                owner=None,
                start=Minute(self.starts[0]),
                **common,
            )

        return self.want(kind, member, (hold_id(member, name), kind), build)
