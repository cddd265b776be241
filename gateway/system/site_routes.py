"""``/v1/site``: what a page must know of this site before anyone signs in."""

from __future__ import annotations

from fastapi import Request

from gateway.config import GatewayConfig
from gateway.http.features import ANYONE, Answer, FeatureRouter

router = FeatureRouter(prefix="/v1/site", tags=["system"])


class SiteAnswer(Answer):
    """``demo``: one-click people and their messages are there.

    ``early_outcomes``: check-ins, completions and no-shows are taken before their time,
    as on sites for training.
    """

    version: str
    demo: bool
    accounts: bool
    early_outcomes: bool


@router.get("", right=ANYONE)
async def read_site(request: Request) -> SiteAnswer:
    """What this site offers."""
    config: GatewayConfig = request.app.state.config
    has_accounts = request.app.state.ports.accounts is not None
    return SiteAnswer(
        version=config.version,
        demo=config.demo and has_accounts,
        accounts=has_accounts,
        early_outcomes=config.early_outcomes,
    )
