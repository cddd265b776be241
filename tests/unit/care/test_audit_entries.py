"""Entries of the audit trail: of events, and in canonical form."""

from __future__ import annotations

import json
from typing import get_args

from actors.domain.messages.events import Event
from care.audit.entries import canonical
from care.audit.of_events import draft_of, is_audited, known_events
from tests.fixtures.events import one_of_each


def test_every_event_is_known() -> None:
    """A new kind of event must be named here: as an act, or as none."""
    assert known_events() == frozenset(get_args(Event))


def test_entries_of_events_hold_ids_and_no_words() -> None:
    """No reason, name or other text of a person is in an entry."""
    for name, event in one_of_each().items():
        if not is_audited(event):
            continue
        draft = draft_of(event, "cln_1", "s0000", 5)
        assert draft.action == draft.action.lower(), name
        for value in draft.body.values():
            assert isinstance(value, bool) or " " not in value, (name, value)


def test_canonical_json_has_one_spelling() -> None:
    """As the standard library writes it, sorted and without spaces."""
    value = {"b": 1, "a": ["x", True, {"d": "é", "c": None}]}
    plain = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert canonical(value) == plain.encode()
