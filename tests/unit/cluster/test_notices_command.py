"""``slotcast notices preview``, and the setting of reminders."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from care.notices.kinds import LANGUAGES, NoticeKind
from cluster.cli import app
from cluster.site.settings import read_settings
from cluster.terminal.obstacle import Obstacle
from tests.fixtures.small_site import made_site

ASKING = (NoticeKind.STRANDED, NoticeKind.UNRESOLVED)
"""Kinds that ask for another time, and lead there."""


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_can_be_looked_at(tmp_path: Path, language: str) -> None:
    """In every language and form, with the site's own links; nothing is sent."""
    made_site(data=tmp_path / "data")
    for kind in NoticeKind:
        for form in ("text", "html", "short"):
            words = [kind.value, "--lang", language, "--form", form]
            call = ["notices", "preview", *words, "--data", str(tmp_path / "data")]
            found = CliRunner().invoke(app, call)
            assert found.exit_code == 0, found.output
            link = "/#/choose" if kind in ASKING else "/#/me/visits"
            assert link in found.output
    assert not (tmp_path / "data" / "outgoing").exists()


@pytest.mark.parametrize(
    ("text", "steps"),
    [("", ()), ("60", (60,)), ("30, 1440,30", (1440, 30)), ("43200", (43200,))],
)
def test_reminders_are_minutes(text: str, steps: tuple[int, ...]) -> None:
    """The earliest first, each once; none is allowed."""
    assert read_settings(reminders=text).reminders == steps


@pytest.mark.parametrize("text", ["soon", "0", "-5", "43201", "1.5"])
def test_other_reminders_are_refused(text: str) -> None:
    """With what is asked for."""
    with pytest.raises(Obstacle, match="minutes before the start"):
        read_settings(reminders=text)
