"""The number of shards of a new site follows the machine."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pytest

from cluster.node.preparing import CLUSTER_SHARDS_LEAST, site_of_node
from cluster.site.data_folder import DataFolder
from cluster.site.settings import read_settings
from cluster.site.site import make_site
from cluster.terminal.terminal import Terminal


def cores(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(count)))


@pytest.mark.parametrize(
    ("count", "shards"), [(1, 1), (2, 1), (3, 1), (4, 2), (8, 4), (64, 32)]
)
def test_a_new_site_has_a_shard_for_each_two_cores(
    monkeypatch: pytest.MonkeyPatch, count: int, shards: int
) -> None:
    """At least one; what is set wins."""
    cores(monkeypatch, count)
    monkeypatch.delenv("SLOTCAST_SHARDS", raising=False)
    assert read_settings().shards == shards
    monkeypatch.setenv("SLOTCAST_SHARDS", "7")
    assert read_settings().shards == 7


def test_a_folder_keeps_its_number_on_another_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A default is no wish: the folder's own number counts, and nothing is refused."""
    cores(monkeypatch, 8)
    folder = DataFolder(tmp_path)
    with folder.locked():
        layout = make_site(folder, read_settings(data=tmp_path), date(2026, 1, 1), None)
    cores(monkeypatch, 2)
    settings = folder.check_matches(layout, read_settings(data=tmp_path))
    assert settings.shards == 4


@pytest.mark.parametrize(("wish", "shards"), [("", CLUSTER_SHARDS_LEAST), ("3", 3)])
def test_a_new_cluster_has_shards_for_nodes_that_join(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wish: str, shards: int
) -> None:
    """More than its first machine would need alone, unless a number is set."""
    cores(monkeypatch, 2)
    if wish:
        monkeypatch.setenv("SLOTCAST_SHARDS", wish)
    folder = DataFolder(tmp_path)
    settings = read_settings(data=tmp_path, disk_free_mib_min=0)
    with folder.locked():
        made = site_of_node(settings, Terminal(), is_head=True)
        again = site_of_node(settings, Terminal(), is_head=True)
    assert made.layout.shards == made.settings.shards == shards
    assert again.layout == made.layout
