"""A gateway that is killed in the middle of shared commits of refreshes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import select

from actors.domain.ids import Millis
from care.accounts.accounts import DAY_MS, Delivery, Session, SignInContext
from care.accounts.ids import AccountId, SessionId
from care.accounts.ports import DemoAccount
from care.accounts.refreshing import GRACE_MS, parsed_token, refresh_token
from gateway.accounts.refusals import SessionEnded
from persistence.accounts.models import SessionRecord
from tests import factories as make
from tests.crash.refreshing import Site
from tests.fixtures.patients import PATIENCE_S
from tests.fixtures.read_model import empty_records
from tests.fixtures.server import ROOT

SESSIONS = 24
LIVES = 3
ANSWERS = (100, 700)
"""How many answers a process gives, at least and at most, before it is killed."""
Answered = dict[str, list[int]]
"""Session -> the generations that were answered, in their order."""


async def _filled(url: str) -> list[str]:
    """Sessions of one account; the first token of each."""
    site = Site(url)
    context = SignInContext("patient", "pat_1")
    wanted = DemoAccount(AccountId("acc_1"), "mira@example.org", context)
    await site.stores.accounts.demo_account(wanted, now=make.NOW)
    tokens = []
    for number in range(SESSIONS):
        session = Session(
            session_id=SessionId(f"ses_{number}"),
            account_id=AccountId("acc_1"),
            salt=b"%016d" % number,
            generation=1,
            seen_generation=0,
            rotated_at=make.NOW,
            created_at=make.NOW,
            authenticated_at=make.NOW,
            level=1,
            active_at=make.NOW,
            idle_ms=DAY_MS,
            ends_at=Millis(make.NOW + DAY_MS),
            delivery=Delivery.BODY,
            agent="a browser",
        )
        await site.stores.sessions.open_session(session)
        tokens.append(refresh_token(site.needs.refresh_keys[0], session, 1))
    await site.close()
    return tokens


async def _live(
    url: str, tokens: Sequence[str], answers: int, *more: str
) -> list[tuple[int, str]]:
    """A process that is killed once it has given so many answers.

    Returns all that it answered: how many transactions were begun by then, the token.
    """
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.crash.refreshing", url, *more),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    assert worker.stdin is not None
    assert worker.stdout is not None
    said: list[bytes] = []
    try:
        worker.stdin.write("\n".join(tokens).encode())
        worker.stdin.close()
        async with asyncio.timeout(PATIENCE_S):
            while len(said) < answers:
                line = await worker.stdout.readline()
                assert line, "a refresh was refused"
                said.append(line)
    finally:
        if worker.returncode is None:
            worker.kill()
        rest = await worker.stdout.read()
        await worker.wait()
    said += [one for one in rest.splitlines(keepends=True) if one.endswith(b"\n")]
    found = (line.decode().split() for line in said)
    return [(int(number), token) for number, token in found]


def _note(answered: Answered, latest: dict[str, str], tokens: Sequence[str]) -> None:
    for token in tokens:
        presented = parsed_token(token)
        assert presented is not None
        answered[presented.session_id].append(presented.generation)
        latest[presented.session_id] = token


async def _check_kept(url: str, answered: Mapping[str, list[int]]) -> None:
    """What was answered is on the disk; at most one refresh more, whose answer was
    lost. Each generation was given out once, and none was left out."""
    site, row = Site(url), SessionRecord
    async with site.records.reading() as session:
        rows = await session.execute(
            select(row.session_id, row.generation, row.ended_at)
        )
    stored = {name: (generation, ended) for name, generation, ended in rows}
    await site.close()
    for name, generations in answered.items():
        assert generations == list(range(1, len(generations) + 1)), name
        generation, ended = stored[name]
        assert ended is None, name
        assert generation - generations[-1] in (0, 1), name


async def _check_reuse(url: str, latest: Mapping[str, str], before: str) -> None:
    """Each newest token has one successor, and is of no use once that was seen; a
    token from before ends its session."""
    site = Site(url)
    first, *others = latest.values()

    async def refused(token: str) -> None:
        with pytest.raises(SessionEnded):
            await site.sign_in.refresh(token, active=True, context=None)

    following: dict[str, str] = {}
    for token in (first, *others):
        given = await site.sign_in.refresh(token, active=True, context=None)
        again = await site.sign_in.refresh(token, active=True, context=None)
        assert given.refresh == again.refresh  # the answer may have been lost
        following[token] = given.refresh
        seen = {given.session.session_id: given.session.generation}
        await site.stores.sessions.note_seen(seen)
    site.clock.step(GRACE_MS / 1000)
    for token in others:
        await refused(token)
        await refused(following[token])
    await refused(before)
    await refused(following[first])
    await site.close()


@pytest.mark.parametrize("kind", ["sqlite", "asyncmy"])
async def test_no_refresh_that_was_answered_is_lost(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Killed in the middle, again and again: the newest token of each session works in
    the next process, each has one successor, and a replaced one ends its session."""
    chance = Random(5)
    url = empty_records(kind, request, tmp_path)
    answered: Answered = {f"ses_{number}": [] for number in range(SESSIONS)}
    latest: dict[str, str] = {}
    _note(answered, latest, await _filled(url))
    history = list(latest.values())
    for _ in range(LIVES):
        said = await _live(url, list(latest.values()), chance.randint(*ANSWERS))
        begun, _ = said[-1]
        assert begun < len(said), "refreshes at one time share a transaction"
        _note(answered, latest, [token for _, token in said])
        await _check_kept(url, answered)
    first = next(iter(latest))
    assert answered[first][-1] > 2
    await _check_reuse(url, latest, history[0])


async def test_control_answered_before_the_commit_refreshes_are_lost(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """The same process, if it does not wait for it."""
    url = empty_records("sqlite", request, tmp_path)
    with pytest.raises(AssertionError, match="ses_0"):
        await _lived_early(url)


async def _lived_early(url: str) -> None:
    answered: Answered = {f"ses_{number}": [] for number in range(SESSIONS)}
    latest: dict[str, str] = {}
    _note(answered, latest, await _filled(url))
    said = await _live(url, list(latest.values()), SESSIONS, "early")
    _note(answered, latest, [token for _, token in said])
    await _check_kept(url, answered)
