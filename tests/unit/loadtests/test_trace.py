"""Reading booking traces: every row becomes a visit or a bad row with a reason."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from loadtests.replay.trace import COLUMNS, NotATrace, Visit, generate, read, shift_to

SAMPLE = Path(__file__).parents[2] / "samples" / "trace_sample.csv"
REAL = Path(__file__).parents[4] / "shared" / "data" / "noshowappointments.csv"


def a_visit(day: date) -> Visit:
    return Visit(2, "1", "1", datetime(2024, 1, 1, tzinfo=UTC), day, "HERE", True)


def test_the_sample_is_what_our_generator_makes(tmp_path: Path) -> None:
    """The sample in the repository is our own: the generator makes it again."""
    made = tmp_path / "made.csv"
    generate(made, rows=200, seed=1)
    assert made.read_bytes() == SAMPLE.read_bytes()


def test_every_row_of_the_sample_is_a_visit() -> None:
    """The sample's rows are read whole."""
    visits, bad = read(SAMPLE)
    assert (len(visits), bad) == (200, [])
    assert len({visit.number for visit in visits}) == 200


def test_bad_rows_are_named_by_line_and_do_not_stop_the_rest(tmp_path: Path) -> None:
    """A row that makes no sense is reported by line; the others are read."""
    path = tmp_path / "trace.csv"
    good = "29872499824296.0,1,2016-04-29 18:38:08,2016-04-29,CENTRO,No"
    rows = [
        ",".join(COLUMNS),
        good,
        "x,2,2016-04-29 18:38:08,2016-04-29,CENTRO,No",
        "1.0,3,yesterday,2016-04-29,CENTRO,No",
        "1.0,4,2016-04-29 18:38:08,2016-13-29,CENTRO,No",
        "1.0,5,2016-04-29 18:38:08,2016-04-29,CENTRO,Maybe",
        "1.0,,2016-04-29 18:38:08,2016-04-29,CENTRO,Yes",
        "nan",
        good.replace(",1,", ",7,"),
    ]
    path.write_text("\n".join(rows) + "\n")
    visits, bad = read(path)
    assert [visit.line for visit in visits] == [2, 9]
    assert [row.line for row in bad] == [3, 4, 5, 6, 7, 8]
    assert all(row.reason for row in bad)


def test_patient_numbers_written_as_floats_stay_whole(tmp_path: Path) -> None:
    """A patient's number is the same however large, and a fraction is kept."""
    path = tmp_path / "trace.csv"
    path.write_text(
        ",".join(COLUMNS)
        + "\n29872499824296.0,1,2016-04-29 18:38:08,2016-04-29,A,No"
        + "\n93779.52927,2,2016-04-29 18:38:08,2016-04-29,A,No\n"
    )
    visits, _ = read(path)
    assert [visit.patient for visit in visits] == ["29872499824296", "93779-52927"]


def test_a_file_without_the_columns_is_refused(tmp_path: Path) -> None:
    """The missing columns are named."""
    path = tmp_path / "trace.csv"
    path.write_text("PatientId,AppointmentID\n1,2\n")
    with pytest.raises(NotATrace, match="ScheduledDay, AppointmentDay"):
        read(path)


@pytest.mark.parametrize("first", [date(2026, 12, 1) + timedelta(n) for n in range(8)])
def test_the_trace_moves_by_whole_weeks_to_the_first_day_or_after(first: date) -> None:
    """Weekdays stay, and no visit falls before the first day asked for."""
    earliest = date(2016, 4, 29)
    shift = shift_to([a_visit(earliest), a_visit(date(2016, 5, 31))], first)
    assert shift.days % 7 == 0
    assert first <= earliest + shift < first + timedelta(days=7)


@pytest.mark.skipif(not REAL.exists(), reason="the published trace is not here")
def test_the_published_trace_is_read_whole() -> None:
    """39,596 rows, none bad, 20.6 % of them not shown."""
    visits, bad = read(REAL)
    assert (len(visits), bad) == (39_596, [])
    missed = sum(not visit.showed for visit in visits)
    assert round(100 * missed / len(visits), 1) == 20.6
