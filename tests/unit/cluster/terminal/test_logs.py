"""Log files: JSON lines, turned over, and never in the way."""

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog

from cluster.logs import RotatingFile, log_to


@pytest.fixture(autouse=True)
def _logging_put_back() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_both_kinds_of_logger_write_json_lines(tmp_path: Path) -> None:
    """The standard library's lines and structlog's end in the same file."""
    path = tmp_path / "logs" / "x.log"
    log_to(path, "info")
    logging.getLogger("a").info("hello %s", "there")
    structlog.get_logger("b").info("request", status=200)
    logging.getLogger("a").debug("not this")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["hello there", "request"]
    assert lines[1]["status"] == 200


def test_a_line_is_what_the_library_would_have_written(tmp_path: Path) -> None:
    """The level, an instant in UTC to the microsecond, and an error's trace."""
    path = tmp_path / "x.log"
    log_to(path, "info")
    began = datetime.now(UTC)
    try:
        raise ValueError("what is wrong")  # noqa: TRY301
    except ValueError:
        structlog.get_logger("b").exception("failed", part="\ud800")
    line = json.loads(path.read_text())
    assert (line["event"], line["level"]) == ("failed", "error")
    assert "ValueError: what is wrong" in line["exception"]
    assert "exc_info" not in line
    assert line["timestamp"].endswith("Z")
    assert abs((datetime.fromisoformat(line["timestamp"]) - began).total_seconds()) < 60


def test_a_file_is_turned_over_and_only_so_many_are_kept(tmp_path: Path) -> None:
    """The newest lines are in the plain name, the oldest are gone."""
    path = tmp_path / "x.log"
    file = RotatingFile(path, bytes_max=20, kept=2)
    for number in range(10):
        file.write(f"line {number:04}\n")
    file.close()
    names = sorted(one.name for one in tmp_path.iterdir())
    assert names == ["x.log", "x.log.1", "x.log.2"]
    assert path.read_text().splitlines()[-1] == "line 0009"


def test_a_full_disk_loses_lines_not_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writing a line that does not fit is no error."""
    with Path("/dev/full").open("wb", buffering=0) as full:
        file = RotatingFile(tmp_path / "x.log")
        real = file._file
        monkeypatch.setattr(file, "_file", full)
        assert file.write("lost\n") == 0
        monkeypatch.setattr(file, "_file", real)
        file.close()
