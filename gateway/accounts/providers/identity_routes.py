"""``/v1/auth/identities``: the caller's identities at other providers."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from care.accounts.identities import IdentityId
from gateway.access.rights import Action
from gateway.accounts.answers import AuthDep
from gateway.accounts.providers.schemas import IdentitiesAnswer, IdentityAnswer
from gateway.http.features import CallerDep, FeatureRouter

router = FeatureRouter(prefix="/v1/auth/identities", tags=["auth"])


@router.get("", right=Action.READ_ACCOUNT)
async def list_identities(caller: CallerDep, auth: AuthDep) -> IdentitiesAnswer:
    """The providers by which the caller signs in."""
    found = await auth.vouching.of_caller(caller)
    return IdentitiesAnswer(items=[IdentityAnswer.of(one) for one in found])


@router.delete(
    "/{identity_id}",
    right=Action.UNLINK_IDENTITY,
    status_code=204,
    refusals=["identity_not_found", "identity_required", "account_disabled"],
)
async def unlink_identity(
    identity_id: Annotated[str, Path(max_length=100, description="Which identity.")],
    caller: CallerDep,
    auth: AuthDep,
) -> None:
    """Unlink a provider from the caller's account; its owner is told.

    Refused for the last way to sign in: an account without a password, a passkey and
    another provider.
    """
    await auth.vouching.unlink(caller, IdentityId(identity_id))
