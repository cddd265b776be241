"""``/v1/jobs``: background jobs, for operators."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query, Request
from pydantic import ConfigDict, Field

from actors.domain.ids import Millis
from care.jobs.ports import JobQueue
from gateway.access.rights import Action
from gateway.config import GatewayPorts
from gateway.http.features import Answer, Body, FeatureRouter, Page
from gateway.wire.errors import FieldError, InvalidRequest
from gateway.wire.formats import millis_text

router = FeatureRouter(prefix="/v1/jobs", tags=["jobs"])

RESEND_MAX = 1_000
"""Maximum number of ids in one request."""


class JobCountsAnswer(Answer):
    """How many jobs wait, are done, and are dead letters."""

    waiting: int
    done: int
    dead: int
    oldest_due: str | None = Field(
        description="Since when the oldest due job waits; null if none is overdue."
    )


class DeadJobAnswer(Answer):
    """A job that is not tried again until it is resent."""

    id: int
    kind: str
    key: str
    created_at: str
    dead_at: str
    attempts: int
    error: str


class DeadJobsPage(Answer):
    """Dead letters in the order of their ids."""

    items: list[DeadJobAnswer]
    next_cursor: str | None


class ResendBody(Body):
    """Dead letters to resend; without ``ids`` all of them."""

    model_config = ConfigDict(json_schema_extra={"example": {"ids": [17, 21]}})

    ids: list[int] | None = Field(None, min_length=1, max_length=RESEND_MAX)


class ResendAnswer(Answer):
    """Number of jobs made due again."""

    resent: int


async def queue_of(request: Request) -> JobQueue:
    """The gateway's job queue."""
    ports: GatewayPorts = request.app.state.ports
    assert ports.jobs is not None, "the router is mounted only where there are jobs"
    return ports.jobs


QueueDep = Annotated[JobQueue, Depends(queue_of)]


@router.get("", right=Action.READ_JOBS)
async def job_counts(request: Request, jobs: QueueDep) -> JobCountsAnswer:
    """How many background jobs there are, by state."""
    counts = await jobs.counts(_now(request))
    oldest = counts.oldest_due_at
    return JobCountsAnswer(
        waiting=counts.waiting,
        done=counts.done,
        dead=counts.dead,
        oldest_due=None if oldest is None else millis_text(oldest),
    )


class DeadPage(Page):
    """Which dead letters."""

    kind: str = Field(
        "",
        max_length=64,
        description="Only this kind and those below it: notices has notices.deliver.",
    )


@router.get("/dead", right=Action.READ_JOBS)
async def dead_jobs(page: Annotated[DeadPage, Query()], jobs: QueueDep) -> DeadJobsPage:
    """Dead letters: jobs that are not tried again until they are resent."""
    after = _after(page.cursor)
    found = await jobs.dead(after=after, limit=page.limit, kind=page.kind)
    return DeadJobsPage(
        items=[
            DeadJobAnswer(
                id=one.id,
                kind=one.kind,
                key=one.key,
                created_at=millis_text(one.created_at),
                dead_at=millis_text(one.dead_at),
                attempts=one.attempts,
                error=one.error,
            )
            for one in found
        ],
        next_cursor=str(found[-1].id) if len(found) == page.limit else None,
    )


@router.post("/resend", right=Action.RESEND_JOBS)
async def resend_jobs(
    request: Request, body: ResendBody, jobs: QueueDep
) -> ResendAnswer:
    """Resend dead letters, after their cause has been removed."""
    return ResendAnswer(resent=await jobs.resend(body.ids, now=_now(request)))


def _now(request: Request) -> Millis:
    ports: GatewayPorts = request.app.state.ports
    return ports.clock.now()


def _after(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not cursor.isascii() or not cursor.isdigit():
        message = "is not valid; start again without one"
        raise InvalidRequest("", FieldError("cursor", message))
    return int(cursor)
