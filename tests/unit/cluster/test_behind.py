"""The processes behind requests, as a server and a node start them."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from cluster.behind import behind_requests, run_projector, run_worker
from cluster.server.children import own_command
from tests.architecture.sources import ROOT


@pytest.mark.parametrize(
    "words",
    [["work", "--index", "-1"], ["work", "--help"], ["project", "x"], ["serve"]],
)
def test_all_other_words_are_for_the_command_line(words: Sequence[str]) -> None:
    """Help, errors and options come from one place."""
    assert behind_requests(words) is None


def test_what_a_server_and_a_node_start_is_started_directly() -> None:
    """Their words are those of the commands, so that both ways do the same."""
    assert behind_requests(["project"]) is run_projector
    in_turn = behind_requests(["project", "--in-turn"])
    second = behind_requests(["work", "--index", "2"])
    assert isinstance(in_turn, partial)
    assert isinstance(second, partial)
    assert (in_turn.func, in_turn.keywords) == (run_projector, {"in_turn": True})
    assert (second.func, second.keywords) == (run_worker, {"index": 2})


@pytest.mark.parametrize("words", [("work", "--index", "0"), ("work", "--data", "x")])
def test_an_obstacle_is_told_as_the_command_line_tells_it(
    words: Sequence[str], tmp_path: Path
) -> None:
    """A sentence and the usual status, no trace."""
    done = subprocess.run(
        own_command(*words),
        cwd=tmp_path,
        env={"SLOTCAST_DATA": str(tmp_path / "x"), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "There is no data folder" in done.stderr
    assert "Traceback" not in done.stderr
