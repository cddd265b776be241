"""Keys are kept long enough, and not for ever."""

from __future__ import annotations

from actors.domain.calendar.remembered import Remembered
from actors.domain.ids import Millis
from actors.domain.messages.refusals import Refusal, RefusalCode
from actors.domain.rules import Policy

ANSWER = Refusal(RefusalCode.SLOT_UNAVAILABLE)


def remembered(count: int, every_ms: int, policy: Policy) -> Remembered:
    kept = Remembered(policy)
    for number in range(count):
        kept.put(f"k{number}", (0, Millis(number * every_ms), ANSWER))
    return kept


def test_a_key_is_kept_for_the_retention() -> None:
    """At least so long, and a sixteenth longer at most."""
    kept = remembered(1_000, 1, Policy(key_retention_ms=160))
    ages = [999 - entry[1] for entry in kept.entries.values()]
    assert 160 <= max(ages) <= 170


def test_the_oldest_leave_first_when_there_are_too_many() -> None:
    """The bound holds after every key."""
    kept = remembered(10, 1, Policy(keys_max=3))
    assert list(kept.entries) == ["k7", "k8", "k9"]


def test_a_restored_memory_forgets_as_the_first_would() -> None:
    """Forgetting depends on what is kept alone."""
    policy = Policy(key_retention_ms=160)
    first = remembered(100, 1, policy)
    second = Remembered(policy)
    second.restore(dict(first.entries))
    for number in range(100, 400):
        for kept in (first, second):
            kept.put(f"k{number}", (0, Millis(number), ANSWER))
        assert first.entries == second.entries


def test_all_may_be_forgotten() -> None:
    """After a bound of nothing, nothing is kept, and the next key is welcome."""
    kept = remembered(3, 1, Policy(keys_max=0))
    assert kept.entries == {}
    restored = Remembered(Policy())
    restored.restore({})
    restored.put("k", (0, Millis(5), ANSWER))
    assert list(restored.entries) == ["k"]


def test_the_first_answer_after_the_clock_was_corrected_is_remembered() -> None:
    """A journal ahead of the clock counts as of now, and nothing new is lost."""
    kept = Remembered(Policy())
    kept.put("ahead", (0, Millis(10_000_000), ANSWER))
    kept.put("now", (0, Millis(1_000), ANSWER))
    assert {key: entry[1] for key, entry in kept.entries.items()} == {
        "ahead": 1_000,
        "now": 1_000,
    }
