"""Revoked tokens: on requests, on living sockets, on streams."""

from __future__ import annotations

from typing import Any

import httpx
import jwt
import pytest

from actors.domain.ids import Millis
from care.sharing import Revocation, RevocationKind
from gateway.access.revocations import CLOCK_BACK_MS, RevokedTokens
from gateway.access.tokens import Caller, Identity, Role
from gateway.live.ticker import Ticker
from persistence.shared.memory import MemoryRevocations
from tests import factories as make
from tests.fakes.api import KEY
from tests.fakes.clocks import SteppedClock
from tests.fakes.live_api import open_live_api

LATER = Millis(make.NOW + 3_600_000)


def one_token(token_id: str, until: Millis = LATER) -> Revocation:
    return Revocation(RevocationKind.TOKEN, token_id, make.NOW, until)


def all_of(subject: str, at: Millis = make.NOW) -> Revocation:
    return Revocation(RevocationKind.SUBJECT, subject, at, LATER)


def live_api(store: MemoryRevocations) -> Any:
    return open_live_api(shared={"revocations": store})


async def test_a_revoked_token_opens_nothing_more() -> None:
    """401 from now on, also where the token was let in before; others go on."""
    store = MemoryRevocations(SteppedClock(make.NOW))
    async with live_api(store) as live:
        api = live.api
        mine = {"Authorization": f"Bearer {api.token('patient', 'pat_1', jti='a')}"}
        other = {"Authorization": f"Bearer {api.token('patient', 'pat_1', jti='b')}"}
        assert (await api.client.get("/v1/bookings", headers=mine)).status_code == 200
        await store.add(one_token("a"))
        refused = await api.client.get("/v1/bookings", headers=mine)
        assert refused.status_code == 401
        assert "revoked" in refused.json()["detail"]
        again = await api.client.get("/v1/bookings", headers=other)
        assert again.status_code == 200


async def test_all_tokens_of_a_subject_until_now() -> None:
    """Older ones hold no more; one issued later does."""
    store = MemoryRevocations(SteppedClock(make.NOW))
    async with live_api(store) as live:
        api = live.api
        old = api.patient(1)
        await store.add(all_of("pat_1"))
        api.clock.step(1_000 / 1000)
        fresh = api.patient(1)
        for headers, status in ((old, 401), (fresh, 200), (api.patient(2), 200)):
            answer = await api.client.get("/v1/bookings", headers=headers)
            assert answer.status_code == status


async def test_a_log_in_in_the_second_of_a_revocation_holds() -> None:
    """What was issued a tenth of a second before is gone, a tenth later is good."""
    store = MemoryRevocations(SteppedClock(make.NOW))
    async with live_api(store) as live:
        api = live.api
        api.clock.step(0.1)
        old = api.patient(1)
        api.clock.step(0.1)
        await store.add(all_of("pat_1", api.clock.now()))
        api.clock.step(0.1)
        fresh = api.patient(1)
        assert api.clock.now() // 1000 == make.NOW // 1000
        for headers, status in ((old, 401), (fresh, 200)):
            answer = await api.client.get("/v1/bookings", headers=headers)
            assert answer.status_code == status


async def test_tokens_of_an_older_program_hold_until_they_are_revoked() -> None:
    """They say whole seconds: revoked in that second, they are refused, to be safe."""
    store = MemoryRevocations(SteppedClock(make.NOW))
    async with live_api(store) as live:
        api = live.api
        second = make.NOW // 1000
        claims = {
            "iss": "slotcast",
            "aud": "slotcast",
            "sub": "pat_1",
            "role": "patient",
            "iat": second,
            "exp": second + 60,
            "jti": "old",
        }
        signed = jwt.encode(claims, KEY, algorithm="HS256")
        headers = {"Authorization": f"Bearer {signed}"}
        for status in (200, 401):
            answer = await api.client.get("/v1/bookings", headers=headers)
            assert answer.status_code == status
            await store.add(all_of("pat_1", Millis(make.NOW + 1)))


