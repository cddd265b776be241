"""What signing in costs: hashes, tokens, refreshes, codes of apps, passkeys.

Run ``python -m tests.benchmarks.bench_accounts --json``. Measures, never asserts.
``…_us`` and ``…_ms`` are processor time of the best of several rounds; ``…_wall_ms``
and what is told by the second is wall time, and means something on a quiet machine
alone. Refreshes are on SQLite in a file that is synchronised at each commit. Bookings
by people who are signed in and by demo tokens take turns, so that ``…_percent``, the
median over pairs of rounds, bears a machine that is busy with something else.

One file because all of it is what people who sign in cost, in one run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from actors.domain.ids import ClinicId, Millis, PatientId, ProviderId
from actors.errors import Unavailable
from care.accounts.accounts import DAY_MS, Delivery, Session, SignInContext
from care.accounts.factors.totp import new_secret, step_of
from care.accounts.factors.values import Factor, FactorId, FactorKind
from care.accounts.ids import AccountId, SessionId
from care.accounts.ports import AccountStores, DemoAccount
from care.accounts.refreshing import is_genuine, parsed_token, refresh_token
from care.keys.sealing import DataKey, Place, Purpose
from care.notices.messages import Message
from care.sharing import Revocation, RevocationKind
from gateway.access.revocations import RevokedTokens
from gateway.access.rights import Access, Action, ProviderFacts, Relation
from gateway.access.tokens import (
    Authenticator,
    Caller,
    Identity,
    Role,
    issue_access_token,
)
from gateway.accounts.factors.passkeys import Passkeys
from gateway.accounts.hashing import ArgonPasswords
from gateway.accounts.mails import AccountMails
from gateway.accounts.needs import AuthNeeds, Device
from gateway.accounts.service import SignIn
from gateway.config import GatewayConfig
from persistence.accounts.store import account_stores
from persistence.keys.ring import KeyRing, TenantKeys
from persistence.privacy.persons import SqlPersonKeys
from persistence.records.models import RECORDS
from persistence.sql.migrating import migrate
from persistence.sql.records import Records
from tests import factories as make
from tests.benchmarks.bench_gateway import (
    PATIENTS,
    Client,
    booking_by,
    clients,
    round_cost,
)
from tests.fakes.api import KEY
from tests.fakes.clocks import SteppedClock
from tests.fixtures.accounts import KEKS
from tests.fixtures.passkeys import SoftPasskey

NOW = make.NOW
ROUNDS = 7
TOKENS = 2_000
REVOKED = 50_000
SESSIONS = 32
REFRESHES = 15
"""Of each device."""
_PLURAL = {"rotation": "rotations", "refresh": "refreshes"}
SIGN_INS = 160
PEOPLE = 8
"""People who sign in at one time."""
PAIRS = 30
"""Of rounds of bookings."""
SCHEDULE = 40
"""Patients on a day's schedule."""
TICK_S = 0.001
ACCOUNT = AccountId("acc_1")


