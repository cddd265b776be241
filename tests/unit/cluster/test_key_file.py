"""The file with key encryption keys: made once, and refused when it is not safe."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.site.key_file import keys_of_file, secret_of_file
from cluster.terminal.obstacle import Obstacle


def test_the_keys_are_made_once(tmp_path: Path) -> None:
    """The first call makes the file, for its owner alone; later ones read it."""
    path = tmp_path / "secrets" / "keys"
    first = keys_of_file(path)
    assert keys_of_file(path) == first
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["keys"]


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """It says what to do."""
    path = tmp_path / "secrets" / "keys"
    keys_of_file(path)
    path.chmod(0o644)
    with pytest.raises(Obstacle, match="read by others"):
        keys_of_file(path)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    """No other key is made in its place: sealed data would be lost."""
    path = tmp_path / "keys"
    path.write_text("nonsense")
    path.chmod(0o600)
    with pytest.raises(Obstacle, match="not understood"):
        keys_of_file(path)
    assert path.read_text() == "nonsense"


def test_a_secret_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    """Read again it is the same; readable by others, or damaged, it is refused."""
    path = tmp_path / "secrets" / "vapid.key"
    first = secret_of_file(path)
    assert len(first) == 32
    assert secret_of_file(path) == first
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    with pytest.raises(Obstacle, match="can be read by others"):
        secret_of_file(path)
    path.chmod(0o600)
    path.write_text("zz")
    with pytest.raises(Obstacle, match="damaged"):
        secret_of_file(path)
