"""The data folder: made whole or refused with a sentence."""

import errno
import json
import os
from pathlib import Path

import pytest

from cluster.site.data_folder import DataFolder
from cluster.site.run_file import RunRecord, mark_of_self, write_record
from cluster.site.settings import Settings, read_settings
from cluster.terminal.obstacle import Obstacle

MADE_ON = "2026-12-01"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read_settings(data=tmp_path / "data", shards=3)


@pytest.fixture
def folder(settings: Settings) -> DataFolder:
    made = DataFolder(settings.data)
    with made.locked():
        made.make(settings, MADE_ON)
    return made


def test_a_missing_or_empty_folder_is_simply_new(tmp_path: Path) -> None:
    """Nothing there, or an empty folder: no layout, and no complaint."""
    assert DataFolder(tmp_path / "none").examine() is None
    assert DataFolder(tmp_path).examine() is None


def test_a_made_folder_is_accepted_again(folder: DataFolder) -> None:
    """What was made is read back."""
    layout = folder.examine()
    assert layout is not None
    assert (layout.shards, layout.made_on) == (3, MADE_ON)


def test_a_file_in_its_place_is_named(tmp_path: Path) -> None:
    """A file where the folder should be is refused."""
    path = tmp_path / "data"
    path.write_text("hello")
    with pytest.raises(Obstacle, match="is a file"):
        DataFolder(path).examine()


def test_a_folder_without_its_layout_is_half_written(folder: DataFolder) -> None:
    """The layout is written last, so without it the making was interrupted."""
    folder.layout_file.unlink()
    with pytest.raises(Obstacle, match="half written") as caught:
        folder.examine()
    assert "rm -r" in caught.value.remedy


@pytest.mark.parametrize("content", [b"", b'{"format": 1, "sh', b"\xff\xfe", b"[]"])
def test_a_torn_layout_is_half_written(folder: DataFolder, content: bytes) -> None:
    """A damaged layout is told as such, not as a stack trace."""
    folder.layout_file.write_bytes(content)
    with pytest.raises(Obstacle, match="half written"):
        folder.examine()


@pytest.mark.parametrize("part", ["journal", "snapshots", "readmodel"])
def test_a_missing_part_is_named(folder: DataFolder, part: str) -> None:
    """Half a copy of a folder is refused, and says which half is missing."""
    (folder.path / part).rmdir()
    with pytest.raises(Obstacle, match=part):
        folder.examine()


def test_a_missing_token_key_is_named(folder: DataFolder) -> None:
    """Without the key every token is void: that is told, not papered over."""
    folder.token_key_file.unlink()
    with pytest.raises(Obstacle, match=r"token\.key"):
        folder.examine()


def test_a_newer_format_is_left_alone(folder: DataFolder) -> None:
    """An older program does not touch a newer folder."""
    layout = json.loads(folder.layout_file.read_text())
    folder.layout_file.write_text(json.dumps({**layout, "format": 99}))
    with pytest.raises(Obstacle, match="newer Slotcast"):
        folder.examine()


@pytest.mark.parametrize(
    "given", [{"shards": 5}, {"placement": "provider"}, {"cell_minutes": 15}]
)
def test_what_is_fixed_cannot_be_changed(
    folder: DataFolder, given: dict[str, object]
) -> None:
    """Another number of shards, placement or cell is refused by name."""
    layout = folder.examine()
    assert layout is not None
    with pytest.raises(Obstacle, match=next(iter(given))):
        folder.check_matches(layout, read_settings(data=folder.path, **given))


def test_what_is_not_said_is_taken_from_the_folder(folder: DataFolder) -> None:
    """Tools need not repeat how a folder was made."""
    layout = folder.examine()
    assert layout is not None
    settings = folder.check_matches(layout, read_settings(data=folder.path))
    assert settings.shards == 3


def test_two_cannot_write_and_the_second_learns_who_does(folder: DataFolder) -> None:
    """The lock names its holder by pid and address."""
    with folder.locked():
        record = RunRecord(mark_of_self(), "slotcast serve", "127.0.0.1", 8000)
        write_record(folder.run_file, record)
        assert folder.is_locked()
        with pytest.raises(Obstacle, match=f"pid {os.getpid()}"), folder.locked():
            pass
    assert not folder.is_locked()


def test_the_token_key_is_for_its_owner_only(folder: DataFolder) -> None:
    """0600 when made; refused as soon as others may read it."""
    assert folder.token_key_file.stat().st_mode & 0o777 == 0o600
    assert len(folder.token_key()) == 32
    folder.token_key_file.chmod(0o640)
    with pytest.raises(Obstacle, match="can be read by others"):
        folder.token_key()


def test_a_read_only_place_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the system says about the folder becomes a sentence."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with (
        pytest.raises(Obstacle, match="read-only"),
        DataFolder(tmp_path / "data").locked(),
    ):
        pass


def test_a_place_below_a_file_is_explained(tmp_path: Path) -> None:
    """A path through a file cannot be made."""
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(Obstacle, match="below a file"),
        DataFolder(tmp_path / "file" / "data").locked(),
    ):
        pass
