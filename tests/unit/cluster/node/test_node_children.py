"""The processes of a node: which there are, and the order in which they stop."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from cluster.node import supervisor as module
from cluster.node.plan import NodePlan
from cluster.node.supervisor import NodeSupervisor, stop_seconds
from cluster.server.children import NICENESS, WORKER_FINISH_S, Child
from cluster.site.data_folder import DataFolder
from cluster.site.settings import read_settings
from cluster.site.site import Site, make_site
from cluster.terminal.terminal import Terminal


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> dict[str, Child]:
    """The children that are made, by name."""
    found: dict[str, Child] = {}

    class Noted(Child):
        def __init__(self, name: str, *rest: object, **more: object) -> None:
            super().__init__(name, *rest, **more)  # type: ignore[arg-type]
            found[name] = self

    monkeypatch.setattr(module, "Child", Noted)
    return found


def node(tmp_path: Path, *, workers: int, is_head: bool = False) -> NodePlan:
    settings = read_settings(
        data=tmp_path, workers=workers, cluster_secret="x" * 64, seed="none"
    )
    folder = DataFolder(settings.data)
    with folder.locked():
        layout = make_site(folder, settings, date(2026, 1, 1), None)
    return NodePlan(
        *(Site(settings, folder, layout), "n1", "127.0.0.2", "127.0.0.2", (8000,)),
        is_head=is_head,
        ray_address="127.0.0.2:6380",
        takes_shards=True,
    )


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_node_runs_as_many_workers_as_it_is_told(
    tmp_path: Path, made: dict[str, Child], count: int
) -> None:
    """SLOTCAST_WORKERS of them, behind requests, each with a log of its own."""
    NodeSupervisor(node(tmp_path, workers=count), Terminal(), "up")
    workers = [child for name, child in made.items() if name.startswith("worker")]
    assert len(workers) == count
    for index, child in enumerate(workers):
        start = child._start()
        assert start is not None
        assert list(start.command[-3:]) == ["work", "--index", str(index)]
        assert start.niceness == NICENESS["work"] > NICENESS["project"] > 0


def test_a_worker_needs_no_ray(tmp_path: Path, made: dict[str, Child]) -> None:
    """Jobs go on while the head is away: only gateways and keeper wait for Ray."""
    NodeSupervisor(node(tmp_path, workers=1, is_head=True), Terminal(), "up")
    waiting = {name for name, child in made.items() if not _can_start(child)}
    assert waiting == {"keeper", "gateway 0"}


def _can_start(child: Child) -> bool:
    return child.name == "ray" or child._start() is not None


def test_the_longest_stop_has_room_for_a_workers_jobs() -> None:
    """A container is not killed while its jobs still finish."""
    assert stop_seconds(10) > WORKER_FINISH_S + 10
