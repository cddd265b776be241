"""Tokens of ids: random, well formed, never twice."""

import re

from cluster.logs import _json
from cluster.wiring.gateway import Tokens


def test_tokens_are_well_formed_and_different() -> None:
    """Ten draws of the system's randomness give no token twice."""
    tokens = Tokens()
    made = [tokens() for _ in range(10 * Tokens.DRAWN + 1)]
    assert len(set(made)) == len(made)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{16}", token) for token in made)


def test_two_sources_share_nothing() -> None:
    """Each process draws for itself."""
    one, other = Tokens(), Tokens()
    assert not {one() for _ in range(300)} & {other() for _ in range(300)}


def test_a_log_line_survives_what_json_has_no_word_for() -> None:
    """Objects print as themselves, and half a character does not lose the line."""
    assert (
        _json({"event": "x", "what": ValueError("no")}) == '{"event":"x","what":"no"}'
    )
    assert "\\ud800" in _json({"event": "\ud800"})
