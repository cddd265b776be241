"""Visits that take rooms or equipment: held, booked, moved and given up as one.

The protocol is decision 0100: the members are held first, in an order that all visits
share, the provider last, whose calendar decides. What it decided is carried out at the
members afterwards, here at once and by ``care/resources/settling.py`` whatever happens
to this gateway.

An attempt is a group of its own, whose id follows from the request's key: a request
repeated at another gateway finds what the first one did. A room that turns out to be
taken ends an attempt, and the next one chooses another. One file because each step may
be the last that this gateway makes, and the others follow from it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from hashlib import blake2b
from typing import Any, Final, TypedDict, TypeVar

import structlog
from msgspec.structs import replace

from actors.domain.ids import (
    BookingId,
    GroupId,
    HoldId,
    Millis,
    PatientId,
    ProviderId,
    VisitTypeId,
    booking_id,
    hold_id,
)
from actors.domain.messages.answers import (
    NEEDS_MEMBERS,
    BookingView,
    GroupState,
    GroupView,
    HoldView,
    MembersWanted,
    ProviderView,
    Reply,
)
from actors.domain.messages.commands import (
    AbortGroup,
    BookMany,
    BookSlot,
    CommandBase,
    ConfirmHold,
    PlaceHold,
    ReleaseHold,
    RescheduleBooking,
)
from actors.domain.messages.reads import (
    ReadBooking,
    ReadGroups,
    ReadHold,
    ReadProvider,
)
from actors.domain.messages.refusals import (
    GROUP_OVER,
    MOVES_WITH_MEMBERS,
    NO_MEMBERS_LEFT,
    NO_RESOURCES,
    NO_VISIT_TYPE,
    UNAVAILABLE,
    Refusal,
    RefusalCode,
    at_start,
)
from actors.domain.rules import Group, ResourceKind
from actors.domain.spans import span_type
from actors.errors import Unavailable
from care.resources.settling import PATIENCE_MS, Settling
from gateway.access.believed import Believed
from gateway.calendars.commands import Commands
from gateway.calendars.members.slots import MemberSlots

ATTEMPTS_MAX: Final = 4
"""Choices of rooms for one request: each loses to a rival who took one meanwhile."""
WANTED_S: Final = 10.0
"""How long it is believed that a visit type needs rooms, and which."""
_WANTED_MAX: Final = 5_000
SETTLING_MAX: Final = 1_000
"""Bookings that are settled here at a time; more are left to the workers."""
_KEY_MAX: Final = 58
"""Characters of a key that is lengthened; calendars take 64."""
CLOSE_S: Final = 2.0
"""How long a stopping gateway waits for what it is settling."""
_MARK: Final = "g-"
"""Begins the token of a group, and so the ids of its holds."""
WITH_MEMBERS: Final = (NEEDS_MEMBERS, MOVES_WITH_MEMBERS)
"""What a calendar refuses that is asked without the rooms of a visit."""
_OVER: Final = frozenset({RefusalCode.HOLD_EXPIRED, RefusalCode.HOLD_NOT_FOUND})

log = structlog.get_logger("slotcast.groups")


_Joining = ConfirmHold | BookSlot | RescheduleBooking


def _group_id(key: str, number: int) -> GroupId:
    """The group of an attempt; ``key``: of its request."""
    written = f"{key}\0{number}".encode()
    return GroupId(_MARK + blake2b(written, digest_size=12).hexdigest())


class _Attempt:
    """One choice of rooms for a request, and the commands that make it: a group."""

    def __init__(
        self,
        command: PlaceHold,
        wanted: MembersWanted,
        number: int,
        moving: Group | None = None,
    ) -> None:
        """``moving``: the group of the visit that is to move, if it has one."""
        self.command = command
        self.wanted = wanted
        self.group_id = _group_id(command.key, number)
        self.primary = command.provider_id
        self._moving = moving

    @property
    def hold_id(self) -> HoldId:
        """The hold of the provider's calendar."""
        return hold_id(self.primary, self.group_id)

    @property
    def own_bookings(self) -> Sequence[BookingId]:
        """The members' bookings of the visit that is to move."""
        moving = self._moving
        if moving is None:
            return ()
        return [booking_id(one, moving.group_id) for one in moving.members]

    def key_of(self, what: str) -> str:
        """The key of a command of this attempt."""
        return f"{self.group_id}.{what}"

    def hold(self, members: tuple[ProviderId, ...]) -> PlaceHold:
        """The command to the provider's calendar, which comes last."""
        return replace(
            self.command,
            key=self.key_of("hold"),
            hold_id=self.hold_id,
            group=Group(self.group_id, self.primary, members),
        )

    def member_hold(self, member: ProviderId) -> PlaceHold:
        """The command to a room or a piece of equipment; it names no patient."""
        moving = self._moving
        own = moving is not None and member in moving.members
        name = blake2b(member.encode(), digest_size=6).hexdigest()
        return replace(
            self.command,
            provider_id=member,
            key=self.key_of(name),
            hold_id=hold_id(member, self.group_id),
            patient_id=PatientId(""),
            visit_type=self.wanted.visit_type,
            moving=booking_id(member, moving.group_id) if moving and own else None,
            by_staff=True,
            group=Group(self.group_id, self.primary),
        )


