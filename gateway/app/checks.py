"""Checks of readiness beside those of health.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gateway.config import GatewayPorts
from gateway.live.service import LiveService
from gateway.metrics.metrics import ShardAccounts
from gateway.services import Services
from gateway.system.health import Check, NamedCheck


def checks_of(
    ports: GatewayPorts, live: LiveService, accounts: ShardAccounts, made: Services
) -> Sequence[Callable[[], NamedCheck]]:
    """Those of what a gateway was given, to be run each time readiness is asked."""
    return [
        lambda: _hosting_check(ports),
        lambda: _live_check(live, accounts),
        *_shared_checks(made),
        *_audit_checks(ports),
    ]


def _hosting_check(ports: GatewayPorts) -> NamedCheck:
    missing = ports.hosting()
    return "hosting", Check(ok=not missing, required=True, detail=missing)


def _audit_checks(ports: GatewayPorts) -> list[Callable[[], NamedCheck]]:
    """Bookings go on without the audit trail's spool; staff's reads do not."""
    spool = ports.audit_spool
    if spool is None:
        return []

    def check() -> NamedCheck:
        standing = spool.standing()
        return "audit", Check(ok=standing.ok, required=False, detail=standing.detail)

    return [check]


def _live_check(live: LiveService, accounts: ShardAccounts) -> NamedCheck:
    wrong = live.health(accounts.damaged())
    return "live", Check(ok=not wrong, required=True, detail="; ".join(wrong))


def _shared_checks(made: Services) -> list[Callable[[], NamedCheck]]:
    """Shared state is optional: bookings continue without it."""

    def check_of(part: str) -> Callable[[], NamedCheck]:
        def check() -> NamedCheck:
            standing = made.shared.standings()[part]
            return part, Check(ok=standing.ok, required=False, detail=standing.detail)

        return check

    return [check_of(part) for part in made.shared.standings()]
