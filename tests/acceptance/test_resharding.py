"""``slotcast cluster isolate`` beside a server, ``slotcast reshard`` without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixtures.server import ServerProcess, book, http_get

pytestmark = pytest.mark.acceptance


def _is_there(server: ServerProcess, booked: dict[str, str]) -> bool:
    answer = http_get(
        f"{server.url}/v1/bookings/{booked['booking_id']}",
        headers={"Authorization": f"Bearer {server.token('patient', 'pat_7')}"},
    )
    return answer.status_code == 200 and answer.json()["status"] == "booked"


def test_isolated_at_work_and_resharded_at_rest(tmp_path: Path) -> None:
    """Bookings before, between and after are there; another start knows the place."""
    with ServerProcess(tmp_path / "data") as server:
        server.start()
        bookings = [book(server, "one")]
        provider = bookings[0]["provider_id"]
        moved = server.json("cluster", "isolate", provider)
        assert moved["to_shard"] == f"x-{provider}"
        bookings.append(book(server, "two"))
        again = server.run("cluster", "isolate", provider)
        assert again.returncode == 0, again.stderr
        assert server.run("reshard", "--shards", "3").returncode == 2  # a server runs
        assert server.stop() == 0
        server.start()
        bookings.append(book(server, "three"))
        assert all(_is_there(server, one) for one in bookings)
        assert server.stop() == 0
        resharded = server.json("reshard", "--shards", "3", "--forget-old")
        assert (resharded["generation"], resharded["shards"]) == (2, 3)
        server.start()
        bookings.append(book(server, "four"))
        assert all(_is_there(server, one) for one in bookings)
        verified = server.run("verify")
        assert verified.returncode == 0, verified.stdout + verified.stderr
