"""``/v1/me`` and ``/v1/auth/sessions``: the caller's account and devices."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from care.accounts.accounts import EndedWhy, SignInContext
from care.accounts.ids import AccountId, SessionId
from gateway.access.rights import Action
from gateway.accounts.answers import AuthDep
from gateway.accounts.refusals import SessionEnded
from gateway.accounts.schemas import MeAnswer, SessionAnswer, SessionsAnswer
from gateway.accounts.service import identity_of
from gateway.http.features import CallerDep, FeatureRouter
from gateway.wire.errors import NotFound

router = FeatureRouter(prefix="/v1", tags=["auth"])


@router.get("/me", right=Action.READ_ACCOUNT, refusals=["session_ended"])
async def me(caller: CallerDep, auth: AuthDep) -> MeAnswer:
    """The caller's account, and what it can act as."""
    account_id = AccountId(identity_of(caller).account)
    account = await auth.stores.accounts.find(account_id)
    if account is None:
        raise SessionEnded
    contexts = list(await auth.stores.accounts.contexts(account_id))
    named = SignInContext(caller.role.value, caller.subject)
    context = next((one for one in contexts if one.name == named.name), named)
    return MeAnswer.of(account, context, contexts)


@router.get("/auth/sessions", right=Action.READ_ACCOUNT)
async def list_sessions(caller: CallerDep, auth: AuthDep) -> SessionsAnswer:
    """The caller's signed-in devices."""
    identity = identity_of(caller)
    found = await auth.stores.sessions.sessions(AccountId(identity.account))
    return SessionsAnswer(
        items=[SessionAnswer.of(one, identity.session) for one in found]
    )


@router.delete(
    "/auth/sessions/{session_id}",
    right=Action.END_SESSION,
    status_code=204,
    refusals=["session_not_found"],
)
async def end_session(
    session_id: Annotated[str, Path(description="Which session.", max_length=100)],
    caller: CallerDep,
    auth: AuthDep,
) -> None:
    """Sign a device out: its tokens are refused within a second."""
    found = await auth.stores.sessions.session(SessionId(session_id))
    if found is None or found.account_id != identity_of(caller).account:
        raise NotFound(code="session_not_found")
    await auth.sign_in.sign_out(found.session_id, EndedWhy.ENDED_BY_OWNER)