class GroupBookings:
    """One per gateway.

    Every method may raise Unavailable. A request that ended so may be repeated with its
    key; what it left behind is settled by others.
    """

    def __init__(
        self, commands: Commands, slots: MemberSlots, settling: Settling
    ) -> None:
        self._commands = commands
        self._slots = slots
        self._settling = settling
        self._wanted = Believed[tuple[ProviderId, VisitTypeId], MembersWanted](
            WANTED_S, _WANTED_MAX
        )
        self.any_known = False
        """Whether visits that take more than their provider were asked for here."""
        self._beside: set[asyncio.Task[None]] = set()

    def is_known(self, provider_id: ProviderId, visit_type: VisitTypeId) -> bool:
        """Whether a visit type is one of them, as far as is known."""
        return self._wanted.get((provider_id, visit_type)) is not None

    # --- in the place of a command to one calendar --------------------------------

    async def instead(self, command: CommandBase, refused: Refusal) -> Reply:
        """The answer of all calendars that the visit takes, to what one refused so."""
        if isinstance(command, BookSlot):
            return await self.book(command)
        if isinstance(command, BookMany):
            return await self.book_many(command)
        if isinstance(command, ConfirmHold):
            return await self.take(command)
        if not isinstance(command, RescheduleBooking):
            return refused
        if command.start is not None:
            return await self.move(command)
        return await self.take(command) if refused == NEEDS_MEMBERS else refused

    async def hold(self, command: PlaceHold, *, is_live: bool = False) -> Reply:
        """Hold a visit with all that it takes.

        Repeated, the answer is the first one. ``is_live``: unless that hold has ended.
        """
        wanted = await self._needs(command.provider_id, command.visit_type)
        if wanted is None:
            return await self._commands.send(_alone(command))
        moving = await self._moved(command)
        tried: set[ProviderId] = set()
        for number in range(ATTEMPTS_MAX):
            made = _Attempt(command, wanted, number, moving)
            if is_live and await self._is_decided_against(command, number):
                continue
            reply = await self._hold_once(made, tried)
            if reply is not None:
                return reply
        return UNAVAILABLE

    async def book(self, command: BookSlot) -> Reply:
        """Book a free slot at once, with all that the visit takes."""
        wanted = await self._needs(command.provider_id, command.visit_type)
        if wanted is None:
            return await self._commands.send(_alone(command))
        hold = PlaceHold(
            hold_id=HoldId(""),
            patient_id=command.patient_id,
            visit_type=command.visit_type,
            start=command.start,
            by_staff=True,  # the limits of visits are those of the booking
            **_head(command),
        )
        if command.overbook:  # a time that others have cannot be held
            return await self._join(command, hold, None)
        tried: set[ProviderId] = set()
        for number in range(ATTEMPTS_MAX):
            made = _Attempt(hold, wanted, number)
            held = await self._hold_once(made, tried)
            if held is None:
                continue
            if not isinstance(held, HoldView):
                return held
            confirm = ConfirmHold(
                hold_id=held.hold_id,
                booking_id=command.booking_id,
                owner=command.patient_id,
                reason=command.reason,
                by_staff=command.by_staff,
                confidential=command.confidential,
                **_head(command, made.key_of("book")),
            )
            reply = await self._decided(made, held, confirm)
            if reply is not None:
                return reply
        return UNAVAILABLE

    async def move(self, command: RescheduleBooking) -> Reply:
        """Move a visit to another start, with all that it takes."""
        provider_id, visit = command.provider_id, command.booking_id
        view = await self._commands.ask(ReadBooking(provider_id, visit))
        if not isinstance(view, BookingView) or command.start is None:
            return view if isinstance(view, Refusal) else NEEDS_MEMBERS
        wanted = await self._needs(provider_id, view.visit_type)
        if wanted is None:
            return NO_VISIT_TYPE if view.group is not None else NEEDS_MEMBERS
        hold = PlaceHold(
            hold_id=HoldId(""),
            patient_id=view.patient_id,
            visit_type=view.visit_type,
            start=command.start,
            moving=visit,
            by_staff=True,
            **_head(command),
        )
        tried: set[ProviderId] = set()
        for number in range(ATTEMPTS_MAX):
            made = _Attempt(hold, wanted, number, view.group)
            held = await self._hold_once(made, tried)
            if held is None:
                continue
            if not isinstance(held, HoldView):
                return held
            moves = RescheduleBooking(
                booking_id=visit,
                owner=command.owner,
                hold_id=held.hold_id,
                if_start=command.if_start,
                **_head(command, made.key_of("move")),
            )
            reply = await self._decided(made, held, moves)
            if reply is not None:
                return reply
        return UNAVAILABLE

    async def take(self, command: ConfirmHold | RescheduleBooking) -> Reply:
        """Book an offer of the waiting list, or move a visit there, with all it takes.

        The provider's time is the patient's; rooms are held only now. Refused with
        ``resource_unavailable`` if there are none: the offer stands as long as it did.
        """
        provider_id, held = command.provider_id, command.hold_id
        assert held is not None, "the calendar has said that it needs members"
        read = ReadHold(provider_id, held, command.owner, command.proxy)
        view = await self._commands.ask(read)
        if not isinstance(view, HoldView):
            return await self._joined_before(command) or view
        moving: Group | None = None
        if isinstance(command, RescheduleBooking):
            visit = await self._commands.ask(
                ReadBooking(provider_id, command.booking_id)
            )
            moving = visit.group if isinstance(visit, BookingView) else None
        place = PlaceHold(
            hold_id=held,
            patient_id=view.patient_id,
            visit_type=view.visit_type,
            start=view.start,
            by_staff=True,
            **_head(command),
        )
        return await self._join(command, place, moving)

    async def book_many(self, command: BookMany) -> Reply:
        """Book several visits with all that they take: all of the visits, or none.

        Each is held as a group, in the order of their starts: of two that want the same
        rooms at the same times, one gets all. Then one command books all that is held.
        Refused, it is decided that no other coordinator of this request books them.
        """
        if await self._needs(command.provider_id, command.visit_type) is None:
            return await self._commands.send(_alone(command))
        made: list[HoldView] = []
        for place, start in enumerate(command.starts):
            hold = PlaceHold(
                hold_id=hold_id(command.provider_id, self._commands.tokens()),
                patient_id=command.patient_id,
                visit_type=command.visit_type,
                start=start,
                by_staff=True,  # the limits of visits are those of the booking
                **_head(command, f"{command.key}-{place}"),
            )
            held = await self.hold(hold, is_live=True)
            if not isinstance(held, HoldView):
                await self._give_all_up(made)
                return at_start(start, held) if isinstance(held, Refusal) else held
            made.append(held)
        # Of these holds: an answer that others were given does not stand for them.
        named = "\0".join((command.key, *(one.hold_id for one in made)))
        key = _MARK + blake2b(named.encode(), digest_size=16).hexdigest()
        reply = await self._commands.send(replace(command, key=key))
        if isinstance(reply, Refusal):
            await self._give_all_up(made)
            return UNAVAILABLE if reply == NEEDS_MEMBERS else reply
        return reply

    async def members_of(self, held: HoldId, provider_id: ProviderId) -> Group | None:
        """The group that a hold is of; None of plain ones, which are not asked for."""
        if not held.rpartition(".")[2].startswith(_MARK):
            return None
        view = await self._commands.ask(ReadHold(provider_id, held))
        return view.group if isinstance(view, HoldView) else None

    async def named(
        self, provider_id: ProviderId, members: Sequence[ProviderId]
    ) -> list[tuple[ProviderId, ResourceKind, str]]:
        """Members with their kinds and names, rooms first; gone ones are left out."""
        found = await self._slots.known(provider_id)
        named = [
            (profile.resource.kind, profile.name, one)
            for one, profile in found
            if one in members and profile.resource is not None
        ]
        named.sort(key=lambda it: (it[0] is not ResourceKind.ROOM, *it[1:]))
        return [(one, kind, name) for kind, name, one in named]

    # --- afterwards ------------------------------------------------------------------

    def settle(self, view: BookingView) -> None:
        """Carry out at the members what was decided, beside the answer."""
        self._spawn(self._settle(view))

    def settle_many(self, provider_id: ProviderId, visits: Sequence[BookingId]) -> None:
        """The same for several visits of a provider, one after another."""
        self._spawn(self._settle_many(provider_id, visits))

    def give_up(self, group: Group) -> None:
        """Free what the members of a group hold, beside the answer."""
        self._spawn(self._give_up(group.primary, group.group_id, group.members))

    async def settled(self) -> None:
        """Wait for what is being settled here."""
        while self._beside:
            await asyncio.gather(*self._beside, return_exceptions=True)

    async def close(self) -> None:
        """Wait for it for a moment; the rest is left to others."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self.settled()

    # --- a time that is kept without its rooms ---------------------------------

    async def _joined_before(self, command: _Joining) -> Reply | None:
        """The visit of an earlier attempt of the same request, if one was booked."""
        for number in range(ATTEMPTS_MAX):
            stands = await self._stands(command, number)
            if stands.booking_id is not None:
                return await self._booked(command, stands)
            if stands.state is not GroupState.OVER:
                return None
        return None

    async def _booked(self, command: _Joining, stands: GroupView) -> Reply:
        """The first answer, if the calendar remembers it; else the visit as it is."""
        provider_id, name = command.provider_id, stands.booking_id
        assert name is not None
        group = Group(stands.group_id, provider_id, stands.members)
        key = f"{stands.group_id}.join"
        reply = await self._commands.send(replace(command, key=key, group=group))
        if isinstance(reply, BookingView) or _is_of_another(reply):
            return reply
        return await self._commands.ask(ReadBooking(provider_id, name))

    async def _is_decided_against(self, command: PlaceHold, number: int) -> bool:
        return (await self._stands(command, number)).state is GroupState.OVER

    async def _stands(self, command: _Joining | PlaceHold, number: int) -> GroupView:
        """How the group of an attempt stands. Raises Unavailable."""
        name = _group_id(command.key, number)
        view = await self._commands.ask(ReadGroups(command.provider_id, name))
        if not isinstance(view, GroupView):
            raise Unavailable("a calendar does not say how a group stands")
        return view

    async def _join(
        self, command: _Joining, place: PlaceHold, moving: Group | None
    ) -> Reply:
        """Hold rooms, and book them with a time that the provider's calendar keeps.

        ``place``: what the rooms are held for. The group has no hold of its primary:
        the command that is sent there decides for it.
        """
        wanted = await self._needs(place.provider_id, place.visit_type)
        if wanted is None:
            return await self._commands.send(_alone(command))
        tried: set[ProviderId] = set()
        for number in range(ATTEMPTS_MAX):
            stands = await self._stands(command, number)
            if stands.state is GroupState.OVER:
                continue
            if stands.booking_id is not None:
                return await self._booked(command, stands)
            made = _Attempt(place, wanted, number, moving)
            reply = await self._join_once(command, made, tried)
            if reply is not None:
                return reply
        return NO_MEMBERS_LEFT

    async def _join_once(
        self, command: _Joining, made: _Attempt, tried: set[ProviderId]
    ) -> Reply | None:
        """The answer to one attempt; None: try another choice."""
        members = await self._chosen(made, tried)
        if members is None:
            return NO_MEMBERS_LEFT
        group = Group(made.group_id, made.primary, members)
        key = made.key_of("join")
        try:
            taken = await self._hold_members(made, members)
            if taken is not None:
                return await self._lost(made, members, tried, taken)
            reply = await self._commands.send(replace(command, key=key, group=group))
        except Unavailable:
            self._spawn(self._give_up(made.primary, made.group_id, members))
            raise
        if isinstance(reply, BookingView):
            self._release_others(made, members, reply.group)
            return reply
        if not _is_of_another(reply):
            self._spawn(self._give_up(made.primary, made.group_id, members))
        return None if reply == GROUP_OVER else reply

    # --- one attempt ----------------------------------------------------------

    async def _hold_once(self, made: _Attempt, tried: set[ProviderId]) -> Reply | None:
        """The answer to one attempt's hold; None: try another choice."""
        known, members = await asyncio.gather(
            self._known(made), self._chosen(made, tried)
        )
        if known is not None:
            return None if _is_over(known) else known
        if members is None:
            return NO_RESOURCES
        try:
            taken = await self._hold_members(made, members)
            if taken is not None:
                return await self._lost(made, members, tried, taken)
            reply = await self._commands.send(made.hold(members))
        except Unavailable:
            self._spawn(self._give_up(made.primary, made.group_id, members))
            raise
        if isinstance(reply, HoldView):
            self._release_others(made, members, reply.group)
            return reply
        if not _is_of_another(reply):
            self._spawn(self._give_up(made.primary, made.group_id, members))
        return None if _is_over(reply) else reply

    async def _known(self, made: _Attempt) -> Reply | None:
        """The first answer to the same request; None: this attempt was not made yet."""
        found = await self._commands.ask(ReadHold(made.primary, made.hold_id))
        if isinstance(found, Refusal) and found.code is RefusalCode.HOLD_NOT_FOUND:
            return None
        return await self._commands.send(made.hold(()))

    async def _chosen(
        self, made: _Attempt, tried: set[ProviderId]
    ) -> tuple[ProviderId, ...] | None:
        """Rooms that are free, or that this very request holds; None: not enough."""
        members = await self._choose(made, frozenset(tried))
        if members is None:
            own = await self._own(made)
            members = await self._choose(made, frozenset(tried), own) if own else None
        return members

    async def _choose(
        self,
        made: _Attempt,
        without: frozenset[ProviderId],
        own: frozenset[ProviderId] = frozenset(),
    ) -> tuple[ProviderId, ...] | None:
        start, moving = made.command.start, made.own_bookings
        return await self._slots.choose(
            made.primary, made.wanted, start, moving, without, own
        )

    async def _own(self, made: _Attempt) -> frozenset[ProviderId]:
        """What an earlier coordinator of the same request holds already."""
        known = [one for one, _ in await self._slots.known(made.primary)]
        replies = await asyncio.gather(
            *(
                self._commands.ask(ReadHold(one, hold_id(one, made.group_id)))
                for one in known
            ),
            return_exceptions=True,
        )
        found = zip(known, replies, strict=True)
        return frozenset(one for one, reply in found if isinstance(reply, HoldView))

    async def _hold_members(
        self, made: _Attempt, members: Sequence[ProviderId]
    ) -> ProviderId | Refusal | None:
        """Hold them one after another; the one that is taken, if one is.

        A refusal: the key, and so the group, is another request's. What was held of it
        here is released once its primary has decided.
        """
        for member in members:
            reply = await self._commands.ask(made.member_hold(member))
            if isinstance(reply, Refusal) and _is_of_another(reply):
                return reply
            if not isinstance(reply, HoldView):
                return member
        return None

    async def _lost(
        self,
        made: _Attempt,
        members: Sequence[ProviderId],
        tried: set[ProviderId],
        taken: ProviderId | Refusal,
    ) -> Reply | None:
        """How an attempt ends that could not hold a member; None: try another choice.

        A group that is another request's is left to that.
        """
        if isinstance(taken, Refusal):
            return taken
        tried.add(taken)
        await self._give_up(made.primary, made.group_id, members)
        return None

    async def _decided(
        self,
        made: _Attempt,
        held: HoldView,
        command: ConfirmHold | RescheduleBooking,
    ) -> Reply | None:
        """Book what is held, or move a visit there; None: the hold had ended."""
        reply = await self._commands.send(command)
        if isinstance(reply, Refusal):
            members = () if held.group is None else held.group.members
            self._spawn(self._give_up(made.primary, made.group_id, members))
        return None if _is_over(reply) else reply

    def _release_others(
        self, made: _Attempt, members: Sequence[ProviderId], group: Group | None
    ) -> None:
        """Two coordinators of one request: the first one's choice is what counts."""
        chosen = () if group is None else group.members
        others = [one for one in members if one not in chosen]
        if others:
            self._spawn(self._release(made.group_id, others))

    # --- beside ---------------------------------------------------------------

    async def _give_up(
        self, primary: ProviderId, group_id: GroupId, members: Sequence[ProviderId]
    ) -> None:
        """Have the primary decide against the group, then free the members."""
        if await self._aborted(primary, group_id):
            await self._release(group_id, members)

    async def _aborted(self, primary: ProviderId, group_id: GroupId) -> bool:
        """Have the primary decide against a group; False: it has booked it."""
        deadline = self._deadline()
        answer = await self._commands.ask(
            AbortGroup(provider_id=primary, group_id=group_id, deadline=deadline)
        )
        if not isinstance(answer, GroupView):
            raise Unavailable("a calendar does not decide against a group")
        return answer.state is GroupState.OVER

    async def _release(self, group_id: GroupId, members: Sequence[ProviderId]) -> None:
        for member in members:
            await self._commands.ask(
                ReleaseHold(
                    provider_id=member,
                    hold_id=hold_id(member, group_id),
                    owner=None,
                    group=group_id,
                    deadline=self._deadline(),
                )
            )

    async def _settle(self, view: BookingView) -> None:
        await self._settling.pay(view.provider_id, view.booking_id)

    async def _settle_many(
        self, provider_id: ProviderId, visits: Sequence[BookingId]
    ) -> None:
        for visit in visits:
            await self._settling.pay(provider_id, visit)

    async def _give_all_up(self, made: Sequence[HoldView]) -> None:
        """Have their calendar decide against these holds; members are freed beside."""
        await asyncio.gather(*map(self._let_go, made))

    async def _let_go(self, held: HoldView) -> None:
        group = held.group
        if group is not None:
            if await self._aborted(group.primary, group.group_id):
                self._spawn(self._release(group.group_id, group.members))
            return
        # Its visit type has come to need no more than the provider.
        await self._commands.ask(
            ReleaseHold(
                provider_id=held.provider_id,
                hold_id=held.hold_id,
                owner=None,
                deadline=self._deadline(),
            )
        )

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        if len(self._beside) >= SETTLING_MAX:
            work.close()
            return
        task = asyncio.get_running_loop().create_task(_logged(work))
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)

    def _deadline(self) -> Millis:
        return Millis(self._commands.now() + PATIENCE_MS)

    # --- what is needed -------------------------------------------------------

    async def _needs(
        self, provider_id: ProviderId, visit_type: VisitTypeId
    ) -> MembersWanted | None:
        """What a visit type takes; None: its provider alone, or there is no such."""
        known = self._wanted.get((provider_id, visit_type))
        if known is not None:
            return known
        view = await self._commands.ask(ReadProvider(provider_id))
        if not isinstance(view, ProviderView):
            return None
        for rule in view.availability.visit_types:
            if rule.visit_type == visit_type and rule.needs:
                found = MembersWanted(span_type(rule), rule.needs)
                self._wanted.put((provider_id, visit_type), found)
                self.any_known = True
                return found
        return None

    async def _moved(self, command: PlaceHold) -> Group | None:
        if command.moving is None:
            return None
        view = await self._commands.ask(
            ReadBooking(command.provider_id, command.moving)
        )
        if not isinstance(view, BookingView) or view.patient_id != command.patient_id:
            return None  # as of a visit that there is not: the provider's calendar says
        return None if command.proxy and view.confidential else view.group


