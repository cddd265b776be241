"""What is looked at before a start."""

import os
import resource
import socket
from collections import namedtuple
from pathlib import Path

import pytest

from cluster.server import preflight
from cluster.site.settings import read_settings
from cluster.terminal.obstacle import Obstacle
from tests.fixtures.reserved import free_port

Usage = namedtuple("Usage", "total used free")


def test_a_taken_port_is_told_with_its_holder() -> None:
    """The message names the process and another port."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(Obstacle, match=f"Port {port}") as caught:
            preflight.bind_port(read_settings(port=port))
    assert str(os.getpid()) in caught.value.wrong
    assert "SLOTCAST_PORT" in caught.value.remedy


def test_a_free_port_is_bound() -> None:
    """The socket is ours from the first check on."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    with preflight.bind_port(read_settings(port=port)) as listener:
        assert listener.getsockname() == ("127.0.0.1", port)


def test_until_the_server_serves_connections_are_refused_at_once() -> None:
    """No client hangs in a queue of a server that is still starting."""
    with preflight.bind_port(read_settings(port=free_port())) as listener:
        address = listener.getsockname()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, timeout=10)
        preflight.begin_to_listen(listener, read_settings(port=address[1]))
        with socket.create_connection(address, timeout=10):
            pass


def test_of_two_servers_that_start_at_once_one_gets_the_port() -> None:
    """Both may have bound it; the second to listen is told that it is taken."""
    settings = read_settings(port=free_port())
    with preflight.bind_port(settings) as one, preflight.bind_port(settings) as two:
        preflight.begin_to_listen(one, settings)
        with pytest.raises(Obstacle, match=f"Port {settings.port}"):
            preflight.begin_to_listen(two, settings)


def test_an_unknown_host_is_told() -> None:
    """A name that is no address of anything is refused by name."""
    with pytest.raises(Obstacle, match=r"no\.such\.host"):
        preflight.bind_port(read_settings(host="no.such.host.invalid"))


def test_a_nearly_full_disk_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Free and needed space are in the message."""
    usage = Usage(100, 90, 10 * preflight.MIB)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    with pytest.raises(Obstacle, match="10 MiB free, 512 MiB needed"):
        preflight.check_disk(tmp_path / "not" / "there", 512)


def test_a_low_limit_of_open_files_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says how many there are, how many are needed, and the command."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 256))
    with pytest.raises(Obstacle, match="256 files") as caught:
        preflight.raise_open_files_limit()
    assert "ulimit -n" in caught.value.remedy


def test_an_old_python_is_told() -> None:
    """Both versions are named."""
    with pytest.raises(Obstacle, match=r"Python 3\.9; Slotcast needs 3\.11"):
        preflight.check_python((3, 9))
