"""Which topics a process keeps, for whom, and which go first."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actors.domain.ids import Millis, ProviderId
from actors.errors import Overloaded
from gateway.access.tokens import Caller, Role
from gateway.config import GatewayConfig, LiveSettings
from gateway.http.limits import RateLimits
from gateway.live.core.frames import NOWHERE
from gateway.live.core.topic_names import (
    BadTopic,
    TopicName,
    me_topic,
    schedule_topic,
    slots_topic,
)
from gateway.live.sessions.topic_limits import PRIVATE_PART, TopicRoom, check_week
from gateway.live.topics.hub import FORGET_MS, Hub
from gateway.live.topics.watcher import Watcher
from gateway.wire.errors import TooManyRequests
from gateway.wire.problems import problem
from tests.fakes.clocks import SteppedClock
from tests.unit.gateway.live.stage import (
    CONSULT,
    PROVIDER,
    TODAY,
    WEEK,
    PageWriter,
    a_hub,
    a_view,
    read,
)

HERE = "10.0.0.1"


def a_room(**settings: Any) -> tuple[TopicRoom, Hub, SteppedClock]:
    hub, clock = a_hub(), SteppedClock(TODAY)
    return TopicRoom(hub, LiveSettings(**settings), clock), hub, clock


def topic(number: int) -> TopicName:
    return slots_topic(ProviderId(f"prv_{number}"), CONSULT, "2026-W49")


def is_taken(
    room: TopicRoom, name: TopicName, caller: Caller | None = None, address: str = HERE
) -> bool:
    try:
        room.take(name, caller, address)
    except (Overloaded, TooManyRequests):
        return False
    return True


def test_an_address_and_a_person_have_a_cap_on_topics_that_are_new() -> None:
    """A topic that is watched already is not charged; forgetting it frees its place."""
    room, hub, _ = a_room(topics_per_address_max=3, topics_per_person_max=2)
    one = Caller(Role.PATIENT, "pat_1", TODAY)
    assert is_taken(room, topic(0), one)
    assert is_taken(room, topic(1), one)
    assert not is_taken(room, topic(2), one)
    assert is_taken(room, topic(2))
    assert not is_taken(room, topic(3))
    assert is_taken(room, topic(1)), "it is kept already"
    assert is_taken(room, topic(3), address="10.0.0.2")
    for private in (me_topic("pat_1"), schedule_topic(PROVIDER)):
        assert is_taken(room, private, one)
    hub.tick(Millis(TODAY + FORGET_MS))
    assert not hub.index.boards
    assert not room.counts


def test_some_room_is_kept_for_private_topics() -> None:
    """However many public ones are watched."""
    most = 2 * PRIVATE_PART
    room, hub, _ = a_room(topics_max=most)
    watcher = Watcher(PageWriter())
    watched = 0
    for number in range(most):
        if is_taken(room, topic(number), address=f"10.0.0.{number}"):
            hub.subscribe(watcher, topic(number), None, TODAY)
            watched += 1
    assert watched == most - most // PRIVATE_PART
    for name in (me_topic("pat_1"), schedule_topic(PROVIDER)):
        room.take(name, None, HERE)
        hub.subscribe(watcher, name, None, TODAY)
    assert len(hub.index.boards) == most
    assert not is_taken(room, me_topic("pat_2"))


def test_the_topic_unwatched_for_longest_makes_room() -> None:
    """At once, and watched ones stay."""
    room, hub, clock = a_room(topics_max=10)
    watcher = Watcher(PageWriter())
    for number in range(9):
        room.take(topic(number), None, HERE)
        hub.subscribe(watcher, topic(number), None, clock.now())
    assert not is_taken(room, topic(9))
    for number in (4, 2):
        hub.unsubscribe(watcher, topic(number).wire, clock.now())
    room.take(topic(9), None, HERE)
    hub.subscribe(watcher, topic(9), None, clock.now())
    assert topic(4).key not in hub.index.boards
    assert topic(2).key in hub.index.boards
    hub.subscribe(watcher, topic(2), NOWHERE, clock.now())
    assert not is_taken(room, topic(4))
    assert len(hub.index.boards) == 9


@pytest.mark.parametrize(
    ("week", "is_kept"),
    [
        ("2026-W47", False),
        ("2026-W48", True),
        ("2026-W49", True),
        ("2027-W52", True),
        ("2028-W23", True),
        ("2028-W24", False),
        ("9999-W01", False),
    ],
)
def test_only_weeks_that_could_be_offered_are_topics(week: str, is_kept: bool) -> None:
    """From the week before to the longest horizon (550 days) and a week more."""
    name = slots_topic(PROVIDER, CONSULT, week)
    if is_kept:
        check_week(name, TODAY)
    else:
        with pytest.raises(BadTopic, match="between 2026-W48 and 2028-W23"):
            check_week(name, TODAY)


async def test_a_topic_is_known_once_it_was_read() -> None:
    """Refused: why. Loaded: nothing to say. Meanwhile it is not thought unwatched."""
    room, hub, _ = a_room()
    good, lost = room.take(WEEK, None, HERE), room.take(topic(404), None, HERE)
    asking = asyncio.ensure_future(room.unknown([good, lost]))
    await asyncio.sleep(0)
    assert not hub.forget_oldest()
    hub.take_wanted()
    assert hub.loaded(good, a_view(5), TODAY)
    assert not asking.done()
    why = problem("provider_not_found")
    hub.refused(lost, why)
    assert await asking == {lost: why}
    assert hub.forget_oldest()
    assert not hub.forget_oldest()


async def test_a_read_that_takes_long_holds_no_answer_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is known then, and the topic comes when it comes."""
    monkeypatch.setattr("gateway.live.sessions.topic_limits.KNOWN_S", 0.01)
    room, hub, _ = a_room()
    board = room.take(WEEK, None, HERE)
    assert await room.unknown([board]) == {}
    assert not board.asked
    read(hub, a_view(5))
    assert board.loaded


def test_each_topic_takes_a_token() -> None:
    """A burst, then so many a second, for an address and for a person apart."""
    now = [0.0]
    config = GatewayConfig(token_keys=(b"k" * 32,), topic_rate_per_s=10, topic_burst=20)
    limits = RateLimits(config, lambda: now[0])
    limits.admit_topics(None, HERE, 20)
    with pytest.raises(TooManyRequests) as found:
        limits.admit_topics(None, HERE, 5)
    assert found.value.retry_after_s == pytest.approx(0.5)
    limits.admit_topics(Caller(Role.PATIENT, "pat_1", TODAY), HERE, 20)
    now[0] = 0.5
    limits.admit_topics(None, HERE, 5)
