"""Ports and addresses of tests: two test processes at once are never given the same."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.fixtures.reserved import (
    PORTS,
    PORTS_OF_A_BLOCK,
    free_port,
    loopback_network,
    two_free_ports,
)
from tests.fixtures.server import ROOT

PROGRAM = """
from tests.fixtures.reserved import *
print(*(free_port() for _ in range(60)), loopback_network(), flush=True)
input()
"""


def test_processes_at_once_are_given_different_numbers() -> None:
    """Even where both begin to look at the same number, and beyond one block."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    given: list[str] = []
    try:
        for one in processes:
            assert one.stdout is not None
            given += one.stdout.readline().split()
    finally:
        for one in processes:
            one.communicate("\n")
    assert len(given) == 3 * 61
    assert len(set(given)) == len(given)


def test_a_process_is_given_a_number_once() -> None:
    """More ports than a block has, and each network a new one."""
    ports = [free_port() for _ in range(PORTS_OF_A_BLOCK + 1)]
    assert len(set(ports)) == len(ports)
    assert set(ports) <= set(PORTS)
    assert loopback_network() != loopback_network()


def test_two_ports_in_a_row_are_both_given_away() -> None:
    """The second is not given to the next test."""
    first = two_free_ports()
    assert free_port() not in (first, first + 1)
