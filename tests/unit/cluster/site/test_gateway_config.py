"""Settings that reach the gateway."""

from __future__ import annotations

from pathlib import Path

from cluster.site.data_folder import DataFolder
from cluster.site.settings import read_settings
from cluster.site.site import Site
from cluster.wiring.gateway import gateway_config


def test_limits_and_the_drain_of_sockets_come_from_the_settings(
    tmp_path: Path,
) -> None:
    """Watchers are sent away well before the server's patience ends."""
    settings = read_settings(
        data=tmp_path / "data",
        sockets=10,
        sockets_per_address=5,
        sockets_per_person=4,
        handshakes_per_second=7.0,
        topics_per_socket=3,
        drain_seconds=20.0,
    )
    folder = DataFolder(settings.data)
    with folder.locked():
        layout = folder.make(settings, "2026-12-01")
    live = gateway_config(Site(settings, folder, layout), "0").live
    assert (live.connections_max, live.connections_per_address_max) == (10, 5)
    assert (live.connections_per_person_max, live.handshakes_per_s) == (4, 7.0)
    assert live.subscriptions_max == 3
    assert 0 < live.drain_s < settings.drain_seconds
