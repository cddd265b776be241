"""``/v1/accounts``: accounts and platform roles, for the platform's administrators."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Path, Query, Request
from pydantic import ConfigDict, Field

from actors.domain.ids import Millis
from care.accounts.accounts import EndedWhy
from care.accounts.ids import AccountId
from care.audit.entries import SITE_TENANT
from care.grants.ports import Platform
from care.grants.values import (
    FACTOR_RESET_WAIT_MS,
    FactorReset,
    PlatformAccount,
    PlatformRole,
)
from gateway.access.ended_grants import EndedGrants
from gateway.access.rights import Action
from gateway.accounts.answers import AuthDep
from gateway.accounts.needs import RandomIds
from gateway.accounts.registration import email_of
from gateway.config import GatewayPorts
from gateway.grants.member_routes import GrantsDep
from gateway.grants.service import granted
from gateway.http.features import Answer, Body, CallerDep, FeatureRouter, PageDep
from gateway.wire.errors import Forbidden, NotFound
from gateway.wire.formats import millis_text

router = FeatureRouter(prefix="/v1/accounts", tags=["platform"])

AccountParam = Annotated[str, Path(description="Which account.", max_length=100)]
TenantParam = Annotated[
    str, Query(description="Of an auditor: the clinic; empty: all.", max_length=100)
]


class AccountAnswer(Answer):
    """An account. ``roles`` are its contexts, as `/v1/me` names them."""

    account_id: str
    email: str
    status: str
    created_at: str
    disabled_at: str | None
    roles: list[str]

    @classmethod
    def of(cls, one: PlatformAccount) -> AccountAnswer:
        """The answer of an account."""
        gone = None if one.disabled_at is None else millis_text(one.disabled_at)
        return cls(
            account_id=one.account_id,
            email=one.email,
            status=one.status,
            created_at=millis_text(one.created_at),
            disabled_at=gone,
            roles=list(one.roles),
        )


class AccountsAnswer(Answer):
    """A page of accounts; ``next_cursor`` is null at the end."""

    items: list[AccountAnswer]
    next_cursor: str | None


class FactorResetAnswer(Answer):
    """Whether the factors of an account are removed, or from when on they can be."""

    account_id: str
    status: Literal["waiting", "done"]
    asked_at: str
    due_at: str

    @classmethod
    def of(cls, one: FactorReset) -> FactorResetAnswer:
        """The answer of a reset."""
        return cls(
            account_id=one.account_id,
            status="done" if one.done else "waiting",
            asked_at=millis_text(one.asked_at),
            due_at=millis_text(one.due_at),
        )


class AccountSearchBody(Body):
    """The address to look for."""

    model_config = ConfigDict(json_schema_extra={"example": {"email": "a@example.org"}})

    email: str = Field(min_length=3, max_length=254)


@router.get("", right=Action.LIST_ACCOUNTS)
async def list_accounts(request: Request, page: PageDep) -> AccountsAnswer:
    """All accounts, page by page."""
    found, following = await _platform(request).accounts(
        email="", after=page.cursor or "", limit=page.limit
    )
    items = [AccountAnswer.of(one) for one in found]
    return AccountsAnswer(items=items, next_cursor=following)


@router.post("/search", right=Action.LIST_ACCOUNTS, idempotent=False)
async def search_accounts(request: Request, body: AccountSearchBody) -> AccountsAnswer:
    """The account of exactly this address."""
    found, _ = await _platform(request).accounts(
        email=email_of(body.email), after="", limit=1
    )
    items = [AccountAnswer.of(one) for one in found]
    return AccountsAnswer(items=items, next_cursor=None)


@router.post(
    "/{account_id}/disable",
    right=Action.DISABLE_ACCOUNT,
    refusals=["account_not_found", "last_admin"],
)
async def disable_account(
    request: Request,
    account_id: AccountParam,
    caller: CallerDep,
    auth: AuthDep,
    grants: GrantsDep,
) -> AccountAnswer:
    """Disable an account: its sessions end everywhere, and none begins."""
    ports: GatewayPorts = request.app.state.ports
    done = await granted(
        _platform(request).disable(
            AccountId(account_id), AccountId(caller.account), now=ports.clock.now()
        ),
        "account_not_found",
    )
    await auth.sign_in.sign_out_everywhere(AccountId(account_id), EndedWhy.DISABLED)
    await grants.audited(
        caller, Action.DISABLE_ACCOUNT, SITE_TENANT, account=account_id
    )
    return AccountAnswer.of(done)


@router.post(
    "/{account_id}/enable",
    right=Action.DISABLE_ACCOUNT,
    refusals=["account_not_found"],
)
async def enable_account(
    request: Request, account_id: AccountParam, caller: CallerDep, grants: GrantsDep
) -> AccountAnswer:
    """Let an account sign in again."""
    done = await granted(
        _platform(request).enable(AccountId(account_id)), "account_not_found"
    )
    await grants.audited(
        caller, Action.DISABLE_ACCOUNT, SITE_TENANT, account=account_id, to="enabled"
    )
    return AccountAnswer.of(done)


@router.post(
    "/{account_id}/sign-out",
    right=Action.END_SESSIONS_OF,
    status_code=204,
    refusals=["account_not_found"],
)
async def sign_account_out(
    request: Request,
    account_id: AccountParam,
    caller: CallerDep,
    auth: AuthDep,
    grants: GrantsDep,
) -> None:
    """End all sessions of an account, everywhere; it may sign in again."""
    await _found(request, account_id)
    await auth.sign_in.sign_out_everywhere(
        AccountId(account_id), EndedWhy.ENDED_BY_ADMIN
    )
    await grants.audited(
        caller, Action.END_SESSIONS_OF, SITE_TENANT, account=account_id
    )


@router.post(
    "/{account_id}/factors/reset",
    right=Action.RESET_FACTORS,
    refusals=["account_not_found"],
)
async def reset_factors(
    request: Request,
    account_id: AccountParam,
    caller: CallerDep,
    auth: AuthDep,
    grants: GrantsDep,
) -> FactorResetAnswer:
    """Remove the second factors of an account whose owner has lost them.

    The first request asks for it and tells the owner. A second administrator's
    completes it at once if both have been one for a day, the first one's own after a
    day. A factor that is used meanwhile stops it. The account is signed out everywhere,
    and adds a factor when it signs in next, if one of its roles needs that.
    """
    if account_id == caller.account:
        raise Forbidden("Another administrator resets your factors.")
    ports: GatewayPorts = request.app.state.ports
    found, now = await _found(request, account_id), ports.clock.now()
    due = millis_text(Millis(now + FACTOR_RESET_WAIT_MS))
    reset = await granted(
        _platform(request).reset_factors(
            AccountId(account_id),
            AccountId(caller.account),
            asked=auth.mails.factors_reset_asked(found.email, due),
            done=auth.mails.factors_reset(found.email),
            now=now,
        ),
        "account_not_found",
    )
    if reset.done:
        await auth.sign_in.sign_out_everywhere(
            AccountId(account_id), EndedWhy.ENDED_BY_ADMIN
        )
    answer = FactorResetAnswer.of(reset)
    await grants.audited(
        caller,
        Action.RESET_FACTORS,
        SITE_TENANT,
        account=account_id,
        to=answer.status,
    )
    return answer


@router.delete(
    "/{account_id}/factors/reset", right=Action.RESET_FACTORS, status_code=204
)
async def keep_factors(
    request: Request, account_id: AccountParam, caller: CallerDep, grants: GrantsDep
) -> None:
    """Take back what was asked about an account's factors."""
    await _platform(request).keep_factors(AccountId(account_id))
    await grants.audited(
        caller, Action.RESET_FACTORS, SITE_TENANT, account=account_id, to="kept"
    )


