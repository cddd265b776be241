"""Counts of attempts: passwords by address, codes by account."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.orm import Session

from actors.domain.ids import Millis
from care.accounts.throttling import Attempts
from persistence.accounts.models import SignInAttemptRecord


def count_attempt(
    session: Session,
    index: str,
    rule: Callable[[Attempts, Millis], Attempts | None],
    *,
    known_device: bool = False,
    now: Millis,
) -> int:
    """Count an attempt; 0, or the milliseconds to wait if it comes too early.

    ``index`` is the blind index that is counted under, ``rule`` a function of
    care/accounts/throttling.py.
    """
    row = session.get(SignInAttemptRecord, (index, known_device), with_for_update=True)
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
    counted = rule(before, now)
    if counted is None:
        return before.not_before - now
    row.count, row.last_at = counted.count, counted.last_at
    row.not_before = counted.not_before
    session.flush()
    return 0