def _is_over(reply: Reply) -> bool:
    """Whether an attempt has ended, and another may be made."""
    return isinstance(reply, Refusal) and reply.code in _OVER


def _is_of_another(reply: Reply) -> bool:
    """Whether a key was used for another request: its group must not be given up."""
    reused = RefusalCode.IDEMPOTENCY_KEY_REUSED
    return isinstance(reply, Refusal) and reply.code is reused


class _Head(TypedDict):
    """What commands of one request have in common."""

    provider_id: ProviderId
    key: str
    fingerprint: int
    deadline: Millis
    by: str
    proxy: bool


def _head(command: _Joining | BookMany, key: str = "") -> _Head:
    return _Head(
        provider_id=command.provider_id,
        key=key or command.key,
        fingerprint=command.fingerprint,
        deadline=command.deadline,
        by=command.by,
        proxy=command.proxy,
    )


_C = TypeVar("_C", bound=CommandBase)


def _alone(command: _C) -> _C:
    """The command, for a visit type that needs no more than its provider by now.

    Under the first key the calendar remembers that it did.
    """
    return replace(command, key=f"{command.key[:_KEY_MAX]}.alone")


async def _logged(work: Coroutine[Any, Any, None]) -> None:
    """Work beside an answer: what fails here is done by the workers."""
    try:
        await work
    except Unavailable as error:
        log.warning("a group is left to be settled", why=str(error))
    except Exception:
        log.exception("a group is left to be settled")