def cost_us(work: Callable[[], Any], times: int) -> float:
    """Processor time of one call, in microseconds; the best round."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.thread_time()
        for _ in range(times):
            work()
        best = min(best, (time.thread_time() - began) / times)
    return round(best * 1e6, 2)


def token_costs() -> dict[str, float]:
    """An access token: made, seen first, remembered, and with revocations held."""
    clock = SteppedClock(NOW)
    expires = Millis(NOW + 600_000)

    def token(number: int) -> str:
        session, proved = f"ses_{number}", ("pwd", "otp")
        identity = Identity(f"acc_{number}", session, "mem_1", 7, 2, NOW, proved)
        caller = Caller(Role.PATIENT, f"pat_{number}", expires, NOW, "t", identity)
        return issue_access_token(KEY, caller)

    tokens = [token(number) for number in range(TOKENS)]
    first = float("inf")
    for _ in range(ROUNDS):
        fresh = Authenticator(GatewayConfig(token_keys=(KEY,)), clock)
        began = time.thread_time()
        for one in tokens:
            fresh.verify(one)
        first = min(first, (time.thread_time() - began) / TOKENS)
    revoked = RevokedTokens(clock)
    known = Authenticator(GatewayConfig(token_keys=(KEY,)), clock, revoked)
    remembered = cost_us(lambda: known.verify(tokens[0]), 50_000)
    revoked.learn(
        [
            Revocation(RevocationKind.SESSION, f"ses_x{n}", NOW, expires)
            for n in range(REVOKED)
        ]
    )
    return {
        "characters": len(tokens[0]),
        "issue_us": cost_us(lambda: token(1), 2_000),
        "first_sight_us": round(first * 1e6, 2),
        "remembered_us": remembered,
        "remembered_50000_revoked_us": cost_us(lambda: known.verify(tokens[0]), 50_000),
    }


def rights_costs() -> dict[str, float]:
    """A cell of the table, and a caller let act on a calendar that is known."""
    caller = Caller(
        Role.STAFF,
        "cln_1",
        Millis(NOW + 600_000),
        NOW,
        "t",
        Identity("acc_1", "ses_1", "mem_1", 7, 2, NOW),
    )
    access = Access(NoCalendars(), believe_s=1e9, now=lambda: NOW)
    provider = ProviderId("prv_1")
    access._facts.put(provider, ProviderFacts(ClinicId("cln_1"), "UTC", {}))

    def to_provider() -> None:
        asking = access.to_provider(caller, Action.READ_SCHEDULE, provider)
        try:  # cheaper than ``suppress``, which would be measured too
            asking.send(None)
        except StopIteration:
            return

    return {
        "cell_us": cost_us(
            lambda: access.decide(caller, Action.READ_SCHEDULE, Relation.OWN), 50_000
        ),
        "to_provider_us": cost_us(to_provider, 50_000),
    }


class NoCalendars:
    """Calendars that are never asked."""

    async def ask(self, request: Any) -> Any:
        raise AssertionError(request)


def sealing_costs() -> dict[str, float]:
    """Texts of people: sealed, opened, found; a schedule whose keys are known."""
    sealing = DataKey("site", Purpose.SEAL, 1, b"1" * 32)
    keys = TenantKeys({1: sealing}, DataKey("site", Purpose.INDEX, 1, b"2" * 32), NOW)
    person = keys.of_person(b"3" * 16)
    place = Place("journal", "reason", "bkg_1.a")
    text, long = "a sore knee since Monday!", "x" * 4_096
    sealed = person.seal(place, text)
    people = [keys.of_person(bytes([n]) * 16) for n in range(SCHEDULE)]
    schedule = [(one, one.seal(place, text)) for one in people]

    def read() -> None:
        for one, value in schedule:
            one.open(place, value)

    return {
        "seal_25_bytes_us": cost_us(lambda: person.seal(place, text), 20_000),
        "open_25_bytes_us": cost_us(lambda: person.open(place, sealed), 20_000),
        "seal_4_kib_us": cost_us(lambda: person.seal(place, long), 20_000),
        "person_key_us": cost_us(lambda: keys.of_person(b"3" * 16), 2_000),
        "blind_index_us": cost_us(lambda: keys.index("email", "a@b.example"), 20_000),
        "schedule_of_40_us": cost_us(read, 500),
    }


def factor_costs() -> dict[str, float]:
    """A code of an app, a passkey's answer, a refresh token's mac."""
    import webauthn  # noqa: F401 - its import is not what is measured

    secret = new_secret()
    passkeys = Passkeys("http://localhost:8000")
    soft = SoftPasskey("http://localhost:8000", "localhost")
    challenge = b"c" * 32
    options = passkeys.registration(challenge, b"h" * 32, "mira@example.org", [])
    made = passkeys.registered(soft.create(options), challenge)
    factor = Factor(
        factor_id=FactorId("fac_1"),
        account_id=ACCOUNT,
        kind=FactorKind.PASSKEY,
        label="",
        created_at=NOW,
        credential=made.credential,
        public_key=made.public_key,
        user_handle=b"h" * 32,
    )
    answer = soft.get(passkeys.authentication(challenge))
    session = _session(1)
    presented = parsed_token(refresh_token(KEY, session, 1))
    assert presented is not None
    return {
        "totp_us": cost_us(lambda: step_of(secret, "123456", NOW), 2_000),
        "passkey_us": cost_us(lambda: passkeys.proved(answer, challenge, factor), 300),
        "refresh_mac_us": cost_us(lambda: is_genuine(KEY, presented, session), 20_000),
    }


async def hash_costs() -> dict[str, Any]:
    """One hash, a stream of sign-ins, and 400 at once, with the loop's lag beside."""
    passwords = ArgonPasswords(threads=1)
    try:
        hashed = await passwords.hashed(b"violet kettle runs")
        alone = []
        for _ in range(ROUNDS):
            began = time.process_time()
            await passwords.verify(b"violet kettle runs", hashed)
            alone.append(time.process_time() - began)

        async def sign_ins() -> float:
            began = time.perf_counter()
            for _ in range(SIGN_INS):
                await passwords.verify(b"violet kettle runs", hashed)
            return SIGN_INS / (time.perf_counter() - began)

        rate, lag = await _with_lag(sign_ins)

        async def crowd() -> int:
            answers = await asyncio.gather(
                *(passwords.verify(b"wrong", hashed) for _ in range(400)),
                return_exceptions=True,
            )
            return sum(isinstance(one, Unavailable) for one in answers)

        shed, crowd_lag = await _with_lag(crowd)
    finally:
        passwords.close()
    return {
        "hash_ms": round(min(alone) * 1e3, 1),
        "one_thread_per_s": round(rate, 1),
        "loop_lag_p99_wall_ms": lag,
        "of_400_at_once_shed": shed,
        "of_400_at_once_loop_lag_p99_wall_ms": crowd_lag,
    }


