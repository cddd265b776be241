"""The fault kit's own faults: hosts that can be parted, and that go when we go."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.faults import netns
from tests.faults.netns import Network
from tests.fixtures.server import ROOT

pytestmark = pytest.mark.skipif(bool(netns.why_not()), reason=netns.why_not())

ECHO = """
import socket, sys
with socket.create_server((sys.argv[1], 7000)) as server:
    print("up", flush=True)
    while True:
        talk, _ = server.accept()
        talk.sendall(talk.recv(100))
"""
ASK = """
import socket, sys
with socket.create_connection((sys.argv[1], 7000), timeout=2) as talk:
    talk.sendall(b"hello")
    print(talk.recv(100).decode())
"""


def hears(network: Network, one: str, other: str) -> bool:
    to = network[other].address
    return network[one].run(sys.executable, "-c", ASK, to).stdout == "hello\n"


def test_hosts_are_parted_and_healed() -> None:
    """a and b lose each other and keep c; one way is enough; heal undoes it."""
    with Network("abc") as network:
        host = network["b"]
        words = host.command(sys.executable, "-c", ECHO, host.address)
        with subprocess.Popen(words, stdout=subprocess.PIPE) as server:
            assert server.stdout is not None
            assert server.stdout.readline() == b"up\n"
            assert hears(network, "a", "b")
            network.partition("a", "b")
            assert not hears(network, "a", "b")
            assert hears(network, "c", "b")
            network.heal()
            assert hears(network, "a", "b")
            network.silence("b", "a")
            assert not hears(network, "a", "b")
            network.remove()
            server.wait(10)
    listed = subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True)
    assert host.space not in listed.stdout


def test_what_a_killed_process_left_is_removed() -> None:
    """After kill -9 of its maker, the next network sweeps namespaces and bridge."""
    make = (
        "import os, signal; from tests.faults.netns import Network; n = Network('xy');"
        "n.make(); print(n['x'].space, n._bridge, flush=True);"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    made = subprocess.run(
        [sys.executable, "-c", make], cwd=ROOT, capture_output=True, text=True
    )
    space, bridge = made.stdout.split()
    names = subprocess.run(["ip", "netns"], capture_output=True, text=True).stdout
    assert space in names
    gone = netns.sweep()
    assert {space, bridge} <= set(gone)
    names = subprocess.run(["ip", "netns"], capture_output=True, text=True).stdout
    assert space not in names
