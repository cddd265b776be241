"""Who can reach a running server: this machine, and the folder's owner."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.fixtures.server import ServerProcess

pytestmark = pytest.mark.acceptance


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path / "site", SLOTCAST_SEED="none") as made:
        yield made


def _listens(pid: int) -> list[str]:
    return [
        str(place.laddr.ip).removeprefix("::ffff:")
        for place in psutil.Process(pid).net_connections(kind="tcp")
        if place.status == psutil.CONN_LISTEN
    ]


def test_only_this_machine_and_the_owner_can_reach_it(server: ServerProcess) -> None:
    """Server, Ray and shards listen on loopback only; the data folder is 0700."""
    server.start()
    heard = {
        f"{mark.name} {address}"
        for mark in server.note_tree()
        for address in _listens(mark.pid)
        if not ipaddress.ip_address(address).is_loopback
    }
    assert heard == set()
    assert server.data.stat().st_mode & 0o077 == 0
