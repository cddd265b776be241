"""Sessions that are refreshed without a pause, until the process is killed.

    python -m tests.crash.refreshing URL [early]

Reads one refresh token of each session from stdin, and writes a line for each answer:
how many transactions were begun, and the token that was answered. ``early``: answers
before the commit, as it must not be, once for each session; the commit is yet to come
when the process is killed.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Sequence
from itertools import count

from care.accounts.refreshing import parsed_token
from gateway.access.revocations import RevokedTokens
from gateway.accounts.hashing import ArgonPasswords
from gateway.accounts.mails import AccountMails
from gateway.accounts.needs import AuthNeeds
from gateway.accounts.service import SignIn
from persistence.accounts.rotations import Rotation, Rotations
from persistence.accounts.sessions import SqlSessions
from persistence.accounts.store import account_stores
from persistence.keys.ring import KeyRing
from persistence.shared.memory import MemoryRevocations
from persistence.sql.records import Records
from tests import factories as make
from tests.fakes.api import KEY
from tests.fakes.clocks import SteppedClock
from tests.fixtures.accounts import KEKS, PUBLIC

TABS = 2
"""Tabs of one browser that refresh at one time with the same token."""


class Site:
    """Signing in of one process over records. Must be closed after use."""

    def __init__(self, url: str) -> None:
        self.clock = clock = SteppedClock(make.NOW)
        self.records = Records(url)
        self.stores = account_stores(self.records, KeyRing(self.records, KEKS, clock))
        self.passwords = ArgonPasswords(memory_kib=64)
        self.needs = AuthNeeds(
            stores=self.stores,
            passwords=self.passwords,
            clock=clock,
            keys=(KEY,),
            mails=AccountMails(PUBLIC),
            revoked=RevokedTokens(clock),
            revocations=MemoryRevocations(clock),
        )
        self.sign_in = SignIn(self.needs)

    @property
    def rotations(self) -> Rotations:
        assert isinstance(self.stores.sessions, SqlSessions)
        return self.stores.sessions._rotations

    async def close(self) -> None:
        self.passwords.close()
        await self.records.close()


async def work(url: str, tokens: Sequence[str], *, early: bool) -> None:
    site = Site(url)
    if early:
        _answer_early()
    rounds: Iterable[int] = range(1) if early else count()
    await asyncio.gather(*(_keep_refreshing(site, one, rounds) for one in tokens))
    await asyncio.Event().wait()


async def _keep_refreshing(site: Site, token: str, rounds: Iterable[int]) -> None:
    for _ in rounds:
        answers = await asyncio.gather(
            *(
                site.sign_in.refresh(token, active=True, context=None)
                for _ in range(TABS)
            )
        )
        found = {one.refresh for one in answers}
        assert len(found) == 1, "two tabs were given different tokens"
        (token,) = found
        assert parsed_token(token) is not None
        sys.stdout.write(f"{site.rotations.transactions} {token}\n")
        sys.stdout.flush()


def _answer_early() -> None:
    async def rotate(self: Rotations, wanted: Rotation) -> bool:
        return True

    Rotations.rotate = rotate  # type: ignore[method-assign]


if __name__ == "__main__":
    asyncio.run(
        work(sys.argv[1], sys.stdin.read().split(), early=sys.argv[2:] == ["early"])
    )
