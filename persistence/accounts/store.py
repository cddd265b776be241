"""Accounts over the records. Implements ``care.people.ports.Accounts``.

One file because every method is one transaction on the tables of models.py, and what
they share is how rows become values.
"""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final, cast

from sqlalchemy import CursorResult, delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from actors.domain.ids import Millis
from care.keys.sealing import SALT_BYTES, Place
from care.notices.messages import Message
from care.people.accounts import (
    ACCESS_MS,
    Account,
    AccountStatus,
    Delivery,
    EndedWhy,
    Session,
    SignInContext,
)
from care.people.addresses import compared_address
from care.people.ids import RANDOM_BYTES, AccountId, SessionId
from care.people.ports import DemoAccount, Flow, FlowKind, NewAccount, SignInAttempt
from care.people.throttling import Attempts, next_attempt
from persistence.accounts.models import (
    AccountRecord,
    AuthFlowRecord,
    MembershipRecord,
    PasswordRecord,
    PatientRecord,
    PlatformRoleRecord,
    SessionRecord,
    SignInAttemptRecord,
)
from persistence.keys.ring import KeyRing, TenantKeys
from persistence.notices.outbox import queue_message
from persistence.sql.records import Records

SESSIONS_MAX: Final = 100
"""Open sessions of one account; one more ends the oldest."""
_ROUNDS: Final = 3
"""Tries of a transaction in which another one made the same row first."""


