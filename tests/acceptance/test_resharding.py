"""``slotcast cluster isolate`` beside a server, ``slotcast reshard`` without one."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.fixtures.server import ServerProcess

pytestmark = pytest.mark.acceptance


def _free(server: ServerProcess) -> tuple[str, str, str]:
    answer = httpx.get(server.line_to_try()).raise_for_status().json()
    starts = [slot["start"] for slot in answer["slots"] if slot["state"] == "free"]
    return answer["provider_id"], answer["visit_type"], starts[-1]


def _book(server: ServerProcess, key: str) -> dict[str, str]:
    provider, visit_type, start = _free(server)
    answer = httpx.post(
        f"{server.url}/v1/bookings",
        json={"provider_id": provider, "visit_type": visit_type, "start": start},
        headers={
            "Authorization": f"Bearer {server.token('patient', 'pat_7')}",
            "Idempotency-Key": key,
        },
        timeout=20,
    )
    assert answer.status_code == 201, answer.text
    body: dict[str, str] = answer.json()
    return body


def _is_there(server: ServerProcess, booked: dict[str, str]) -> bool:
    answer = httpx.get(
        f"{server.url}/v1/bookings/{booked['booking_id']}",
        headers={"Authorization": f"Bearer {server.token('patient', 'pat_7')}"},
        timeout=20,
    )
    return answer.status_code == 200 and answer.json()["status"] == "booked"


def test_isolated_at_work_and_resharded_at_rest(tmp_path: Path) -> None:
    """Bookings before, between and after are there; another start knows the place."""
    with ServerProcess(tmp_path / "data") as server:
        server.start()
        bookings = [_book(server, "one")]
        provider = bookings[0]["provider_id"]
        moved = server.json("cluster", "isolate", provider)
        assert moved["to_shard"] == f"x-{provider}"
        assert moved["pause_ms"] < 10_000
        bookings.append(_book(server, "two"))
        again = server.run("cluster", "isolate", provider)
        assert again.returncode == 0, again.stderr
        assert server.run("reshard", "--shards", "3").returncode == 2  # a server runs
        assert server.stop() == 0
        server.start()
        bookings.append(_book(server, "three"))
        assert all(_is_there(server, one) for one in bookings)
        assert server.stop() == 0
        resharded = server.json("reshard", "--shards", "3", "--forget-old")
        assert (resharded["generation"], resharded["shards"]) == (2, 3)
        server.start()
        bookings.append(_book(server, "four"))
        assert all(_is_there(server, one) for one in bookings)
        verified = server.run("verify")
        assert verified.returncode == 0, verified.stdout + verified.stderr
