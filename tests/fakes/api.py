"""A whole gateway in one process: real shards, journal and read model in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import httpx
from fastapi import FastAPI

from actors.domain.ids import Millis, ProviderId
from actors.domain.rules import Policy
from actors.hosting.local import LocalLinks
from actors.hosting.mailbox import Mailbox
from actors.placement import Placement, placing, shard_name
from gateway.access.tokens import (
    Caller,
    Identity,
    Role,
    issue_access_token,
    issue_token,
)
from gateway.app.application import create_app
from gateway.calendars.courier import Courier
from gateway.config import GatewayConfig, GatewayPorts
from persistence.journal.memory import MemoryJournal
from persistence.readmodel.memory.readmodel import MemoryReadModel
from persistence.readmodel.projection.projector import Projector
from persistence.snapshots.memory import MemorySnapshots
from tests import factories as make
from tests.fakes.answers import MemoryAnswers
from tests.fakes.clocks import SteppedClock
from tests.fakes.jobs import MemoryJobs
from tests.fakes.openapi_checker import OpenApiChecker
from tests.fakes.roster import MemoryRoster

KEY = b"a key for tests, 32 bytes or more"
CONFIG = GatewayConfig(
    token_keys=(KEY,), rate_limited=False, log_requests=False, lists_believed_s=0
)
"""Lists are read each time: tests change calendars and read models behind gateways."""
CLINIC = "cln_1"


@dataclass
class Api:
    """The app, a client of it, and what stands behind."""

    app: FastAPI
    client: httpx.AsyncClient
    clock: SteppedClock
    links: LocalLinks
    projector: Projector
    read_model: MemoryReadModel
    ports: GatewayPorts
    checker: OpenApiChecker

    def token(self, role: str, subject: str, ttl_s: int = 3600, jti: str = "t") -> str:
        return issue_token(KEY, Role(role), subject, ttl_s, self.clock.now(), jti)

    def auth(self, role: str, subject: str, ttl_s: int = 3600) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(role, subject, ttl_s)}"}

    def patient(self, number: int = 1) -> dict[str, str]:
        return self.auth("patient", f"pat_{number}")

    def doctor(self, provider: str = "prv_1") -> dict[str, str]:
        return self.auth("doctor", provider)

    def clinic_admin(self, clinic: str = CLINIC) -> dict[str, str]:
        return self.auth("clinic_admin", clinic)

    def admin(self) -> dict[str, str]:
        return self.auth("admin", "root")

    def receptionist(self, account: str, session: str = "ses_1") -> dict[str, str]:
        """One of several people who administer the clinic, each with an account."""
        now = self.clock.now()
        identity = Identity(account, session, "", 1, 1, now)
        expires = Millis(now + 3_600_000)
        caller = Caller(Role.CLINIC_ADMIN, CLINIC, expires, now, session, identity)
        return {"Authorization": f"Bearer {issue_access_token(KEY, caller)}"}

    async def project(self) -> None:
        while await self.projector.step():
            pass

    async def add_provider(self, number: int = 1, **profile: Any) -> ProviderId:
        """A provider who is open 9 to 5 UTC with half-hour consultations."""
        provider = make.a_provider_id(number)
        for command in (
            make.register(
                provider_id=provider, profile=make.a_profile(number, **profile)
            ),
            make.set_availability(provider_id=provider),
        ):
            answer = await self.ports.calendars.ask(command)
            assert type(answer).__name__ in ("Done", "Affected"), answer
        return provider


def slot(
    provider: str = "prv_1", start: str = "2026-08-10T09:00:00Z"
) -> dict[str, str]:
    return {"provider_id": provider, "visit_type": "consult", "start": start}


@asynccontextmanager
async def open_api(
    config: GatewayConfig = CONFIG,
    calendars: Any = None,
    shared: Mapping[str, Any] | None = None,
    clock: SteppedClock | None = None,
    **changes: Any,
) -> AsyncIterator[Api]:
    """A gateway over two shards; ``calendars`` may stand in for the courier.

    ``shared``: the ports that gateways share, by their names in GatewayPorts.
    """
    clock = clock or SteppedClock(make.NOW)
    journal, snapshots = MemoryJournal(), MemorySnapshots()
    shards = [shard_name(0), shard_name(1)]
    links = LocalLinks(
        placing(Placement.SHARD, 2),
        shards,
        lambda shard: Mailbox(shard, journal, snapshots, clock, Policy()),
    )
    courier = Courier(links, clock)
    numbers = count(1)
    read_model = MemoryReadModel()
    for roster in (shared or {}).values():
        if isinstance(roster, MemoryRoster):
            roster.read_model = read_model
    ports = GatewayPorts(
        calendars=calendars or courier,
        links=links,
        directory=read_model,
        history=read_model,
        progress=read_model,
        clock=clock,
        tokens=lambda: f"token-{next(numbers):010}",
        jobs=MemoryJobs(),
        answers=MemoryAnswers(),
        **(shared or {}),
    )
    app = create_app(ports, replace(config, **changes))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    projector = Projector(journal, read_model, clock)
    checker = OpenApiChecker(app.openapi())
    await links.open()
    try:
        async with httpx.AsyncClient(
            transport=transport,
            base_url="http://clinic.test",
            event_hooks={"response": [checker]},
        ) as client:
            yield Api(app, client, clock, links, projector, read_model, ports, checker)
    finally:
        await courier.close()
        await links.close()
