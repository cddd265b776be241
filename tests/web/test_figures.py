"""What the benchmark of the app does when Lighthouse gives no score."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.web import figures
from tests.web.figures import LIGHTHOUSE_TRIES, NoReport, persistent


class Runs:
    """Ends with these codes, one a run; then every run has a report."""

    def __init__(self, *codes: str) -> None:
        self._codes = list(codes)
        self.begun = 0

    def __call__(self) -> dict[str, Any]:
        self.begun += 1
        if self._codes:
            raise NoReport(self._codes.pop(0))
        return {"run": self.begun}


def test_a_run_without_a_report_is_repeated_and_counted() -> None:
    """One fluke of the browser does not cost the figures of an hour, nor hide."""
    repeated: Counter[str] = Counter()
    runs = Runs("NO_NAVSTART", "NO_FCP", "NO_NAVSTART")
    assert persistent(runs, repeated) == {"run": 4}
    assert repeated == {"NO_NAVSTART": 2, "NO_FCP": 1}


def test_a_page_that_never_loads_ends_the_benchmark() -> None:
    """The number of tries has a bound, and the last reason is told."""
    runs = Runs(*["NO_NAVSTART"] * LIGHTHOUSE_TRIES)
    with pytest.raises(NoReport, match="NO_NAVSTART"):
        persistent(runs, Counter())
    assert runs.begun == LIGHTHOUSE_TRIES


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ('{"runtimeError": {"code": "NO_NAVSTART"}}', "NO_NAVSTART"),
        ("", "exit 1"),
    ],
)
def test_a_report_of_a_failure_is_no_report(
    monkeypatch: pytest.MonkeyPatch, written: str, code: str
) -> None:
    """Lighthouse writes one with all scores empty, or none at all."""

    def ended(words: list[str], **_: object) -> Any:
        (path,) = [one for one in words if one.startswith("--output-path=")]
        if written:
            Path(path.partition("=")[2]).write_text(written, "utf-8")
        return subprocess.CompletedProcess(words, 1)

    monkeypatch.setattr(subprocess, "run", ended)
    with pytest.raises(NoReport, match=code):
        figures.lighthouse_once("http://localhost/")