async def test_a_living_socket_is_closed_with_its_token() -> None:
    """4501 at once: sign in again. Other people's sockets and anonymous ones stay."""
    store = MemoryRevocations(SteppedClock(make.NOW))
    async with (
        live_api(store) as live,
        live.client("patient", "pat_1") as mine,
        live.client("patient", "pat_2") as other,
        live.client() as anonymous,
    ):
        await store.add(all_of("pat_1"))
        bye = await mine.until("bye")
        assert bye["code"] == 4501
        assert await mine.closed() == 4501
        assert (await other.ask("ping"))["t"] == "pong"
        assert (await anonymous.ask("ping"))["t"] == "pong"


async def test_a_socket_with_a_fresher_token_stays() -> None:
    """Only the token it goes by now counts."""
    store = MemoryRevocations(SteppedClock(make.NOW))
    async with live_api(store) as live, live.client() as mine:
        for jti in ("first", "second"):
            token = live.api.token("patient", "pat_1", jti=jti)
            assert (await mine.ask("auth", token=token))["t"] == "result"
        await store.add(one_token("first"))
        assert (await mine.ask("ping"))["t"] == "pong"
        await store.add(one_token("second"))
        assert await mine.closed() == 4501


async def test_a_revoked_token_signs_no_socket_in() -> None:
    """The auth message is refused like a forged one."""
    store = MemoryRevocations(SteppedClock(make.NOW))
    await store.add(one_token("a"))
    async with live_api(store) as live, live.client() as mine:
        token = live.api.token("patient", "pat_1", jti="a")
        answer = await mine.ask("auth", token=token)
        assert (answer["status"], answer["code"]) == (401, "unauthenticated")


async def test_a_stream_of_events_ends_too() -> None:
    """Server-Sent Events of a revoked token say bye and end."""
    store = MemoryRevocations(SteppedClock(make.NOW))
    async with live_api(store) as live:
        headers = live.api.patient(1)
        async with (
            httpx.AsyncClient(timeout=60) as client,
            client.stream(
                "GET", f"{live.url}/v1/stream?topics=me", headers=headers
            ) as stream,
        ):
            lines = stream.aiter_lines()
            await anext(lines)
            await store.add(all_of("pat_1"))
            rest = [line async for line in lines]
        assert any('"bye"' in line and "4501" in line for line in rest)


async def test_no_command_slips_through_before_the_socket_closes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A message after the revocation is refused, whatever the closing takes."""
    monkeypatch.setattr(Ticker, "send_away_revoked", lambda _self: None)
    store = MemoryRevocations(SteppedClock(make.NOW))
    async with live_api(store) as live, live.client("patient", "pat_1") as mine:
        await store.add(all_of("pat_1"))
        answer = await mine.ask(
            "book",
            key="k",
            provider_id="prv_1",
            visit_type="consult",
            start="2026-08-10T09:00:00Z",
        )
        assert answer["status"] == 401


def test_what_has_run_out_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded: by time, and by number, those that end first going first."""
    clock = SteppedClock(make.NOW)
    known = RevokedTokens(clock)
    known.learn([one_token("a", Millis(make.NOW + 1_000)), one_token("b")])
    clock.step(120_000 / 1000 + CLOCK_BACK_MS / 1000)
    known.learn([one_token("c")])
    assert len(known) == 2
    monkeypatch.setattr("gateway.access.revocations.KNOWN_MAX", 2)
    known.learn([one_token("d", Millis(LATER - 1))])
    assert len(known) == 2
    assert not known.covers(_token("d"))


