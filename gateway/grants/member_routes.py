"""``/v1/clinics/…/members`` and so on: who works at a clinic, and its options."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import Depends, Path, Request

from actors.domain.ids import ClinicId
from actors.domain.messages.answers import ProviderView
from actors.domain.messages.reads import ReadProvider
from care.readmodel import ProviderQuery
from gateway.access.options import ClinicOption
from gateway.access.rights import Access, Action
from gateway.config import GatewayPorts
from gateway.grants.schemas import (
    AcceptBody,
    AcceptedRoleAnswer,
    CalendarAnswer,
    CalendarsAnswer,
    InvitationAnswer,
    InvitationsAnswer,
    InviteMemberBody,
    MemberAnswer,
    MembersAnswer,
    OptionsAnswer,
    OptionsBody,
    RoleChangeBody,
)
from gateway.grants.service import GrantService
from gateway.http.features import CallerDep, FeatureRouter, PageDep
from gateway.wire.errors import FieldError, InvalidRequest

router = FeatureRouter(prefix="/v1", tags=["clinics"])

ClinicParam = Annotated[str, Path(description="Which clinic.", max_length=100)]
MemberParam = Annotated[str, Path(description="Which membership.", max_length=100)]
InvitationParam = Annotated[str, Path(description="Which one.", max_length=100)]


async def grants_of(request: Request) -> GrantService:
    """This gateway's service of grants."""
    found: GrantService = request.app.state.grants
    return found


GrantsDep = Annotated[GrantService, Depends(grants_of)]


@router.get("/clinics/{clinic_id}/members", right=Action.READ_MEMBERS)
async def list_members(clinic_id: ClinicParam, grants: GrantsDep) -> MembersAnswer:
    """Who works at a clinic."""
    found = await grants.members(ClinicId(clinic_id))
    return MembersAnswer(items=[MemberAnswer.of(one) for one in found])


@router.get("/clinics/{clinic_id}/calendars", right=Action.READ_MEMBERS)
async def list_calendars(
    request: Request, clinic_id: ClinicParam, page: PageDep
) -> CalendarsAnswer:
    """A clinic's providers, those who are suspended or retired too."""
    ports: GatewayPorts = request.app.state.ports
    wanted = ProviderQuery(clinic_id=ClinicId(clinic_id), with_retired=True)
    try:
        found, following = await ports.directory.find(
            wanted, after=page.cursor or "", limit=page.limit
        )
    except ValueError:
        raise InvalidRequest("", FieldError("cursor", "is not valid")) from None
    # The directory follows the calendars, and does not tell suspended from retired.
    ask = ports.calendars.ask
    views = await asyncio.gather(*(ask(ReadProvider(one.provider_id)) for one in found))
    items = [
        CalendarAnswer(
            provider_id=view.provider_id,
            name=view.profile.name,
            specialty=view.profile.specialty,
            retired=view.profile.retired,
            suspended=view.profile.suspended,
        )
        for view in views
        if isinstance(view, ProviderView)
    ]
    return CalendarsAnswer(items=items, next_cursor=following)


@router.patch(
    "/clinics/{clinic_id}/members/{membership_id}",
    right=Action.CHANGE_MEMBER_ROLE,
    refusals=["member_not_found", "last_admin", "role_exists"],
)
async def change_member_role(
    clinic_id: ClinicParam,
    membership_id: MemberParam,
    body: RoleChangeBody,
    caller: CallerDep,
    grants: GrantsDep,
) -> MemberAnswer:
    """Give a member another role. Tokens of the old one are refused from then on."""
    made = await grants.change_role(
        caller, ClinicId(clinic_id), membership_id, body.role, body.provider_id
    )
    return MemberAnswer.of(made)


@router.delete(
    "/clinics/{clinic_id}/members/{membership_id}",
    right=Action.REMOVE_MEMBER,
    status_code=204,
    refusals=["member_not_found", "last_admin"],
)
async def remove_member(
    clinic_id: ClinicParam,
    membership_id: MemberParam,
    caller: CallerDep,
    grants: GrantsDep,
) -> None:
    """End a membership. Its tokens are refused and its sockets closed at once."""
    await grants.remove(caller, ClinicId(clinic_id), membership_id)


