"""What a guardian's socket shows of a patient, and when it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from actors.domain.ids import Millis
from gateway.access.tokens import Caller, Identity, Role, issue_access_token
from gateway.live.topics.topic import Board
from tests import factories as make
from tests.fakes.api import KEY, slot
from tests.fakes.clocks import SteppedClock
from tests.fakes.live_api import LiveApi, LiveClient, open_live_api

EXPIRED = 4005


@pytest.fixture
async def live() -> AsyncIterator[LiveApi]:
    async with open_live_api(clock=SteppedClock(make.NOW)) as opened:
        yield opened


def _token(live: LiveApi, role: Role, *, lasts_s: int = 600) -> str:
    now = live.api.clock.now()
    who = Identity(f"acc_{role}", "ses_1", f"grd_{role}", 1, 2, now)
    expires = Millis((now // 1000 + lasts_s) * 1000)
    scopes = ("manage",) if role is Role.GUARDIAN else ()
    caller = Caller(role, "pat_7", expires, now, f"t_{role}", who, scopes)
    return issue_access_token(KEY, caller)


async def _watch(live: LiveApi, client: LiveClient, role: Role) -> dict[str, Any]:
    answer = await client.ask("auth", token=_token(live, role))
    assert answer["t"] == "result"
    await client.send("subscribe", topics=["me"])
    return await client.until("snapshot")


async def _book(live: LiveApi, start: str, **more: Any) -> str:
    mine = {"Authorization": f"Bearer {_token(live, Role.PATIENT)}"}
    body = slot(start=start) | more
    answer = await live.api.client.post("/v1/bookings", json=body, headers=mine)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["booking_id"])


async def _hide(live: LiveApi, name: str, *, hides: bool) -> None:
    mine = {"Authorization": f"Bearer {_token(live, Role.PATIENT)}"}
    path, body = f"/v1/bookings/{name}/confidential", {"confidential": hides}
    answer = await live.api.client.post(path, json=body, headers=mine)
    assert answer.status_code == 200, answer.text


def _ids(frame: dict[str, Any]) -> set[str]:
    return {one["booking_id"] for one in frame["bookings"]}


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_guardians_topic_is_without_confidential_bookings(
    live: LiveApi, monkeypatch: pytest.MonkeyPatch, *, guarded: bool
) -> None:
    """Attack 48: neither in the snapshot nor in deltas; unguarded in both.

    Both watch ``me`` of one patient at a time: the boards differ.
    """
    if not guarded:
        monkeypatch.setattr(Board, "for_proxies", lambda _self, rows: rows)
    before = await _book(live, "2026-08-10T09:00:00Z", confidential=True)
    await live.api.project()
    async with live.client() as mine, live.client() as other:
        own = await _watch(live, mine, Role.PATIENT)
        seen = await _watch(live, other, Role.GUARDIAN)
        assert _ids(own) == {before}
        assert _ids(seen) == (set() if guarded else {before})
        during = await _book(live, "2026-08-10T11:00:00Z", confidential=True)
        after = await _book(live, "2026-08-10T13:00:00Z")
        found: set[str] = set()
        while after not in found:
            found |= _ids(await other.until("delta"))
        assert (during in found) != guarded
        found = set()
        while found != {during, after}:
            found |= _ids(await mine.until("delta"))


async def test_a_booking_leaves_a_guardians_topic_when_it_is_hidden(
    live: LiveApi,
) -> None:
    """A snapshot without it replaces what was shown; shown again it comes back."""
    name = await _book(live, "2026-08-10T09:00:00Z")
    await live.api.project()
    async with live.client() as mine, live.client() as other:
        await _watch(live, mine, Role.PATIENT)
        assert _ids(await _watch(live, other, Role.GUARDIAN)) == {name}
        await _hide(live, name, hides=True)
        assert _ids(await other.until("snapshot")) == set()
        assert (await mine.until("delta"))["bookings"][0]["confidential"] is True
        await _hide(live, name, hides=False)
        assert _ids(await other.until("delta")) == {name}


@pytest.mark.parametrize("ends", [True, False])
async def test_a_guardians_socket_ends_on_the_eighteenth_birthday(
    live: LiveApi, *, ends: bool
) -> None:
    """Attack 49: the token ends then, and with it the socket; just before, it lives.

    A token lasts at most until that instant (test_grants.py).
    """
    async with live.client() as other:
        token = _token(live, Role.GUARDIAN, lasts_s=120)
        await other.ask("auth", token=token)
        await other.send("subscribe", topics=["me"])
        await other.until("snapshot")
        live.api.clock.step(121 if ends else 119)
        if ends:
            assert await other.closed() == EXPIRED
        else:
            name = await _book(live, "2026-08-10T09:00:00Z")
            assert _ids(await other.until("delta")) == {name}
