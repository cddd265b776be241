"""Times in buckets: percentiles as of the values themselves, added up in any order."""

import pytest

from loadtests.histogram import Timing, bucket_of, ms_of, timing_of_many
from loadtests.load.tally import Tally


@pytest.mark.parametrize("ms", [0.02, 0.5, 1.0, 7.3, 99.0, 2_310.0, 60_000.0])
def test_a_bucket_is_within_two_per_cent_of_what_is_in_it(ms: float) -> None:
    assert ms_of(bucket_of(ms)) == pytest.approx(ms, rel=0.02)


def test_percentiles_are_those_of_the_values() -> None:
    """Of 1 to 1,000 ms, half are within 500 and 99 per cent within 990."""
    timing = Timing()
    for ms in range(1, 1_001):
        timing.took(ms)
    assert timing.percentile(50) == pytest.approx(500, rel=0.02)
    assert timing.percentile(99) == pytest.approx(990, rel=0.02)
    assert timing.percentile(100) == pytest.approx(1_000, rel=0.02)


def test_no_percentile_is_beyond_the_greatest_value() -> None:
    timing = Timing()
    timing.took(10.0)
    assert timing.percentile(99) == pytest.approx(10.0, rel=0.02)
    assert (timing.percentile(99) or 0) <= 10.0


def test_what_has_no_length_is_counted_and_not_timed() -> None:
    timing = Timing()
    timing.took(None)
    assert timing.count == 1
    assert timing.percentile(50) is None


def test_many_at_once_are_as_one_by_one() -> None:
    values = [0.001, 0.4, 3.0, 3.01, 250.0, 9_999.0]
    singly = Timing()
    for ms in values:
        singly.took(ms)
    together = timing_of_many(values, 2)
    assert together.buckets == singly.buckets
    assert (together.count, together.max_ms) == (singly.count + 2, singly.max_ms)


def test_processes_add_up() -> None:
    """What two processes drained, as messages, is what one would have counted."""
    whole, first, second = Tally(), Tally(), Tally()
    for tally, offset in ((first, 0), (second, 3)):
        for number in range(20):
            for one in (whole, tally):
                one.took("booking", 5.0 + number + offset, number, failed=number == 7)
        tally.ended("booking", "201")
        whole.ended("booking", "201")
    merged = Tally()
    merged.add(first.drain())
    merged.add(second.drain())
    assert merged.document() == whole.document()
    assert first.document() == Tally().document(), "drained once, it is empty"
