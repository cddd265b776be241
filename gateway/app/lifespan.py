"""Background work of a gateway, from its start to its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI

from gateway.accounts.side import AuthSide
from gateway.config import GatewayPorts
from gateway.live.service import LiveService
from gateway.metrics.metrics import ShardAccounts
from gateway.services import Services
from gateway.transport.endless import kept_going


def lifespan_of(
    ports: GatewayPorts,
    live: LiveService,
    made: Services,
    accounts: ShardAccounts,
    auth: AuthSide | None,
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """Background work for the lifetime of the application."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await live.start()
        works = [
            made.shared.run(),
            accounts.follow(),
            kept_going("acquaintances", made.acquaintances.run),
        ]
        if made.hearing is not None:
            works.append(kept_going("search", made.hearing.live.run))
            works.append(kept_going("next starts", made.hearing.run))
        if ports.audit_spool is not None:
            works.append(kept_going("audit spool", ports.audit_spool.run))
        if ports.persons is not None:
            works.append(kept_going("keys", ports.persons.run))
        if auth is not None:
            works.append(kept_going("sessions", auth.seen.run))
        beside = [asyncio.ensure_future(work) for work in works]
        try:
            yield
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            if auth is not None:
                auth.close()
            made.symptoms.close()
            made.followed.close()
            await made.groups.close()
            await live.stop()

    return lifespan
