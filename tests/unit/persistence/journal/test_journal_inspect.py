"""Looking at a journal: what verify counts and finds, what show lets people see."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.domain.ids import ProviderId, ShardId
from persistence.files.disk import SystemDisk
from persistence.journal.files.inspect import show, verify
from persistence.journal.files.wal import Limits, Wal
from tests.fixtures.events import PATIENT, PROVIDER, booked, one_of_each, tiny

SHARD = ShardId("s0000")
SMALL = Limits(segment_bytes=2048, grow_bytes=1024)


def _write(root: Path, shard: str = SHARD) -> Wal:
    wal = Wal(SystemDisk(), f"{root}/{shard}", shard, limits=SMALL)
    seq, epoch = 0, wal.seal().epoch
    for number in range(1, 41):
        seq = wal.append(epoch, seq, [booked(number, "Rash"), tiny(number)])
    return wal


def _segments(root: Path) -> list[Path]:
    return sorted((root / SHARD).glob("*.wal"))


def _spoil(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 4
    path.write_bytes(data)


def test_a_sound_journal(tmp_path: Path) -> None:
    """While a writer has it open, every record is counted and nothing is found."""
    wal = _write(tmp_path)
    (tmp_path / "notes.txt").write_text("not a shard")
    (report,) = verify(tmp_path)
    assert report.is_sound
    assert (report.records, report.first_seq, report.last_seq) == (80, 1, 80)
    assert (report.first_epoch, report.last_epoch) == (1, 1)
    assert report.segments == len(_segments(tmp_path)) > 2
    assert report.torn_bytes == 0
    wal.close()


@pytest.mark.parametrize("segment", [0, 1, -1])
def test_a_wrong_bit_is_found(tmp_path: Path, segment: int) -> None:
    """Damage in any segment is reported with its file and offset."""
    _write(tmp_path).close()
    path = _segments(tmp_path)[segment]
    _spoil(path, 700)
    (report,) = verify(tmp_path)
    assert not report.is_sound
    assert path.name in report.damage
    assert "at byte" in report.damage


def test_a_missing_segment_is_found(tmp_path: Path) -> None:
    """A segment taken away from the middle is named."""
    _write(tmp_path).close()
    path = _segments(tmp_path)[1]
    path.unlink()
    (report,) = verify(tmp_path)
    assert path.name in report.damage


def test_a_lost_journal_is_found(tmp_path: Path) -> None:
    """A shard whose segments are all gone is not passed over."""
    _write(tmp_path).close()
    for path in _segments(tmp_path):
        path.unlink()
    (report,) = verify(tmp_path)
    assert "missing" in report.damage


def test_a_torn_tail_is_no_damage(tmp_path: Path) -> None:
    """What an unfinished append left is counted; the next start cuts it."""
    _write(tmp_path).close()
    path = _segments(tmp_path)[-1]
    data = path.read_bytes().rstrip(b"\0")
    path.write_bytes(data.ljust(len(data) + 8, b"\0") + b"torn")
    (report,) = verify(tmp_path)
    assert report.is_sound
    assert report.records == 80
    assert report.torn_bytes > 0


def test_show_hides_patients(tmp_path: Path) -> None:
    """Who the patient is and why they come is shown only when asked for."""
    _write(tmp_path).close()
    hidden = list(show(tmp_path, limit=3))
    assert [(line["seq"], line["event"]) for line in hidden] == [
        (1, "SlotBooked"),
        (2, "WindowAdvanced"),
        (3, "SlotBooked"),
    ]
    assert PATIENT not in repr(hidden)
    assert "Rash" not in repr(hidden)
    (line,) = show(tmp_path, limit=1, personal=True)
    assert (line["patient_id"], line["reason"]) == (PATIENT, "Rash")


def test_show_chooses(tmp_path: Path) -> None:
    """Records can be chosen by shard, provider, place and number."""
    _write(tmp_path).close()
    _write(tmp_path, "s0001").close()
    assert len(list(show(tmp_path, limit=1000))) == 160
    assert len(list(show(tmp_path, shard=SHARD, limit=1000))) == 80
    chosen = show(tmp_path, shard=SHARD, provider=PROVIDER, after_seq=70, limit=1000)
    assert [line["seq"] for line in chosen] == [71, 73, 75, 77, 79]
    assert not list(show(tmp_path, provider=ProviderId("prv_none"), limit=5))


def test_every_event_can_be_shown(tmp_path: Path) -> None:
    """No event type is beyond showing, nested rules and leave included."""
    wal = Wal(SystemDisk(), f"{tmp_path}/{SHARD}", SHARD)
    wal.append(wal.seal().epoch, 0, list(one_of_each().values()))
    wal.close()
    lines = list(show(tmp_path))
    assert [line["event"] for line in lines] == list(one_of_each())
    assert "Holiday" not in repr(lines)