class SqlAccounts:
    """The accounts of a site."""

    def __init__(self, records: Records, ring: KeyRing) -> None:
        self._records = records
        self._ring = ring

    async def register(
        self, new: NewAccount, *, welcome: Message, known: Message, now: Millis
    ) -> None:
        """See Accounts.register."""
        keys = await self._ring.of()
        index = _email_index(keys, new.email)
        for _ in range(_ROUNDS):
            try:
                async with self._records.writing() as session:
                    found = await _by_email(session, index)
                    if found is None:
                        await _add_account(session, keys, new, index, now)
                    message = welcome if found is None else known
                    await queue_message(session, keys, _message_id(), message, now)
            except IntegrityError:
                continue  # registered by another request in between
            return

    async def verify_email(self, secret: str, *, now: Millis) -> bool:
        """See Accounts.verify_email."""
        async with self._records.writing() as session:
            account_id = await _use_flow(session, FlowKind.VERIFY_EMAIL, secret, now)
            if account_id is None:
                return False
            await session.execute(_verified(account_id, now))
        return True

    async def attempt(
        self, email: str, *, known_device: bool, now: Millis
    ) -> SignInAttempt:
        """See Accounts.attempt."""
        keys = await self._ring.of()
        index = _email_index(keys, email)
        for _ in range(_ROUNDS):
            try:
                async with self._records.writing() as session:
                    wait_ms = await _count_attempt(
                        session, index, known_device=known_device, now=now
                    )
                    if wait_ms:
                        return SignInAttempt(wait_ms=wait_ms)
                    found = await _by_email(session, index)
                    if found is None:
                        return SignInAttempt()
                    stored = await session.get(PasswordRecord, found.account_id)
                    return SignInAttempt(
                        account=_account(keys, found),
                        password_hash="" if stored is None else stored.hash,
                    )
            except IntegrityError:
                continue  # the first two attempts at one time
        return SignInAttempt(wait_ms=1_000)

    async def succeeded(self, email: str, *, known_device: bool) -> None:
        """See Accounts.succeeded."""
        keys, row = await self._ring.of(), SignInAttemptRecord
        async with self._records.writing() as session:
            await session.execute(
                delete(row).where(
                    row.email_i == _email_index(keys, email),
                    row.is_known_device == known_device,
                )
            )

    async def find(self, account_id: AccountId) -> Account | None:
        """See Accounts.find."""
        keys = await self._ring.of()
        async with self._records.reading() as session:
            row = await session.get(AccountRecord, account_id)
        return None if row is None else _account(keys, row)

    async def contexts(self, account_id: AccountId) -> Sequence[SignInContext]:
        """See Accounts.contexts."""
        async with self._records.reading() as session:
            return await _contexts(session, account_id)

    async def open_session(self, session: Session) -> None:
        """See Accounts.open_session."""
        row = SessionRecord
        others = (
            select(row.session_id)
            .where(row.account_id == session.account_id, row.ended_at.is_(None))
            .order_by(row.active_at.desc())
            .offset(SESSIONS_MAX - 1)
            .limit(SESSIONS_MAX)
        )
        async with self._records.writing() as database:
            oldest = (await database.scalars(others)).all()
            if oldest:
                await database.execute(
                    _ending(session.created_at, EndedWhy.OVER).where(
                        row.session_id.in_(oldest)
                    )
                )
            database.add(_session_row(session))

    async def session(self, session_id: SessionId) -> Session | None:
        """See Accounts.session."""
        async with self._records.reading() as session:
            row = await session.get(SessionRecord, session_id)
        return None if row is None else _session(row)

    async def sessions(self, account_id: AccountId) -> Sequence[Session]:
        """See Accounts.sessions."""
        row = SessionRecord
        query = (
            select(row)
            .where(row.account_id == account_id, row.ended_at.is_(None))
            .order_by(row.created_at.desc(), row.session_id)
        )
        async with self._records.reading() as session:
            return [_session(one) for one in (await session.scalars(query)).all()]

    async def rotate(self, session: Session, *, active: bool, now: Millis) -> bool:
        """See Accounts.rotate."""
        row = SessionRecord
        changes: dict[str, Any] = {
            "generation": session.generation + 1,
            "rotated_at": now,
        }
        if active:
            changes["active_at"] = now
        async with self._records.writing() as database:
            done = await database.execute(
                update(row)
                .where(
                    row.session_id == session.session_id,
                    row.generation == session.generation,
                    row.ended_at.is_(None),
                )
                .values(changes)
            )
        return _count(done) == 1

    async def note_seen(self, seen: Mapping[SessionId, int]) -> None:
        """See Accounts.note_seen."""
        row = SessionRecord
        async with self._records.writing() as session:
            for session_id, generation in sorted(seen.items()):
                await session.execute(
                    update(row)
                    .where(
                        row.session_id == session_id, row.seen_generation < generation
                    )
                    .values(seen_generation=generation)
                )

    async def prove(self, session_id: SessionId, *, now: Millis) -> None:
        """See Accounts.prove."""
        row = SessionRecord
        async with self._records.writing() as session:
            await session.execute(
                update(row)
                .where(row.session_id == session_id)
                .values(authenticated_at=now)
            )

    async def end_session(
        self,
        session_id: SessionId,
        why: EndedWhy,
        *,
        notice: Message | None = None,
        now: Millis,
    ) -> None:
        """See Accounts.end_session."""
        keys, row = await self._ring.of(), SessionRecord
        async with self._records.writing() as session:
            ended = await session.execute(
                _ending(now, why).where(row.session_id == session_id)
            )
            if notice is not None and _count(ended):
                await queue_message(session, keys, _message_id(), notice, now)

    async def end_sessions(
        self,
        account_id: AccountId,
        why: EndedWhy,
        *,
        spare: SessionId | None = None,
        now: Millis,
    ) -> Sequence[SessionId]:
        """See Accounts.end_sessions."""
        row = SessionRecord
        mine = (
            row.account_id == account_id,
            row.session_id != (spare or ""),
        )
        # One whose revocation failed must be named again when the end is repeated.
        recent = (row.ended_at.is_(None)) | (row.ended_at > now - ACCESS_MS)
        async with self._records.writing() as session:
            found = await session.scalars(
                select(row.session_id).where(*mine, recent).with_for_update()
            )
            ended = [SessionId(one) for one in found]
            await session.execute(_ending(now, why).where(*mine))
        return ended

    async def password_hash(self, account_id: AccountId) -> str:
        """See Accounts.password_hash."""
        async with self._records.reading() as session:
            row = await session.get(PasswordRecord, account_id)
        return "" if row is None else row.hash

    async def set_password(
        self,
        account_id: AccountId,
        password_hash: str,
        *,
        notice: Message,
        now: Millis,
    ) -> None:
        """See Accounts.set_password."""
        keys = await self._ring.of()
        async with self._records.writing() as session:
            await _put_password(session, account_id, password_hash, now)
            await queue_message(session, keys, _message_id(), notice, now)

    async def begin_reset(
        self, email: str, flow: Flow, message: Message, *, now: Millis
    ) -> None:
        """See Accounts.begin_reset."""
        keys = await self._ring.of()
        async with self._records.writing() as session:
            found = await _by_email(session, _email_index(keys, email))
            if found is None or found.status == AccountStatus.DISABLED:
                return
            if await queue_message(session, keys, _message_id(), message, now):
                session.add(_flow_row(flow, found.account_id))

    async def reset_account(self, secret: str, *, now: Millis) -> Account | None:
        """See Accounts.reset_account."""
        keys = await self._ring.of()
        async with self._records.reading() as session:
            flow = await session.get(AuthFlowRecord, _hashed(secret))
            is_valid = (
                flow is not None
                and flow.kind == FlowKind.RESET_PASSWORD
                and flow.used_at is None
                and flow.expires_at > now
            )
            if flow is None or not is_valid:
                return None
            row = await session.get(AccountRecord, flow.account_id)
        return None if row is None else _account(keys, row)

    async def finish_reset(
        self, secret: str, password_hash: str, *, now: Millis
    ) -> AccountId | None:
        """See Accounts.finish_reset."""
        async with self._records.writing() as session:
            found = await _use_flow(session, FlowKind.RESET_PASSWORD, secret, now)
            if found is None:
                return None
            await _put_password(session, found, password_hash, now)
            # The link came to the address: that confirms it as well.
            await session.execute(_verified(found, now))
        return found

    async def demo_account(self, wanted: DemoAccount, *, now: Millis) -> Account:
        """See Accounts.demo_account."""
        keys = await self._ring.of()
        index = _email_index(keys, wanted.email)
        async with self._records.writing() as session:
            row = await _by_email(session, index)
            if row is None:
                row = _account_row(keys, wanted.account_id, wanted.email, index, now)
                row.status, row.email_verified_at = AccountStatus.ACTIVE.value, now
                session.add(row)
                await session.flush()
                session.add(_role_row(row.account_id, wanted.context, now))
        return _account(keys, row)


