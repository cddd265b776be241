"""When too many keys are remembered, refusals make way before bookings do."""

from actors.domain.calendar.remembered import Remembered
from actors.domain.ids import Millis, ProviderId
from actors.domain.messages.answers import Done
from actors.domain.messages.refusals import Refusal, RefusalCode
from actors.domain.rules import Policy

NO = Refusal(RefusalCode.SLOT_UNAVAILABLE)
YES = Done(ProviderId("prv_1"), 1, 1)


def test_crowd_of_refusals_does_not_push_out_a_booking() -> None:
    """Who got a slot and lost the answer hears it again, however many came after."""
    remembered = Remembered(Policy(keys_max=64))
    remembered.put("winner", (1, Millis(1_000), YES))
    for number in range(1_000):
        remembered.put(f"loser-{number}", (2, Millis(1_001 + number), NO))
    assert remembered.entries["winner"] == (1, Millis(1_000), YES)
    assert "loser-999" in remembered.entries
    assert "loser-0" not in remembered.entries
    assert len(remembered.entries) <= 64


def test_bound_holds_for_bookings_too() -> None:
    """Where all are bookings the oldest leave first."""
    remembered = Remembered(Policy(keys_max=64))
    for number in range(1_000):
        remembered.put(f"one-{number}", (2, Millis(1_000 + number), YES))
    assert len(remembered.entries) <= 64
    assert "one-999" in remembered.entries
    assert "one-0" not in remembered.entries


def test_newest_answer_stays_whatever_it_is() -> None:
    """The answer just given is remembered, though it is the only refusal."""
    remembered = Remembered(Policy(keys_max=64))
    for number in range(64):
        remembered.put(f"one-{number}", (2, Millis(1_000 + number), YES))
    remembered.put("no", (2, Millis(2_000), NO))
    assert "no" in remembered.entries