@router.put(
    "/{account_id}/roles/{role}",
    right=Action.GRANT_PLATFORM_ROLE,
    refusals=["account_not_found", "role_exists"],
)
async def grant_platform_role(
    request: Request,
    account_id: AccountParam,
    role: PlatformRole,
    caller: CallerDep,
    grants: GrantsDep,
    tenant: TenantParam = "",
) -> AccountAnswer:
    """Make an account an administrator of the platform, or an auditor."""
    ports: GatewayPorts = request.app.state.ports
    tenant = "" if role is PlatformRole.ADMIN else tenant
    grant_id = RandomIds().id("plr")
    await granted(
        _platform(request).grant(
            AccountId(account_id), role, tenant, grant_id, now=ports.clock.now()
        ),
        "account_not_found",
    )
    await grants.audited(
        caller, Action.GRANT_PLATFORM_ROLE, SITE_TENANT, account=account_id, role=role
    )
    return await _shown(request, account_id)


@router.delete(
    "/{account_id}/roles/{role}",
    right=Action.GRANT_PLATFORM_ROLE,
    status_code=204,
    refusals=["account_not_found", "last_admin"],
)
async def take_platform_role(
    request: Request,
    account_id: AccountParam,
    role: PlatformRole,
    caller: CallerDep,
    grants: GrantsDep,
    tenant: TenantParam = "",
) -> None:
    """Take a platform role back; its tokens are refused at once."""
    tenant = "" if role is PlatformRole.ADMIN else tenant
    grant_id = await granted(
        _platform(request).take(AccountId(account_id), role, tenant),
        "account_not_found",
    )
    ended: EndedGrants = request.app.state.ended_grants
    await ended.end(grant_id)
    await grants.audited(
        caller, Action.GRANT_PLATFORM_ROLE, SITE_TENANT, account=account_id, taken=role
    )


async def _shown(request: Request, account_id: str) -> AccountAnswer:
    return AccountAnswer.of(await _found(request, account_id))


async def _found(request: Request, account_id: str) -> PlatformAccount:
    found = await _platform(request).account(AccountId(account_id))
    if found is None:
        raise NotFound(code="account_not_found")
    return found


def _platform(request: Request) -> Platform:
    ports: GatewayPorts = request.app.state.ports
    assert ports.grants is not None, "mounted only where there are grants"
    return ports.grants.platform
