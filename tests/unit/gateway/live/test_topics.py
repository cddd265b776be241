"""Names of topics."""

from __future__ import annotations

import pytest

from gateway.live.core.topic_names import BadTopic, Kind, is_week, parse_topic


def test_names_round_trip() -> None:
    """What a client names is what frames name."""
    for text in ("slots/prv_1/consult/2026-W49", "schedule/prv_1", "me"):
        assert parse_topic(text, "pat_1").wire == text


def test_me_is_another_topic_for_everyone() -> None:
    """Two patients who watch ``me`` watch different things."""
    one, two = parse_topic("me", "pat_1"), parse_topic("me", "pat_2")
    assert one.kind is Kind.ME
    assert one.key != two.key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "slots",
        "slots/prv_1/consult",
        "slots/pat_1/consult/2026-W49",
        'slots/prv_1/con"sult/2026-W49',
        "slots/prv_1//2026-W49",
        "slots/prv_1/consult/2026-49",
        "schedule/prv_1/x",
        "me/pat_1",
        "slots/prv_1/" + "x" * 300 + "/2026-W49",
    ],
)
def test_malformed_names_are_refused(text: str) -> None:
    """Anything else names nothing, so names never need escaping."""
    with pytest.raises(BadTopic):
        parse_topic(text, "pat_1")


def test_weeks_must_exist() -> None:
    """2026 has 53 weeks, 2027 has 52, and none has week 0."""
    assert is_week("2026-W53")
    assert not is_week("2027-W53")
    assert not is_week("2026-W00")
    assert not is_week("0000-W01")