async def _with_lag(work: Callable[[], Awaitable[Any]]) -> tuple[Any, float]:
    """What work gives, and the 99th percentile of the event loop's delays, in ms."""
    delays: list[float] = []
    task = asyncio.ensure_future(work())
    while not task.done():
        began = time.perf_counter()
        await asyncio.sleep(TICK_S)
        delays.append(time.perf_counter() - began - TICK_S)
    delays.sort()
    return await task, round(delays[int(len(delays) * 0.99)] * 1e3, 2)


def _session(number: int) -> Session:
    return Session(
        session_id=SessionId(f"ses_{number}"),
        account_id=ACCOUNT,
        salt=b"0123456789abcdef",
        generation=1,
        seen_generation=0,
        rotated_at=NOW,
        created_at=NOW,
        authenticated_at=NOW,
        level=1,
        active_at=NOW,
        idle_ms=DAY_MS,
        ends_at=Millis(NOW + DAY_MS),
        delivery=Delivery.BODY,
        agent="a browser",
    )


async def refresh_costs(folder: Path) -> dict[str, float]:
    """Refreshes of 32 devices at once, each with its commit on the disk.

    ``…rotation…`` is the compare-and-set of a generation with the read before it;
    ``…refresh…`` all of it: the account's roles are read and a token is signed.
    """
    url = f"sqlite:///{folder}/records.db"
    await migrate(url, RECORDS)
    records = Records(url)
    clock = SteppedClock(NOW)
    try:
        stores = account_stores(records, KeyRing(records, KEKS, clock))
        context = SignInContext("patient", "pat_1")
        wanted = DemoAccount(ACCOUNT, "mira@example.org", context)
        await stores.accounts.demo_account(wanted, now=NOW)
        sessions = [_session(number) for number in range(SESSIONS)]
        for one in sessions:
            await stores.sessions.open_session(one)
        needs = AuthNeeds(
            stores=stores,
            passwords=None,  # type: ignore[arg-type]
            clock=clock,
            keys=(KEY,),
            mails=AccountMails("http://localhost:8000"),
            revoked=RevokedTokens(clock),
        )
        return {
            **await _rotated(stores, sessions),
            **await _refreshed(needs, stores, sessions),
        }
    finally:
        await records.close()


async def sign_in_costs(folder: Path) -> dict[str, float]:
    """Sign-ins of eight people at a time, with one hashing thread: all of it."""
    url = f"sqlite:///{folder}/sign_ins.db"
    await migrate(url, RECORDS)
    records, passwords = Records(url), ArgonPasswords(threads=1)
    clock = SteppedClock(NOW)
    try:
        stores = account_stores(records, KeyRing(records, KEKS, clock))
        hashed = await passwords.hashed(b"violet kettle runs")
        for number in range(PEOPLE):
            account = AccountId(f"acc_{number}")
            context = SignInContext("patient", f"pat_{number}")
            wanted = DemoAccount(account, f"{number}@example.org", context)
            await stores.accounts.demo_account(wanted, now=NOW)
            notice = Message("password_changed", wanted.email, "", "")
            await stores.credentials.set_password(
                account, hashed, notice=notice, now=NOW
            )
        needs = AuthNeeds(
            stores=stores,
            passwords=passwords,
            clock=clock,
            keys=(KEY,),
            mails=AccountMails("http://localhost:8000"),
            revoked=RevokedTokens(clock),
        )
        sign_in, device = SignIn(needs), Device(delivery=Delivery.BODY)

        async def one_person(number: int) -> None:
            for _ in range(SIGN_INS // PEOPLE):
                email = f"{number}@example.org"
                await sign_in.by_password(email, "violet kettle runs", device, None)

        began, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(one_person(number) for number in range(PEOPLE)))
        done = SIGN_INS // PEOPLE * PEOPLE
        return {
            "sign_in_ms": round((time.process_time() - cpu) / done * 1e3, 1),
            "sign_ins_per_s": round(done / (time.perf_counter() - began), 1),
        }
    finally:
        passwords.close()
        await records.close()


