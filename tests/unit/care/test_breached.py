"""The operator's list of stolen passwords."""

from __future__ import annotations

from hashlib import sha1
from pathlib import Path

import pytest

from care.accounts.breached import BreachedPasswords


def _line(password: str) -> str:
    return f"{sha1(password.encode()).hexdigest().upper()}:7\n"


def test_each_of_the_list_is_found_and_no_other(tmp_path: Path) -> None:
    """The first, the last and those between; with and without a last newline."""
    words = [f"word number {n}" for n in range(300)]
    lines = sorted(map(_line, words))
    for text in ("".join(lines), "".join(lines).rstrip("\n")):
        path = tmp_path / "list"
        path.write_text(text)
        breached = BreachedPasswords(path)
        assert all(breached.has(word.encode()) for word in words)
        assert not any(breached.has(f"{word}!".encode()) for word in words)
        breached.close()


def test_what_is_no_such_file_is_refused(tmp_path: Path) -> None:
    """At the start, not at the first password."""
    path = tmp_path / "list"
    path.write_text("password\n123456\n")
    with pytest.raises(ValueError, match="SHA1:count"):
        BreachedPasswords(path)