def _email_index(keys: TenantKeys, email: str) -> str:
    return keys.index("email", compared_address(email))


def _email_place(account_id: str) -> Place:
    return Place("account", "email", account_id)


async def _by_email(session: AsyncSession, index: str) -> AccountRecord | None:
    query = select(AccountRecord).where(AccountRecord.email_i == index)
    return (await session.scalars(query)).one_or_none()


def _account_row(
    keys: TenantKeys, account_id: str, email: str, index: str, now: Millis
) -> AccountRecord:
    return AccountRecord(
        account_id=account_id,
        status=AccountStatus.PENDING.value,
        email=keys.seal(_email_place(account_id), email),
        email_i=index,
        language="en",
        created_at=now,
    )


async def _add_account(
    session: AsyncSession, keys: TenantKeys, new: NewAccount, index: str, now: Millis
) -> None:
    row = _account_row(keys, new.account_id, new.email, index, now)
    row.language = new.language
    session.add(row)
    await session.flush()  # the others refer to it
    await _put_password(session, new.account_id, new.password_hash, now)
    session.add(_patient_row(new.patient_id, new.account_id, now))
    session.add(_flow_row(new.verify, new.account_id))


def _patient_row(patient_id: str, account_id: str, now: Millis) -> PatientRecord:
    return PatientRecord(
        patient_id=patient_id,
        account_id=account_id,
        key_salt=secrets.token_bytes(SALT_BYTES),
        created_by=account_id,
        created_at=now,
    )


def _role_row(
    account_id: str, context: SignInContext, now: Millis
) -> PatientRecord | MembershipRecord | PlatformRoleRecord:
    """The row that gives an account this context."""
    if context.role == "patient":
        return _patient_row(context.subject, account_id, now)
    if not context.clinic_id:
        return PlatformRoleRecord(
            account_id=account_id,
            role=context.role,
            tenant="",
            grant_id=context.grant,
            since=now,
        )
    return MembershipRecord(
        membership_id=context.grant,
        account_id=account_id,
        clinic_id=context.clinic_id,
        role=context.role,
        provider_id=context.subject if context.role == "doctor" else None,
        since=now,
    )


