"""Refresh tokens: a thief is found, a lost answer and a race cost nothing."""

from __future__ import annotations

from typing import Final

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.domain.ids import Millis
from care.accounts.accounts import DAY_MS, Delivery, EndedWhy, Session
from care.accounts.ids import AccountId, SessionId
from care.accounts.refreshing import (
    GRACE_MS,
    Judgement,
    is_genuine,
    judge,
    parsed_token,
    reason_to_end,
    refresh_token,
)

KEY: Final = b"k" * 32
NOW: Final = Millis(1_700_000_000_000)
SESSION: Final = Session(
    session_id=SessionId("ses_one"),
    account_id=AccountId("acc_one"),
    salt=b"salt",
    generation=1,
    seen_generation=0,
    rotated_at=NOW,
    created_at=NOW,
    authenticated_at=NOW,
    level=1,
    active_at=NOW,
    idle_ms=30 * DAY_MS,
    ends_at=Millis(NOW + 180 * DAY_MS),
    delivery=Delivery.BODY,
    agent="",
)


def _rotated(session: Session, now: int) -> Session:
    return msgspec.structs.replace(
        session, generation=session.generation + 1, rotated_at=Millis(now)
    )


def _seen(session: Session) -> Session:
    return msgspec.structs.replace(session, seen_generation=session.generation)


def test_a_token_names_its_session_and_generation() -> None:
    """What was made can be taken apart, and is recognised."""
    token = parsed_token(refresh_token(KEY, SESSION, 7))
    assert token is not None
    assert (token.session_id, token.generation) == ("ses_one", 7)
    assert is_genuine(KEY, token, SESSION)


@given(st.integers(0, 60), st.sampled_from("Aa0_-"))
def test_a_changed_token_is_not_genuine(at: int, letter: str) -> None:
    """No character of a token can be exchanged."""
    text = refresh_token(KEY, SESSION, 7)
    at %= len(text)
    changed = text[:at] + letter + text[at + 1 :]
    token = parsed_token(changed)
    named = token is not None and token.session_id == SESSION.session_id
    if changed != text and named:
        assert token is not None
        assert not is_genuine(KEY, token, SESSION)


def test_another_key_or_salt_makes_another_token() -> None:
    """A stolen database mints nothing: the key is not in it."""
    token = parsed_token(refresh_token(KEY, SESSION, 1))
    assert token is not None
    assert not is_genuine(b"x" * 32, token, SESSION)
    assert not is_genuine(KEY, token, msgspec.structs.replace(SESSION, salt=b"other"))


def test_the_parent_is_refused_once_its_successor_was_seen() -> None:
    """61 s after the rotation, successor used: the session ends for reuse."""
    session = _seen(_rotated(SESSION, NOW))
    later = Millis(NOW + 61_000)
    assert judge(session, 1, later) is Judgement.END
    assert reason_to_end(session, later) is EndedWhy.REUSE


def test_a_lost_answer_is_given_again_however_late() -> None:
    """Ten minutes later, successor never seen: the same successor."""
    assert judge(_rotated(SESSION, NOW), 1, Millis(NOW + 600_000)) is Judgement.REPEAT


def test_two_tabs_may_ask_at_once() -> None:
    """Within the grace the parent works even though the successor was seen."""
    session = _seen(_rotated(SESSION, NOW))
    assert judge(session, 1, Millis(NOW + GRACE_MS - 1)) is Judgement.REPEAT
    assert judge(session, 1, Millis(NOW + GRACE_MS)) is Judgement.END


def test_time_ends_a_session_before_all_else() -> None:
    """Idle and over are told apart, and an ended session stays ended."""
    idle = Millis(NOW + 30 * DAY_MS)
    assert judge(SESSION, 1, idle) is Judgement.END
    assert reason_to_end(SESSION, idle) is EndedWhy.IDLE
    active = msgspec.structs.replace(SESSION, active_at=SESSION.ends_at)
    assert reason_to_end(active, SESSION.ends_at) is EndedWhy.OVER
    ended = msgspec.structs.replace(SESSION, ended_at=NOW)
    assert judge(ended, 1, NOW) is Judgement.ENDED


STEPS: Final = st.lists(
    st.tuples(st.sampled_from(("owner", "thief")), st.integers(GRACE_MS, 480_000)),
    min_size=2,
    max_size=12,
)


@settings(max_examples=200)
@given(STEPS)
def test_two_holders_of_one_family_are_always_found(
    steps: list[tuple[str, int]],
) -> None:
    """Owner and thief begin with one token and use what they get: once both have
    refreshed after the other did, further apart than the grace, the session has ended.
    """
    session, now, held = SESSION, int(NOW), {"owner": 1, "thief": 1}
    asked: set[str] = set()
    for who, pause in steps:
        now += pause
        asked.add(who)
        verdict = judge(session, held[who], Millis(now))
        if verdict is Judgement.END:
            return
        assert verdict is Judgement.ROTATE, "a used parent was accepted"
        session = _seen(_rotated(session, now))
        held[who] = session.generation
    assert len(asked) < 2


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(1, 600_000), st.booleans()), max_size=12))
def test_an_owner_alone_is_never_signed_out(steps: list[tuple[int, bool]]) -> None:
    """Whatever answers are lost, the only holder of a family always gets a token."""
    session, now, held = SESSION, int(NOW), 1
    for pause, lost in steps:
        now += pause
        verdict = judge(session, held, Millis(now))
        assert verdict in (Judgement.ROTATE, Judgement.REPEAT)
        if verdict is Judgement.ROTATE:
            session = _rotated(session, now)
        if not lost:
            held = session.generation
            session = _seen(session)
