"""Attack 61: names, phones, addresses and reasons are in the clear nowhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from actors.placement import shard_name
from persistence import codec
from persistence.audit.spool import FileSpool
from persistence.keys.ring import KeyRing
from persistence.privacy.persons import SqlPersonKeys
from persistence.sql.records import Records
from tests import factories as make
from tests.fakes.api import slot
from tests.fakes.clocks import SteppedClock
from tests.fixtures.accounts import KEKS, PASSWORD, AccountApi, account_api, bearer
from tests.fixtures.read_model import empty_records

PEOPLE = 5
REASON = "Quetzalcoatlus bite number"


def _seeds(number: int) -> dict[str, str]:
    """Words that occur nowhere else."""
    return {
        "given_name": f"Wilhelmina{number}x",
        "family_name": f"Oxenfurt{number}x",
        "phone": f"+4930555010{number}",
        "email": f"seed{number}@example.org",
        "reason": f"{REASON} {number}",
    }


@pytest.fixture
async def api(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[AccountApi]:
    url = empty_records("sqlite", request, tmp_path)
    records = Records(url)
    ring = KeyRing(records, KEKS, SteppedClock(make.NOW))
    spool = FileSpool(tmp_path / "spool", records)
    ports = {"persons": SqlPersonKeys(records, ring), "audit_spool": spool}
    async with account_api(
        request, tmp_path, more_ports=ports, log_requests=True
    ) as made:
        await made.api.add_provider()
        yield made
        await spool.close()
    await records.close()


async def _live(api: AccountApi, number: int) -> None:
    """Register, fill the profile, book with a reason, call it off; staff look."""
    seeds = _seeds(number)
    await api.register(seeds["email"])
    who = bearer(await api.sign_in(seeds["email"]))
    profile = {name: seeds[name] for name in ("given_name", "family_name", "phone")}
    changed = await api.client.patch("/v1/me/profile", json=profile, headers=who)
    assert changed.status_code == 200, changed.text
    body = slot(start=f"2026-08-10T{9 + number:02}:00:00Z")
    booked = await api.client.post(
        "/v1/bookings", json={**body, "reason": seeds["reason"]}, headers=who
    )
    assert booked.status_code == 201, booked.text
    path = f"/v1/bookings/{booked.json()['booking_id']}"
    await api.client.get(path, headers=api.api.doctor())
    away = {"start": "2026-09-01", "end": "2026-09-01", "reason": seeds["reason"]}
    path_of_leave = "/v1/providers/prv_1/time-off"
    doctor = api.api.doctor()
    added = await api.client.post(path_of_leave, json=away, headers=doctor)
    assert added.status_code == 201, added.text
    said = {"reason": seeds["reason"]}
    await api.client.post(f"{path}/cancel", json=said, headers=who)


async def test_seeded_values_are_in_the_clear_nowhere(
    api: AccountApi, tmp_path: Path
) -> None:
    """Journal, database, spool, log and metrics; the ids are there: the control."""
    with capture_logs() as lines:
        for number in range(PEOPLE):
            await _live(api, number)
    metrics = await api.client.get("/metrics")
    found = {
        "journal": await _journal(api),
        "files": _files(tmp_path),
        "log": repr(lines).encode(),
        "metrics": metrics.content,
    }
    assert b"bkg_" in found["journal"]
    assert b"pat_" in found["files"]
    assert b"/v1/bookings/{booking_id}" in found["log"]
    for number in range(PEOPLE):
        for name, value in _seeds(number).items():
            for place, content in found.items():
                assert value.encode() not in content, (name, place)
    for place, content in found.items():
        assert PASSWORD.encode() not in content, place


def _files(folder: Path) -> bytes:
    """Everything on the disk, the log of SQLite included."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return b"".join(path.read_bytes() for path in paths)


async def _journal(api: AccountApi) -> bytes:
    journal: Any = api.api.projector._journal
    found = b""
    for number in (0, 1):
        for record in await journal.read(shard_name(number), 0, 1_000):
            found += codec.encode(record.event)
    return found
