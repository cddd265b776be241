"""Mailed links: stored by the hash of their secret, used once."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from actors.domain.ids import Millis
from care.accounts.flows import AwaitedStep, FlowKind
from care.accounts.ids import AccountId
from care.accounts.ports import Flow
from care.keys.sealing import Place
from persistence.accounts.models import AuthFlowRecord
from persistence.accounts.rows import hashed_secret, rows_changed
from persistence.keys.ring import TenantKeys


def flow_row(flow: Flow, account_id: str) -> AuthFlowRecord:
    """The row of a mailed link."""
    return AuthFlowRecord(
        flow_hash=hashed_secret(flow.secret),
        kind=flow.kind.value,
        account_id=account_id,
        attempts=0,
        expires_at=flow.expires_at,
    )


def step_row(keys: TenantKeys, secret: str, step: AwaitedStep) -> AuthFlowRecord:
    """The row of a step with state."""
    hashed = hashed_secret(secret)
    return AuthFlowRecord(
        flow_hash=hashed,
        kind=step.kind.value,
        account_id=step.account_id,
        payload=keys.seal(payload_place(hashed), step.payload),
        attempts=0,
        expires_at=step.expires_at,
    )


def step_of_row(keys: TenantKeys, row: AuthFlowRecord) -> AwaitedStep:
    """The step of a row."""
    account_id, sealed = row.account_id, row.payload
    place = payload_place(row.flow_hash)
    return AwaitedStep(
        kind=FlowKind(row.kind),
        account_id=None if account_id is None else AccountId(account_id),
        payload="" if sealed is None else keys.open(place, sealed),
        expires_at=Millis(row.expires_at),
    )


def payload_place(flow_hash: str) -> Place:
    """The place of a sealed payload."""
    return Place("auth_flow", "payload", flow_hash)


async def end_flows(session: AsyncSession, account_id: str, now: Millis) -> None:
    """End all pending steps of an account."""
    row = AuthFlowRecord
    await session.execute(
        update(row)
        .where(row.account_id == account_id, row.used_at.is_(None))
        .values(used_at=now)
    )


async def use_flow(
    session: AsyncSession, kind: FlowKind, secret: str, now: Millis
) -> AccountId | None:
    """Use a flow: its account; None if it is invalid. Of two requests, one gets it."""
    row, hashed = AuthFlowRecord, hashed_secret(secret)
    done = await session.execute(
        update(row)
        .where(
            row.flow_hash == hashed,
            row.kind == kind.value,
            row.used_at.is_(None),
            row.expires_at > now,
        )
        .values(used_at=now)
    )
    if rows_changed(done) != 1:
        return None
    query = select(row.account_id).where(row.flow_hash == hashed)
    account_id = (await session.scalars(query)).one()
    return None if account_id is None else AccountId(account_id)
