"""``/v1/accounts``: accounts and platform roles, for the platform's administrators."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query, Request
from pydantic import ConfigDict, Field

from care.accounts.accounts import EndedWhy
from care.accounts.ids import AccountId
from care.audit.entries import SITE_TENANT
from care.grants.ports import Platform
from care.grants.values import PlatformAccount, PlatformRole
from gateway.access.ended_grants import EndedGrants
from gateway.access.rights import Action
from gateway.accounts.answers import AuthDep
from gateway.accounts.needs import RandomIds
from gateway.accounts.registration import email_of
from gateway.config import GatewayPorts
from gateway.grants.member_routes import GrantsDep
from gateway.grants.service import granted
from gateway.http.features import Answer, Body, CallerDep, FeatureRouter, PageDep
from gateway.wire.errors import NotFound
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
    found = await _platform(request).account(AccountId(account_id))
    if found is None:
        raise NotFound(code="account_not_found")
    return AccountAnswer.of(found)


def _platform(request: Request) -> Platform:
    ports: GatewayPorts = request.app.state.ports
    assert ports.grants is not None, "mounted only where there are grants"
    return ports.grants.platform
