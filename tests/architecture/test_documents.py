"""The documents point at things that exist."""

from __future__ import annotations

import re
from pathlib import Path

from tests.architecture.sources import ROOT, documents, shown, text

_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_TARGET = re.compile(
    r"`((?:tests|docs|actors|gateway|persistence|cluster|slotcast|loadtests)/[\w./-]+)`"
)
_MAKE = re.compile(r"`make ([a-z-]+)")
_HEADING = re.compile(r"^#+\s+(.*)$", re.MULTILINE)


def _anchor(heading: str) -> str:
    words = re.sub(r"[`*_]", "", heading.strip().lower())
    return re.sub(r"[^\w\- ]", "", words).replace(" ", "-")


def _anchors(path: Path) -> set[str]:
    return {_anchor(text) for text in _HEADING.findall(text(path))}


def test_links_lead_somewhere() -> None:
    """Every relative link of a page leads to a file, and to a heading in it."""
    lost = []
    for page in documents():
        for link in _LINK.findall(text(page)):
            if re.match(r"[a-z]+:", link):
                continue
            target, _, anchor = link.partition("#")
            path = (page.parent / target) if target else page
            if not path.exists() or (
                anchor and path.suffix == ".md" and anchor not in _anchors(path)
            ):
                lost.append(f"{shown(page)}: {link}")
    assert not lost


def test_named_files_exist() -> None:
    """A file or folder that a page names in code style exists."""
    lost = [
        f"{shown(page)}: {name}"
        for page in documents()
        for name in sorted(set(_TARGET.findall(text(page))))
        if not (ROOT / name.rstrip("/.")).exists()
    ]
    assert not lost


def test_make_targets_exist() -> None:
    """Every `make` target that a page names is in the Makefile."""
    makefile = ROOT / "Makefile"
    targets = (
        set(re.findall(r"^([a-z-]+):", makefile.read_text("utf-8"), re.MULTILINE))
        if makefile.exists()
        else set()
    )
    named = {
        (shown(page), target)
        for page in documents()
        for target in _MAKE.findall(text(page))
    }
    assert not [pair for pair in sorted(named) if pair[1] not in targets]
