"""The operations guide speaks of settings, commands and pages that exist."""

from __future__ import annotations

import re

from cluster.site.settings import Settings
from tests.architecture.sources import ROOT
from tests.deployment.files import commands, setting_variables
from tests.deployment.settings_page import described, page

GUIDE = ROOT / "docs" / "operations"
PAGES = sorted(GUIDE.glob("*.md"))


def test_every_setting_is_explained() -> None:
    """A setting without a word on what it means is a riddle."""
    assert set(described()) == set(Settings.model_fields)
    assert (GUIDE / "settings.md").read_text() == page(), (
        "make it again: python -m tests.deployment.settings_page "
        "> docs/operations/settings.md"
    )


def test_every_variable_in_the_guide_is_a_setting() -> None:
    """What an operator copies has an effect."""
    known = setting_variables()
    for path in PAGES:
        named = set(re.findall(r"\bSLOTCAST_[A-Z_]+\b", path.read_text()))
        assert named <= known, path.name


def test_every_command_in_the_guide_exists() -> None:
    """What an operator copies is a command."""
    known = commands()
    groups = {name.split()[0] for name in known if " " in name}
    known.add("token")  # a group that is a command, too
    for path in PAGES:
        for word, second in re.findall(
            r"\bslotcast ([a-z]+)(?: ([a-z]+(?:-[a-z]+)*))?", code_of(path.read_text())
        ):
            told = f"{word} {second}".strip() if word in groups else word
            assert told in known, f"{path.name}: slotcast {told}"


def code_of(text: str) -> str:
    """What stands in backquotes or indented blocks: what is meant to be typed."""
    blocks = re.findall(r"```\n(.*?)```", text, re.DOTALL)
    return "\n".join([*blocks, *re.findall(r"`([^`\n]+)`", text)])


def test_every_link_and_anchor_leads_somewhere() -> None:
    """No link of the guide is dead."""
    for path in PAGES:
        for goal in re.findall(r"\]\(([^)]+)\)", path.read_text()):
            name, _, anchor = goal.partition("#")
            target = (path.parent / name).resolve() if name else path
            assert target.exists(), f"{path.name}: {goal}"
            if anchor:
                headings = re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE)
                slugs = {slug(heading) for heading in headings}
                assert anchor in slugs, f"{path.name}: {goal}"


def slug(heading: str) -> str:
    """A heading as an anchor, as Git's web pages make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