async def _rotated(stores: AccountStores, sessions: list[Session]) -> dict[str, float]:
    async def one_device(session: Session) -> None:
        for _ in range(REFRESHES):
            found = await stores.sessions.session(session.session_id)
            assert found is not None
            if not await stores.sessions.rotate(found, active=True, now=NOW):
                raise RuntimeError("a refresh was lost")

    return await _by_all("rotation", one_device, sessions)


async def _refreshed(
    needs: AuthNeeds, stores: AccountStores, sessions: list[Session]
) -> dict[str, float]:
    sign_in, key = SignIn(needs), needs.refresh_keys[0]

    async def one_device(session: Session) -> None:
        found = await stores.sessions.session(session.session_id)
        assert found is not None
        token = refresh_token(key, found, found.generation)
        for _ in range(REFRESHES):
            signed = await sign_in.refresh(token, active=True, context=None)
            token = signed.refresh

    return await _by_all("refresh", one_device, sessions)


async def _by_all(
    name: str, one_device: Callable[[Session], Awaitable[None]], sessions: list[Session]
) -> dict[str, float]:
    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.gather(*(one_device(one) for one in sessions))
    done = REFRESHES * len(sessions)
    return {
        f"{name}_us": round((time.process_time() - cpu) / done * 1e6, 1),
        f"{_PLURAL[name]}_per_s": round(done / (time.perf_counter() - wall), 1),
    }


def _identity_token(number: int) -> str:
    """A signed-in patient's token, with the salt of their key."""
    salt = urlsafe_b64encode(b"%016d" % number).decode().rstrip("=")
    identity = Identity(
        account=f"acc_{number}",
        session=f"ses_{number}",
        grant="",
        generation=1,
        level=2,
        proved_at=NOW,
        methods=("pwd", "otp"),
        salt=salt,
    )
    expires = Millis(NOW + 600_000)
    caller = Caller(Role.PATIENT, f"pat_{number}", expires, NOW, "t", identity)
    return issue_access_token(KEY, caller)


async def booking_costs(folder: Path) -> dict[str, float]:
    """A booking by a signed-in person beside one by a demo token, in pairs of rounds.

    Without a reason, and with one, which is sealed.
    """
    url = f"sqlite:///{folder}/people.db"
    await migrate(url, RECORDS)
    records = Records(url)
    try:
        ring = KeyRing(records, KEKS, SteppedClock(NOW))
        persons = SqlPersonKeys(records, ring)
        await persons.load([])
        shared = {"accounts": account_stores(records, ring), "persons": persons}
        found: dict[str, float] = {}
        async with clients(shared) as (api, all_of):
            demo = [api.token("patient", f"pat_{n}") for n in range(PATIENTS)]
            known = [_identity_token(n) for n in range(PATIENTS, 2 * PATIENTS)]
            await persons.load([PatientId(f"pat_{n}") for n in range(PATIENTS)])
            pairs = [(booking_by(api, demo), booking_by(api, known))]
            reason = {"reason": "a sore knee"}
            pairs += [
                (booking_by(api, demo, **reason), booking_by(api, known, **reason))
            ]
            first = 0
            for name, pair in zip(("", "reason_"), pairs, strict=True):
                costs, first = await _in_turns(all_of, pair, first)
                found |= {f"{name}{key}": value for key, value in costs.items()}
        api.app.state.auth.close()
    finally:
        await records.close()
    return found


async def _in_turns(
    all_of: list[Client],
    pair: tuple[Callable[[int], bytes], Callable[[int], bytes]],
    first: int,
) -> tuple[dict[str, float], int]:
    """Costs of the two of a pair, and the number of the next booking."""
    rounds: tuple[list[float], list[float]] = ([], [])
    for number in range(PAIRS):
        for one in (0, 1) if number % 2 else (1, 0):
            rounds[one].append(await round_cost(all_of, pair[one], first))
            first += len(all_of)
    more = statistics.median(b / a for a, b in zip(*rounds, strict=True)) - 1
    costs = {
        "demo_token_us": round(min(rounds[0]), 1),
        "signed_in_us": round(min(rounds[1]), 1),
        "signed_in_more_percent": round(more * 100, 1),
    }
    return costs, first


async def measure() -> dict[str, Any]:
    """All of it."""
    with tempfile.TemporaryDirectory() as folder:
        return {
            "bookings": await booking_costs(Path(folder)),
            "tokens": token_costs(),
            "rights": rights_costs(),
            "sealing": sealing_costs(),
            "factors": factor_costs(),
            "passwords": await hash_costs(),
            "sign_ins": await sign_in_costs(Path(folder)),
            "sessions": await refresh_costs(Path(folder)),
        }


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="as all benchmarks do")
    parser.parse_args()
    print(json.dumps(asyncio.run(measure()), indent=2))


if __name__ == "__main__":
    main()
