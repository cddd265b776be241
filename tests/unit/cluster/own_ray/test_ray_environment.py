"""What Ray finds in the environment and on the disk is ours, whatever was there."""

from __future__ import annotations

import os
import socket
import stat
import sys
from collections.abc import Iterator
from shutil import rmtree

import pytest

from cluster.own_ray import environment as ray_environment
from cluster.own_ray.folder import new_ray_folder, ray_temp

SESSION = "session_2026-11-29_21-01-31_207334_4194304/sockets/plasma_store"
"""The longest path below its folder that Ray makes for a socket."""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An environment of its own, with no settings of Ray."""
    before = dict(os.environ)
    for name in before:
        if name.startswith("RAY_"):
            del os.environ[name]
    yield
    os.environ.clear()
    os.environ.update(before)


def test_settings_of_another_ray_are_ignored_and_named() -> None:
    """RAY_ADDRESS and the like lead nowhere; what we say ourselves is not named."""
    os.environ.update(
        RAY_ADDRESS="10.0.0.1:6379",
        RAY_TMPDIR="/elsewhere",
        RAY_USAGE_STATS_ENABLED="0",
    )
    assert ray_environment.forget_foreign() == ["RAY_ADDRESS", "RAY_TMPDIR"]
    assert not [name for name in os.environ if name.startswith("RAY_")]


def test_a_node_keeps_settings_of_ray_that_lead_nowhere_else() -> None:
    """A node's operator may tune Ray and give it TLS, but not lead it elsewhere."""
    os.environ.update(RAY_ADDRESS="10.0.0.1:6379", RAY_USE_TLS="1")
    ray_environment.show_cluster_token("secret")
    assert "RAY_ADDRESS" not in os.environ
    assert os.environ["RAY_USE_TLS"] == "1"
    assert os.environ["RAY_AUTH_TOKEN"] == "secret"


def test_rays_folder_lies_in_one_that_only_this_user_may_enter() -> None:
    """Ray makes its own folder readable for all; the one around it stays private."""
    folder = new_ray_folder()
    try:
        inner = ray_temp(folder)
        assert inner.parent == folder
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        place = inner / SESSION
        place.parent.mkdir(parents=True)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(place))  # OSError if the path is too long for a socket
    finally:
        rmtree(folder)


def test_only_a_server_of_its_own_looks_seldom(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Long intervals are for one machine: nodes notice each other's loss in seconds."""
    monkeypatch.delitem(sys.modules, "ray", raising=False)  # by an earlier test
    ray_environment.show_ray_token("t")
    assert ray_environment.ALONE.items() <= os.environ.items()
    assert not ray_environment.ALONE.keys() & ray_environment.cluster_environment("t")
    assert ray_environment.forget_foreign() == [
        *("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER")
    ]
