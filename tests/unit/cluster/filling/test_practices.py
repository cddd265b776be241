"""The list of practices: what becomes a clinic, what is skipped, what is bad."""

from datetime import date
from pathlib import Path

import pytest

from actors.domain.rules import Clinic
from cluster.filling.practices import (
    COLUMNS,
    GIVEN_UP_AFTER,
    OtherFile,
    Reading,
    read_practices,
)

SAMPLES = Path(__file__).parents[3] / "samples"
DAY = date(2026, 12, 1)


def read(name: str) -> tuple[list[Clinic], Reading]:
    reading = Reading()
    with (SAMPLES / name).open("rb") as file:
        return list(read_practices(file, DAY, reading)), reading


def test_open_practices_become_clinics_with_their_own_words() -> None:
    """A clinic's name, address, town, postcode and phone are the file's."""
    clinics, reading = read("practices_good.csv")
    assert reading.bad == []
    assert [clinic.clinic_id for clinic in clinics] == [
        "cln_X90001",
        "cln_X90002",
        "cln_X90006",
    ]
    assert clinics[0] == Clinic(
        clinic_id=clinics[0].clinic_id,
        name="MILL POND SURGERY",
        time_zone="Europe/London",
        address="MILL POND HOUSE, 2 MILL LANE, LITTLE HARBOUR, OLDSHIRE",
        city="LITTLE HARBOUR",
        postcode="LH1 2AB",
        country="GB",
        phone="01999 100001",
    )


def test_a_comma_inside_quotes_is_part_of_the_name() -> None:
    """Quoting is respected."""
    clinics, _ = read("practices_good.csv")
    assert clinics[2].name == "SALTMARSH SURGERY, NORTH"


def test_closed_dormant_and_proposed_practices_are_counted_not_taken() -> None:
    """Every row is accounted for: taken, skipped with a reason, or bad."""
    clinics, reading = read("practices_good.csv")
    assert reading.rows == 6
    assert dict(reading.skipped) == {"closed": 1, "dormant": 1, "not open yet": 1}
    assert len(clinics) + reading.skipped.total() + len(reading.bad) == reading.rows


def test_bad_rows_are_told_by_line_and_reason_and_stop_nothing() -> None:
    """The last row is read although most before it are bad."""
    clinics, reading = read("practices_bad.csv")
    assert [clinic.clinic_id for clinic in clinics] == ["cln_X91001", "cln_X91020"]
    reasons = dict(reading.bad)
    expected = {
        2: "26 columns",
        3: "28 columns",
        4: "not a practice code",
        5: "name is empty",
        6: "not a date",
        7: "not a date",
        8: "before it opened",
        9: "status 'Q'",
        10: "line 1 already",
        11: "not UTF-8",
        12: "201 characters",
        13: "NUL",
        14: "control character",
        15: "not a postcode",
        16: "not a telephone number",
        17: "CSV",
        19: "bytes",
    }
    assert reasons.keys() == expected.keys()
    for line, words in expected.items():
        assert words in reasons[line], (line, reasons[line])
    assert reading.rows == 19  # line 18 is empty, and no row


def test_an_open_date_to_come_is_not_open_yet() -> None:
    """An active practice that opens later is skipped until then."""
    fields = [""] * COLUMNS
    fields[0], fields[1], fields[10], fields[12] = "X92001", "LATER", "20270101", "A"
    line = ",".join(f'"{field}"' for field in fields).encode()
    early, late = Reading(), Reading()
    assert list(read_practices([line], DAY, early)) == []
    assert early.skipped["not open yet"] == 1
    assert len(list(read_practices([line], date(2027, 1, 1), late))) == 1


def test_another_file_is_given_up_at_its_beginning() -> None:
    """Twenty bad rows and no good one: it stops there and says what is wrong first."""
    reading = Reading()
    lines = iter([b"a,b,c\n"] * 39_597)
    with pytest.raises(OtherFile, match=f"line 1: 3 columns instead of {COLUMNS}"):
        list(read_practices(lines, DAY, reading))
    assert reading.rows == GIVEN_UP_AFTER
    assert len(list(lines)) == 39_597 - GIVEN_UP_AFTER


def test_bad_rows_after_a_good_one_stop_nothing() -> None:
    """A list with many bad rows is still a list: each is counted."""
    good = (SAMPLES / "practices_good.csv").read_bytes().splitlines()[0]
    reading = Reading()
    list(read_practices([good, *[b"a,b,c"] * 100], DAY, reading))
    assert (reading.rows, len(reading.bad)) == (101, 100)
