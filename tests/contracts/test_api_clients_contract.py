"""What a store of API clients promises, on every database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import text

from actors.domain.ids import ClinicId, Millis
from care.accounts.accounts import DAY_MS
from care.accounts.clients import CLIENTS_MAX, ApiClient, ClientId
from persistence.accounts.clients import USE_NOTED_MS, SqlApiClients
from persistence.sql.records import Records
from tests import factories as make
from tests.fixtures.read_model import empty_records

NOW = make.NOW
ONE, TWO = ClinicId("cln_1"), ClinicId("cln_2")


@pytest.fixture(params=("sqlite", "asyncmy"))
async def records(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Records]:
    """Empty records."""
    opened = Records(empty_records(request.param, request, tmp_path))
    yield opened
    await opened.close()


def _client(number: int = 1, clinic_id: ClinicId = ONE) -> ApiClient:
    return ApiClient(
        client_id=ClientId(f"cli_{number}"),
        clinic_id=clinic_id,
        name="Portal",
        scopes=("book", "read_slots"),
        created_by="acc_1",
        created_at=Millis(NOW + number),
        expires_at=Millis(NOW + DAY_MS),
    )


async def test_a_client_is_found_by_its_secret(records: Records) -> None:
    """Before its end, and never by another's; the secret is nowhere in the clear."""
    clients, client = SqlApiClients(records), _client()
    assert await clients.add(client, "secret one")
    assert await clients.add(_client(2, TWO), "secret two")
    assert await clients.of_clinic(ONE) == [client]
    assert await clients.proved(client.client_id, "secret one", now=NOW) is not None
    for secret, now in (
        ("secret two", NOW),
        ("", NOW),
        ("secret one", client.expires_at),
    ):
        assert await clients.proved(client.client_id, secret, now=now) is None
    assert await clients.proved(ClientId("cli_0"), "secret one", now=NOW) is None
    async with records.reading() as session:
        rows = (await session.execute(text("SELECT * FROM api_client"))).all()
    assert "secret one" not in str(rows)


async def test_uses_are_noted_now_and_then(records: Records) -> None:
    """The first at once, then one a minute: not each use is a write."""
    clients = SqlApiClients(records)
    await clients.add(_client(), "secret")
    for step, noted in ((0, 0), (1, 0), (USE_NOTED_MS, USE_NOTED_MS)):
        await clients.proved(ClientId("cli_1"), "secret", now=Millis(NOW + step))
        (found,) = await clients.of_clinic(ONE)
        assert found.used_at == NOW + noted


async def test_rotations_at_once_are_one_after_the_other(records: Records) -> None:
    """The last secret works, and the one before it until its time is up."""
    clients = SqlApiClients(records)
    await clients.add(_client(), "secret 0")
    until, later = Millis(NOW + 10), Millis(NOW + 10)

    async def rotate(number: int) -> ApiClient | None:
        return await clients.rotate(
            ONE, ClientId("cli_1"), f"secret {number}", old_until=until, now=NOW
        )

    assert all(await asyncio.gather(*(rotate(number) for number in range(1, 6))))

    async def working(now: Millis) -> int:
        proved = [
            await clients.proved(ClientId("cli_1"), f"secret {number}", now=now)
            for number in range(6)
        ]
        return len([one for one in proved if one is not None])

    assert await working(NOW) == 2
    assert await working(later) == 1


async def test_another_clinic_changes_nothing(records: Records) -> None:
    """Nor does anything revive a client that was revoked."""
    clients, client_id = SqlApiClients(records), ClientId("cli_1")
    await clients.add(_client(), "secret")
    again = {"old_until": NOW, "now": NOW}
    assert await clients.rotate(TWO, client_id, "new", **again) is None
    assert not await clients.revoke(TWO, client_id, now=NOW)
    assert await clients.proved(client_id, "secret", now=NOW) is not None
    ended = await asyncio.gather(
        *(clients.revoke(ONE, client_id, now=NOW) for _ in range(4))
    )
    assert ended.count(True) == 1
    assert await clients.proved(client_id, "secret", now=NOW) is None
    assert await clients.rotate(ONE, client_id, "new", **again) is None
    assert await clients.of_clinic(ONE) == []


async def test_clients_of_a_clinic_are_counted(records: Records) -> None:
    """Living ones, each clinic's apart."""
    clients = SqlApiClients(records)
    for number in range(CLIENTS_MAX):
        assert await clients.add(_client(number), f"secret {number}")
    assert not await clients.add(_client(99), "secret")
    other = replace(_client(99), clinic_id=TWO)
    assert await clients.add(other, "secret")
