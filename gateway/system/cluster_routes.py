"""``/v1/cluster``: the health of the cluster, for the operators' page.

The same accounts as ``/metrics`` and ``/readyz``, asked at most once a second however
many pages ask.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from actors.ports import ShardStatus
from gateway.access.rights import Action
from gateway.config import GatewayPorts
from gateway.http.features import Answer, FeatureRouter
from gateway.metrics.metrics import ShardAccounts
from gateway.system.health import Health
from gateway.wire.formats import millis_text

router = FeatureRouter(prefix="/v1/cluster", tags=["system"])


class CheckAnswer(Answer):
    """One thing that serving needs (``required``), or is better with."""

    name: str
    ok: bool
    required: bool
    detail: str


class ShardAnswer(Answer):
    """A shard.

    ``lag_events``: durable events that the read model does not show yet, and
    ``lag_seconds`` how long the oldest of them was seen to wait. ``commands`` and
    ``batches`` count since the shard's process began; ``fsync`` times are of its
    recent journal appends.
    """

    shard: str
    up: bool
    node: str
    state: str
    epoch: int
    last_seq: int
    calendars: int
    waiting: int
    commands: int
    batches: int
    memory_bytes: int
    journal_pressure: float
    fsync_p50_ms: float
    fsync_p99_ms: float
    lag_events: int
    lag_seconds: float


class ClusterAnswer(Answer):
    """The whole cluster as this gateway sees it at ``now``."""

    now: str
    version: str
    ready: bool
    checks: list[CheckAnswer]
    shards: list[ShardAnswer]
    watchers: int
    """Live connections of this gateway."""
    projection_up: bool


async def health_of(request: Request) -> Health:
    """This gateway's checks."""
    health: Health = request.app.state.health
    return health


@router.get("", right=Action.READ_CLUSTER)
async def read_cluster(
    request: Request, health: Annotated[Health, Depends(health_of)]
) -> ClusterAnswer:
    """Checks, shards and watchers: what an operator looks at first."""
    readiness = await health.readiness()
    accounts = health.accounts
    ports: GatewayPorts = request.app.state.ports
    up = [_shard(one, accounts) for one in accounts.statuses.values()]
    down = [_silent(shard) for shard in accounts.missing]
    return ClusterAnswer(
        now=millis_text(ports.clock.now()),
        version=request.app.version,
        ready=readiness.ready,
        checks=[
            CheckAnswer(name=name, ok=one.ok, required=one.required, detail=one.detail)
            for name, one in readiness.checks.items()
        ],
        shards=sorted([*up, *down], key=lambda one: one.shard),
        watchers=len(request.app.state.live.hub.watchers),
        projection_up=accounts.projected is not None,
    )


def _shard(status: ShardStatus, accounts: ShardAccounts) -> ShardAnswer:
    return ShardAnswer(
        shard=status.shard,
        up=True,
        node=status.node,
        state=status.state,
        epoch=status.epoch,
        last_seq=status.last_seq,
        calendars=status.calendars,
        waiting=status.mailbox,
        commands=status.commands,
        batches=status.batches,
        memory_bytes=status.memory_bytes,
        journal_pressure=status.journal_pressure,
        fsync_p50_ms=status.fsync_p50_ms,
        fsync_p99_ms=status.fsync_p99_ms,
        lag_events=int(accounts.lag.events().get(status.shard, 0)),
        lag_seconds=float(accounts.lag.seconds().get(status.shard, 0.0)),
    )


def _silent(shard: str) -> ShardAnswer:
    """A shard that does not answer: nothing is known of it but its name."""
    return ShardAnswer(
        shard=shard,
        up=False,
        node="",
        state="silent",
        epoch=0,
        last_seq=0,
        calendars=0,
        waiting=0,
        commands=0,
        batches=0,
        memory_bytes=0,
        journal_pressure=0.0,
        fsync_p50_ms=0.0,
        fsync_p99_ms=0.0,
        lag_events=0,
        lag_seconds=0.0,
    )