async def _contexts(session: AsyncSession, account_id: str) -> list[SignInContext]:
    patient = select(PatientRecord.patient_id).where(
        PatientRecord.account_id == account_id
    )
    member = (
        select(MembershipRecord)
        .where(
            MembershipRecord.account_id == account_id,
            MembershipRecord.ended_at.is_(None),
        )
        .order_by(MembershipRecord.since, MembershipRecord.membership_id)
    )
    platform = select(PlatformRoleRecord).where(
        PlatformRoleRecord.account_id == account_id
    )
    found = [SignInContext("patient", one) for one in await session.scalars(patient)]
    found += [
        SignInContext(
            one.role, one.provider_id or one.clinic_id, one.membership_id, one.clinic_id
        )
        for one in await session.scalars(member)
    ]
    found += [
        SignInContext(one.role, account_id, one.grant_id)
        for one in await session.scalars(platform)
    ]
    return found


async def _put_password(
    session: AsyncSession, account_id: str, password_hash: str, now: Millis
) -> None:
    row = await session.get(PasswordRecord, account_id)
    if row is None:
        row = PasswordRecord(account_id=account_id, hash=password_hash, set_at=now)
        session.add(row)
    row.hash, row.set_at = password_hash, now


async def _count_attempt(
    session: AsyncSession, index: str, *, known_device: bool, now: Millis
) -> int:
    """Count an attempt; the milliseconds to wait if it comes too early."""
    row = await session.get(
        SignInAttemptRecord, (index, known_device), with_for_update=True
    )
    if row is None:
        row = SignInAttemptRecord(
            email_i=index,
            is_known_device=known_device,
            count=0,
            last_at=0,
            not_before=0,
        )
        session.add(row)
    before = Attempts(row.count, Millis(row.last_at), Millis(row.not_before))
    counted = next_attempt(before, now)
    if counted is None:
        return before.not_before - now
    row.count, row.last_at = counted.count, counted.last_at
    row.not_before = counted.not_before
    await session.flush()
    return 0


def _flow_row(flow: Flow, account_id: str) -> AuthFlowRecord:
    return AuthFlowRecord(
        flow_hash=_hashed(flow.secret),
        kind=flow.kind.value,
        account_id=account_id,
        attempts=0,
        expires_at=flow.expires_at,
    )


async def _use_flow(
    session: AsyncSession, kind: FlowKind, secret: str, now: Millis
) -> AccountId | None:
    """Whose flow this is, used now; None if it is not valid. Of two, one gets it."""
    row, hashed = AuthFlowRecord, _hashed(secret)
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
    if _count(done) != 1:
        return None
    query = select(row.account_id).where(row.flow_hash == hashed)
    return AccountId((await session.scalars(query)).one())


def _verified(account_id: str, now: Millis) -> Any:
    """Confirms an address; a disabled account stays disabled."""
    row = AccountRecord
    return (
        update(row)
        .where(row.account_id == account_id, row.status == AccountStatus.PENDING.value)
        .values(status=AccountStatus.ACTIVE.value, email_verified_at=now)
    )


def _ending(now: Millis, why: EndedWhy) -> Any:
    row = SessionRecord
    return (
        update(row)
        .where(row.ended_at.is_(None))
        .values(ended_at=now, ended_why=why.value)
    )


def _account(keys: TenantKeys, row: AccountRecord) -> Account:
    return Account(
        account_id=AccountId(row.account_id),
        status=AccountStatus(row.status),
        email=keys.open(_email_place(row.account_id), row.email),
        language=row.language,
        created_at=Millis(row.created_at),
    )


def _session_row(session: Session) -> SessionRecord:
    values = {name: getattr(session, name) for name in session.__struct_fields__}
    values["delivery"] = session.delivery.value
    return SessionRecord(**values)


def _session(row: SessionRecord) -> Session:
    values = {name: getattr(row, name) for name in Session.__struct_fields__}
    values["delivery"] = Delivery(row.delivery)
    values["ended_why"] = None if row.ended_why is None else EndedWhy(row.ended_why)
    return Session(**values)


def _hashed(secret: str) -> str:
    # Secrets are random: a plain hash of them cannot be guessed back.
    made = sha256(secret.encode()).digest()
    return urlsafe_b64encode(made).decode().rstrip("=")


def _message_id() -> str:
    return "msg_" + secrets.token_urlsafe(RANDOM_BYTES)


def _count(result: Any) -> int:
    return cast("CursorResult[Any]", result).rowcount