@router.get("/clinics/{clinic_id}/invitations", right=Action.INVITE_MEMBER)
async def list_invitations(
    request: Request, clinic_id: ClinicParam, grants: GrantsDep
) -> InvitationsAnswer:
    """A clinic's invitations, the newest first."""
    now = _now(request)
    found = await grants.invitations(ClinicId(clinic_id))
    return InvitationsAnswer(items=[InvitationAnswer.of(one, now) for one in found])


@router.post(
    "/clinics/{clinic_id}/invitations", right=Action.INVITE_MEMBER, status_code=201
)
async def invite_member(
    request: Request,
    clinic_id: ClinicParam,
    body: InviteMemberBody,
    caller: CallerDep,
    grants: GrantsDep,
) -> InvitationAnswer:
    """Offer a role at the clinic to an address, by mail."""
    made = await grants.invite_member(
        caller, ClinicId(clinic_id), body.email, body.role, body.provider_id
    )
    return InvitationAnswer.of(made, _now(request))


@router.post(
    "/clinics/{clinic_id}/invitations/{invitation_id}/resend",
    right=Action.INVITE_MEMBER,
    refusals=["invitation_not_found", "invitation_used"],
)
async def resend_invitation(
    request: Request,
    clinic_id: ClinicParam,
    invitation_id: InvitationParam,
    grants: GrantsDep,
) -> InvitationAnswer:
    """Mail an open invitation again; the earlier link does not work any more."""
    made = await grants.resend(ClinicId(clinic_id), invitation_id)
    return InvitationAnswer.of(made, _now(request))


@router.delete(
    "/clinics/{clinic_id}/invitations/{invitation_id}",
    right=Action.INVITE_MEMBER,
    status_code=204,
    refusals=["invitation_not_found", "invitation_used"],
)
async def revoke_invitation(
    clinic_id: ClinicParam, invitation_id: InvitationParam, grants: GrantsDep
) -> None:
    """Take an open invitation back."""
    await grants.take_back(ClinicId(clinic_id), invitation_id)


@router.post(
    "/invitations/accept",
    right=Action.ACCEPT_INVITATION,
    idempotent=False,
    refusals=["invitation_used", "role_exists"],
)
async def accept_invitation(
    body: AcceptBody, caller: CallerDep, grants: GrantsDep
) -> AcceptedRoleAnswer:
    """Take a role that was offered to the address of the caller's account."""
    return AcceptedRoleAnswer.of(await grants.accept(caller, body.token))


@router.get("/clinics/{clinic_id}/options", right=Action.READ_MEMBERS)
async def read_options(request: Request, clinic_id: ClinicParam) -> OptionsAnswer:
    """What the clinic has switched."""
    return await _options(request, ClinicId(clinic_id))


@router.patch("/clinics/{clinic_id}/options", right=Action.EDIT_CLINIC)
async def set_options(
    request: Request,
    clinic_id: ClinicParam,
    body: OptionsBody,
    caller: CallerDep,
    grants: GrantsDep,
) -> OptionsAnswer:
    """Switch options of a clinic."""
    ports: GatewayPorts = request.app.state.ports
    assert ports.grants is not None
    access: Access = request.app.state.services.access
    sent = body.model_dump(exclude_none=True)
    await ports.grants.options.put(ClinicId(clinic_id), sent)
    access.options.forget(ClinicId(clinic_id))
    await grants.audited(caller, Action.EDIT_CLINIC, clinic_id, options=" ".join(sent))
    return await _options(request, ClinicId(clinic_id))


async def _options(request: Request, clinic_id: ClinicId) -> OptionsAnswer:
    access: Access = request.app.state.services.access
    found = {
        one.value: await access.options.is_on(clinic_id, one) for one in ClinicOption
    }
    return OptionsAnswer(**found)


def _now(request: Request) -> int:
    ports: GatewayPorts = request.app.state.ports
    return ports.clock.now()
