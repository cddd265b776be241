"""A server does not start when it could not read what is sealed."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from datetime import date
from pathlib import Path

import pytest

from cluster.clock import SystemClock
from cluster.node.gateway import serve_people
from cluster.node.preparing import site_of_node
from cluster.site.data_folder import DataFolder
from cluster.site.settings import read_settings
from cluster.site.site import Site, site_made_if_needed
from cluster.terminal.obstacle import Obstacle
from cluster.terminal.terminal import Terminal
from cluster.wiring.keys import check_keys
from persistence.keys.ring import KeyRing
from persistence.records.models import RECORDS
from persistence.sql.migrating import migrate
from persistence.sql.records import Records


def _site(folder: Path, keys: str) -> Site:
    return site_made_if_needed(read_settings(data=folder, keys=keys), date(2026, 8, 10))


def _kek(name: str, byte: bytes) -> str:
    return f"{name}:{b64encode(byte * 32).decode()}"


async def test_a_wrong_or_missing_key_is_refused_with_advice(tmp_path: Path) -> None:
    """Attack 57: another key of the same name, or none of that name."""
    one, two = _kek("one", b"1"), _kek("two", b"2")
    site = _site(tmp_path / "site", one)
    await check_keys(site)  # there are no records yet: nothing can be wrong
    await migrate(site.records_url, RECORDS)
    records = Records(site.records_url)
    await KeyRing(records, site.key_encryption_keys(), SystemClock()).of()
    await records.close()
    await check_keys(site)
    await check_keys(_site(tmp_path / "site", f"{two},{one}"))
    for wrong in (two, _kek("one", b"3")):
        with pytest.raises(Obstacle) as refused:
            await check_keys(_site(tmp_path / "site", wrong))
        assert "SLOTCAST_KEYS" in refused.value.remedy
        assert b64encode(b"3" * 32).decode() not in str(refused.value.wrong)


async def test_no_gateway_of_a_cluster_starts_without_the_keys(tmp_path: Path) -> None:
    """Neither a node nor one of its gateways, which is started again by itself."""
    one, wrong = _kek("one", b"1"), _kek("one", b"3")
    site = _site(tmp_path / "site", one)
    await migrate(site.records_url, RECORDS)
    records = Records(site.records_url)
    await KeyRing(records, site.key_encryption_keys(), SystemClock()).of()
    await records.close()
    changed = _site(tmp_path / "site", wrong)
    with pytest.raises(Obstacle, match="Sealed data cannot be read"):
        await asyncio.to_thread(serve_people, changed, 0, 0, tmp_path, "test")

    def node(keys: str) -> Site:
        settings = read_settings(data=tmp_path / "site", keys=keys, disk_free_mib_min=0)
        folder = DataFolder(settings.data)
        with folder.locked():
            return site_of_node(settings, Terminal(), is_head=True)

    with pytest.raises(Obstacle, match="Sealed data cannot be read"):
        await asyncio.to_thread(node, wrong)
    assert (await asyncio.to_thread(node, one)).layout == site.layout
