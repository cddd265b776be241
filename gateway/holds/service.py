"""Holds: place, show, extend and release them. Used by REST and the live socket."""

from __future__ import annotations

from typing import TypeVar

from msgspec.structs import replace

from actors.domain.ids import (
    BookingId,
    HoldId,
    ProviderId,
    VisitTypeId,
    hold_id,
    provider_of,
)
from actors.domain.messages.answers import NEEDS_MEMBERS, Done, HoldView, Reply
from actors.domain.messages.commands import ExtendHold, PlaceHold, ReleaseHold
from actors.domain.messages.reads import ReadHold
from actors.domain.messages.refusals import NO_HOLD, Refusal, RefusalCode
from actors.ports import Calendars
from gateway.access.rights import (
    PERMISSIONS,
    Access,
    Action,
    Relation,
    acting_patient,
    owner_of,
    signed_in,
)
from gateway.access.tokens import Caller
from gateway.calendars.commands import Commands
from gateway.calendars.commitments import Commitments, Slot
from gateway.calendars.members.booking import GroupBookings
from gateway.holds.schemas import HoldBody, HoldList, HoldRequest, hold_body
from gateway.wire.errors import (
    FieldError,
    Forbidden,
    InvalidRequest,
    Refused,
    accepted,
)
from gateway.wire.fields import OF_ANOTHER
from gateway.wire.formats import parse_minute

T = TypeVar("T")


class HoldService:
    """The operations on holds.

    Every method may raise Refused, the errors of gateway/wire/errors.py, and
    Unavailable.
    """

    def __init__(
        self,
        commands: Commands,
        calendars: Calendars,
        access: Access,
        commitments: Commitments,
        groups: GroupBookings,
    ) -> None:
        self._groups = groups
        self._commitments = commitments
        self._commands = commands
        self._calendars = calendars
        self._access = access

    async def place(
        self, caller: Caller | None, key: str | None, request: HoldRequest
    ) -> HoldBody:
        """Reserve a slot for a patient."""
        provider_id = ProviderId(request.provider_id)
        caller = await self._access.to_provider(caller, Action.PLACE_HOLD, provider_id)
        patient_id = acting_patient(caller, request.patient_id)
        if patient_id is None:
            raise InvalidRequest(
                "", FieldError("patient_id", "is missing: staff name the patient")
            )
        await self._access.check_named(caller, patient_id)
        start = parse_minute(request.start, "start")
        visit_type = VisitTypeId(request.visit_type)
        moving = None
        if request.moving is not None:
            moving = BookingId(request.moving)
            if provider_of(moving) != provider_id:
                raise InvalidRequest("", FieldError("moving", OF_ANOTHER))
        content: tuple[object, ...] = (provider_id, patient_id, visit_type, start)
        if moving is not None:
            content += (moving,)
        stamp = self._commands.stamp(caller, key, "hold", *content)
        if caller.patient_id is not None:
            wanted = Slot(provider_id, visit_type, start)
            await self._commitments.check_hold(patient_id, wanted)
        command = PlaceHold(
            provider_id=provider_id,
            hold_id=hold_id(provider_id, self._commands.tokens()),
            patient_id=patient_id,
            visit_type=visit_type,
            start=start,
            moving=moving,
            by_staff=caller.is_staff,
            **stamp,
        )
        view = accepted(await self._placed(command), HoldView)
        return hold_body(as_seen_by(caller, view), self._commands.now())

    async def _placed(self, command: PlaceHold) -> Reply:
        """The hold, with the rooms and equipment that the visit takes."""
        groups = self._groups
        if groups.any_known and groups.is_known(
            command.provider_id, command.visit_type
        ):
            return await groups.hold(command)
        reply = await self._commands.send(command)
        if type(reply) is Refusal and reply == NEEDS_MEMBERS:
            return await groups.hold(command)
        return reply

    async def live(self, caller: Caller | None) -> HoldList:
        """The caller's live holds, in order of placing."""
        caller = signed_in(caller)
        permission = PERMISSIONS[Action.LIST_HOLDS, caller.role, Relation.OWN]
        if not permission.allows or caller.patient_id is None:
            raise Forbidden("Staff see holds by their ids.")
        found = await self._commitments.live_holds(caller.patient_id)
        now = self._commands.now()
        return HoldList([hold_body(as_seen_by(caller, view), now) for view in found])

    async def show(self, caller: Caller | None, held: str) -> HoldBody:
        """One live hold."""
        caller, provider_id = await self._access.to_object(
            caller, Action.READ_HOLD, "hld", held
        )
        read = ReadHold(provider_id, HoldId(held), owner_of(caller), caller.is_proxy)
        view = _accepted(await self._calendars.ask(read), HoldView)
        if not view.patient_id:  # the waiting list has it, and no patient
            raise Refused(NO_HOLD)
        return hold_body(as_seen_by(caller, view), self._commands.now())

    async def extend(
        self, caller: Caller | None, key: str | None, held: str
    ) -> HoldBody:
        """Extend a hold by its full duration from now."""
        caller, provider_id = await self._access.to_object(
            caller, Action.EXTEND_HOLD, "hld", held
        )
        await self._access.check_held(caller, provider_id, HoldId(held))
        stamp = self._commands.stamp(caller, key, "extend", held)
        command = ExtendHold(
            provider_id=provider_id,
            hold_id=HoldId(held),
            owner=owner_of(caller),
            **stamp,
        )
        view = _accepted(await self._commands.send(command), HoldView)
        return hold_body(as_seen_by(caller, view), self._commands.now())

    async def release(self, caller: Caller | None, key: str | None, held: str) -> Done:
        """Release the slot."""
        caller, provider_id = await self._access.to_object(
            caller, Action.RELEASE_HOLD, "hld", held
        )
        if caller.patient_id is None:
            await self._check_whose(provider_id, HoldId(held))
        stamp = self._commands.stamp(caller, key, "release", held)
        group = await self._groups.members_of(HoldId(held), provider_id)
        command = ReleaseHold(
            provider_id=provider_id,
            hold_id=HoldId(held),
            owner=owner_of(caller),
            **stamp,
        )
        done = _accepted(await self._commands.send(command), Done)
        if group is not None:
            self._groups.give_up(group)
        return done

    async def _check_whose(self, provider_id: ProviderId, held: HoldId) -> None:
        """Raises Refused: no patient has it, so that it is none to staff either.

        The waiting list gives its slots up itself: else they would be free to all.
        """
        view = await self._calendars.ask(ReadHold(provider_id, held, None))
        if isinstance(view, HoldView) and not view.patient_id:
            raise Refused(NO_HOLD)


def as_seen_by(caller: Caller, view: HoldView) -> HoldView:
    """A hold without the visit it is to move, for proxies: it may be confidential."""
    return replace(view, moving=None) if caller.is_proxy else view


def _accepted(reply: object, kind: type[T]) -> T:
    return accepted(reply, kind, absent=RefusalCode.HOLD_NOT_FOUND)