@pytest.mark.parametrize("guarded", [True, False])
def test_a_clock_that_goes_back_revives_no_token(
    monkeypatch: pytest.MonkeyPatch, *, guarded: bool
) -> None:
    """Attack 66: ten minutes back, a token of a session that ended is refused still.

    It has expired, and its revocation has, and others were learned meanwhile.
    Unguarded, revocations are forgotten when they are over, and it holds again.
    """
    if not guarded:
        monkeypatch.setattr("gateway.access.revocations.CLOCK_BACK_MS", 0)
    clock = SteppedClock(make.NOW)
    known = RevokedTokens(clock)
    until = Millis(make.NOW + 11 * 60_000)
    known.learn([Revocation(RevocationKind.SESSION, "ses_1", make.NOW, until)])
    known.learn([Revocation(RevocationKind.SUBJECT, "pat_2", make.NOW, until)])
    identity = Identity("acc_1", "ses_1", "", 1, 1, make.NOW)
    expires = Millis(make.NOW + 600_000)
    ended = Caller(Role.PATIENT, "pat_1", expires, make.NOW, "t", identity)
    subject = Caller(Role.PATIENT, "pat_2", expires, make.NOW, "u")
    for _ in range(5):
        clock.step(150)
        known.learn([one_token(f"other {clock.now()}")])
    clock.step(-600)
    assert clock.now() < expires  # the control: by the clock the token holds again
    assert known.covers(ended) is guarded
    assert known.covers(subject) is guarded


def _token(token_id: str) -> Any:
    class Token:
        identity = None
        subject, issued = "pat_1", make.NOW

        def __init__(self) -> None:
            self.token_id = token_id

    return Token()


def test_sessions_and_grants_are_revoked_by_their_exact_id() -> None:
    """Whenever a token of them was issued; other tokens of the account hold."""
    known = RevokedTokens(SteppedClock(make.NOW))

    def caller(session: str, grant: str) -> Caller:
        identity = Identity("acc_1", session, grant, 1, 1, make.NOW)
        return Caller(Role.PATIENT, "pat_1", LATER, LATER, "t", identity)

    for kind, value in (
        (RevocationKind.SESSION, "ses_1"),
        (RevocationKind.GRANT, "mem_1"),
    ):
        known.learn([Revocation(kind, value, make.NOW, LATER)])
    assert known.covers(caller("ses_1", ""))
    assert known.covers(caller("ses_2", "mem_1"))
    assert not known.covers(caller("ses_2", ""))
    assert not known.covers(caller("ses_2", "mem_2"))


def _caller(number: int = 1, *, grant: str = "", issued: Millis = make.NOW) -> Caller:
    identity = Identity(
        account=f"acc_{number}",
        session=f"ses_{number}",
        grant=grant,
        generation=1,
        level=1,
        proved_at=make.NOW,
    )
    return Caller(Role.PATIENT, f"pat_{number}", LATER, issued, f"t{number}", identity)


@pytest.mark.parametrize(
    ("value", "is_of_people"),
    [
        ("t1", False),
        ("ses_1", False),
        ("grd_1", False),
        ("pat_1", True),
        ("acc_1", True),
    ],
)
def test_a_kind_of_a_newer_version_refuses_all_that_carries_its_value(
    value: str, is_of_people: bool
) -> None:
    """Whatever it means: what a newer node revoked does not hold at an older one. Of
    people, what was issued later is good: they may have signed in again."""
    clock = SteppedClock(make.NOW)
    revoked = RevokedTokens(clock)
    mine, later = _caller(grant="grd_1"), Millis(make.NOW + 1)
    fresh = _caller(grant="grd_1", issued=later)
    assert not revoked.covers(mine)
    revoked.learn([Revocation("device", value, make.NOW, LATER)])
    assert revoked.covers(mine)
    assert revoked.covers(fresh) is not is_of_people
    assert not revoked.covers(_caller(2))
    clock.step((LATER + CLOCK_BACK_MS - make.NOW) / 1000 + 1)
    revoked.learn([])
    assert len(revoked) == 0


def test_an_unknown_kind_without_a_value_refuses_nothing() -> None:
    """Most tokens have no grant, which is written as nothing."""
    revoked = RevokedTokens(SteppedClock(make.NOW))
    revoked.learn([Revocation("device", "", make.NOW, LATER)])
    assert not revoked.covers(_caller())
