"""Hosts on one machine: network namespaces, joined by a bridge, that can be parted.

Each host has an address of its own and its own loopback; so has the bridge, from where
the test itself reaches them. A parting is silent, as in real networks: packets go to
a station that does not exist, without an error. Everything is named after the process
that made it, and goes with it: by the context manager, at exit, or, after a kill, by
the next network that is made on the machine.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import psutil

PREFIX = "sn"
"""Names are ``sn<pid>...``: an interface has at most 15 characters."""
NOWHERE = "02:00:00:00:00:fe"
"""An address without a station: the bridge floods, every host ignores."""


def why_not() -> str:
    """Why this machine cannot do it; empty if it can.

    Where ``CI`` is set nothing is a reason: the test must run there.
    """
    if os.environ.get("CI"):
        return ""
    if os.name != "posix" or os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "network namespaces need the ip tool (iproute2)"
    probe = subprocess.run(
        ["unshare", "--net", "true"], capture_output=True, check=False
    )
    return "" if probe.returncode == 0 else "this kernel gives no network namespaces"


def _ip(*words: str) -> str:
    done = subprocess.run(
        ["ip", *words], capture_output=True, text=True, timeout=20, check=False
    )
    if done.returncode != 0:
        raise OSError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def _listed(*words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(_ip("-j", *words) or "[]")
    return found


def _owner(name: str) -> int | None:
    """The process after which a thing of ours is named."""
    digits = name.removeprefix(PREFIX)[:7]
    if name.startswith(PREFIX) and len(digits) == 7 and digits.isdigit():
        return int(digits)
    return None


def sweep() -> list[str]:
    """Remove what killed processes left behind; the names."""
    gone: list[str] = []
    for space in _listed("netns", "list"):
        if (pid := _owner(space["name"])) and not psutil.pid_exists(pid):
            _end_all_inside(space["name"])
            _ip("netns", "del", space["name"])
            gone.append(space["name"])
    for link in _listed("link", "show"):
        name = link["ifname"]
        if (pid := _owner(name)) and not psutil.pid_exists(pid):
            with contextlib.suppress(OSError):  # its peer may have taken it along
                _ip("link", "del", name)
            gone.append(name)
    return gone


def _end_all_inside(space: str) -> None:
    """Kill what still runs in a namespace of ours, by pid."""
    for pid in _ip("netns", "pids", space).split():
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(int(pid))
            process.kill()
            process.wait(10)


class Host:
    """One machine of the network."""

    def __init__(self, name: str, space: str, address: str) -> None:
        self.name = name
        self.space = space
        self.address = address

    def command(self, *words: str) -> list[str]:
        """How to run something on this host."""
        return ["ip", "netns", "exec", self.space, *words]

    def run(
        self, *words: str, timeout_s: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run something there to its end."""
        return subprocess.run(
            self.command(*words),
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )


class Network:
    """Hosts ``a``, ``b``... on a bridge; ``outside`` is where the test is."""

    def __init__(self, names: Sequence[str]) -> None:
        self._tag = f"{PREFIX}{os.getpid():07d}"
        self._bridge = f"{self._tag}br"
        # 10.<x>.<y>.0/24 by pid: two test runs on a machine do not meet.
        middle = f"{128 + os.getpid() // 250 % 100}.{os.getpid() % 250}"
        self.outside = f"10.{middle}.1"
        self.hosts = {
            name: Host(name, f"{self._tag}{at}", f"10.{middle}.{at + 10}")
            for at, name in enumerate(names)
        }
        self._parted: set[tuple[str, str]] = set()

    def __getitem__(self, name: str) -> Host:
        return self.hosts[name]

    def make(self) -> None:
        """Make bridge and hosts; what a killed process left is removed first."""
        sweep()
        atexit.register(self.remove)
        _ip("link", "add", self._bridge, "type", "bridge")
        _ip("addr", "add", f"{self.outside}/24", "dev", self._bridge)
        _ip("link", "set", self._bridge, "up")
        for at, host in enumerate(self.hosts.values()):
            port = f"{self._tag}v{at}"
            _ip("netns", "add", host.space)
            peer = ("type", "veth", "peer", "name", "eth0", "netns", host.space)
            _ip("link", "add", port, *peer)
            _ip("link", "set", port, "master", self._bridge, "up")
            _ip("-n", host.space, "addr", "add", f"{host.address}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                _ip("-n", host.space, "link", "set", device, "up")

    def remove(self) -> None:
        """End what runs on the hosts and remove all; harmless when nothing is left."""
        atexit.unregister(self.remove)
        for at, host in enumerate(self.hosts.values()):
            with contextlib.suppress(OSError):
                _end_all_inside(host.space)
                _ip("netns", "del", host.space)
            with contextlib.suppress(OSError):  # else it goes some time later
                _ip("link", "del", f"{self._tag}v{at}")
        with contextlib.suppress(OSError):
            _ip("link", "del", self._bridge)

    def silence(self, sender: str, receiver: str) -> None:
        """From now on nothing that ``sender`` says reaches ``receiver``."""
        self._parted.add((sender, receiver))
        words = ("lladdr", NOWHERE, "nud", "permanent", "dev", "eth0")
        to = self.hosts[receiver].address
        _ip("-n", self.hosts[sender].space, "neigh", "replace", to, *words)

    def partition(self, one: str, other: str) -> None:
        """Neither reaches the other; both reach all other hosts."""
        self.silence(one, other)
        self.silence(other, one)

    def isolate(self, name: str, among: Sequence[str] = ()) -> None:
        """Part a host from all others (or from ``among``), though not from us."""
        for other in among or self.hosts:
            if other != name:
                self.partition(name, other)

    def heal(self) -> None:
        """All hosts reach each other again."""
        for sender, receiver in self._parted:
            to = self.hosts[receiver].address
            with contextlib.suppress(OSError):
                _ip("-n", self.hosts[sender].space, "neigh", "del", to, "dev", "eth0")
        self._parted.clear()

    def delay(self, name: str, milliseconds: float) -> bool:
        """Slow down what a host sends; False where the kernel has no netem.

        Then a proxy's latency is what remains.
        """
        space = self.hosts[name].space
        words = ("qdisc", "replace", "dev", "eth0", "root", "netem", "delay")
        done = subprocess.run(
            ["ip", "netns", "exec", space, "tc", *words, f"{milliseconds}ms"],
            capture_output=True,
            check=False,
        )
        return done.returncode == 0

    def __enter__(self) -> Network:
        try:
            self.make()
        except OSError:
            self.remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.remove()
