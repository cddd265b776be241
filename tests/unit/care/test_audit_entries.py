"""Entries of the audit trail: of events, and in canonical form."""

from __future__ import annotations

import json
from typing import Any, get_args

from msgspec.structs import replace

from actors.domain.ids import GroupId, ProviderId
from actors.domain.messages.events import Event
from actors.domain.rules import Group
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


def test_a_visit_on_several_calendars_is_one_act() -> None:
    """The primary's events are a person's act; its members only follow."""
    known = one_of_each()
    for name in ("HoldPlaced", "SlotBooked", "BookingCancelled"):
        here = known[name].provider_id
        other = ProviderId("prv_other")
        for group, counts in (
            (None, True),
            (Group(GroupId("g1"), here, (other,)), True),
            (Group(GroupId("g1"), other), False),
        ):
            event: Any = known[name]
            assert is_audited(replace(event, group=group)) is counts


def test_canonical_json_has_one_spelling() -> None:
    """As the standard library writes it, sorted and without spaces."""
    value = {"b": 1, "a": ["x", True, {"d": "é", "c": None}]}
    plain = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert canonical(value) == plain.encode()
