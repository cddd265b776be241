"""What documents promise on every database, and on every store of blobs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from azure.storage.blob.aio import ContainerClient
from sqlalchemy import select, update

from actors.domain.ids import BookingId, ClinicId, Millis, PatientId, ProviderId
from actors.errors import Unavailable
from care.blobs.ports import Blobs
from care.keys.sealing import KeyEncryptionKeys
from care.patients.documents.judging import Judged, judge
from care.patients.documents.keeping import keep_part, new_document_id, read_file
from care.patients.documents.ports import JudgePorts, ReadFile
from care.patients.documents.sweeping import sweep, waiting
from care.patients.documents.values import (
    FILE_BYTES_MAX,
    JUDGE,
    Document,
    DocumentQuotas,
    DocumentState,
    FileFault,
    FileKind,
    KeptDocument,
    PatientGone,
    QuotaReached,
)
from care.privacy.requests import DAY_MS, Retention
from persistence.accounts.models import PatientRecord
from persistence.files.blobs.azure import OPTIONS, AzureBlobs
from persistence.files.blobs.folder import FolderBlobs
from persistence.files.documents.clamd import ClamdScanner
from persistence.jobs.models import JobRecord
from persistence.keys.ring import KeyRing
from persistence.patients.documents.store import SqlDocuments
from persistence.patients.store import SqlPatients
from persistence.privacy.retaining import REFUSED_DAYS, SqlRetention
from persistence.sql.records import Records
from tests import factories as make
from tests.fakes.clocks import SteppedClock
from tests.fixtures.azurite import AzuriteServer
from tests.fixtures.clamd import EICAR, ClamdServer
from tests.fixtures.read_model import empty_records

KEKS = KeyEncryptionKeys((("one", b"1" * 32),))
NOW = make.NOW
MIRA = PatientId("pat_1")
KEY = b"k" * 32
ROOM = DocumentQuotas(1_000, 10_000)
LONG_AFTER = Millis(1 << 45)


class Site:
    """Rows of one site, with a patient."""

    def __init__(self, records: Records) -> None:
        self.records, self.clock = records, SteppedClock(NOW)
        self.ring = KeyRing(records, KEKS, self.clock)
        self.rows = SqlDocuments(records, self.ring, self.clock)

    async def add(
        self, size: int = 10, quotas: DocumentQuotas = ROOM, **more: str
    ) -> KeptDocument:
        facts = {"clinic_id": "cln_1", "patient_id": MIRA, **more}
        document = Document(
            document_id=new_document_id(),
            patient_id=PatientId(facts["patient_id"]),
            booking_id=BookingId("bkg_1.one"),
            provider_id=ProviderId("prv_1"),
            clinic_id=ClinicId(facts["clinic_id"]),
            author="acc_1",
            by_staff=False,
            name="Überweisung.pdf",
            size=size,
            made_at=self.clock.now(),
        )
        await self.rows.add(document, KEY, quotas)
        found = await self.rows.find(document.document_id)
        assert found is not None
        assert (found.document, found.key) == (document, KEY)
        return found

    async def state(self, kept: KeptDocument) -> DocumentState | None:
        found = await self.rows.find(kept.document.document_id)
        return None if found is None else found.document.state


@pytest.fixture(params=("sqlite", "asyncmy"))
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    async with opened(request, request.param, tmp_path) as made:
        yield made


@asynccontextmanager
async def opened(
    request: pytest.FixtureRequest, kind: str, path: Path
) -> AsyncIterator[Site]:
    """Records of this kind with patients 1 and 2."""
    records = Records(empty_records(kind, request, path))
    try:
        site = Site(records)
        patients = SqlPatients(records, site.ring)
        for number in (1, 2):
            await patients.salt_of(PatientId(f"pat_{number}"), now=NOW)
        yield site
    finally:
        await records.close()


async def test_a_document_goes_through_its_states_once(site: Site) -> None:
    """Each change has one winner, whatever comes twice or late; the job that judges is
    there with the last byte, and not before."""
    kept = await site.add()
    half = await site.rows.extend(kept, "a", 4, now=NOW)
    assert half is not None
    assert await site.rows.extend(kept, "b", 4, now=NOW) is None, "it went on"
    one = half.document.document_id
    assert not await site.rows.release(one, "x", FileKind.PDF, 9, "x.pdf")
    assert not await site.rows.refuse(one, FileFault.KIND)
    assert await _jobs(site) == []
    ends = await asyncio.gather(
        *(site.rows.extend(half, token, 6, now=NOW) for token in ("c", "d"))
    )
    (whole,) = [end for end in ends if end is not None]
    assert await site.rows.find(one) == whole
    assert whole.document.state is DocumentState.QUARANTINED
    assert await _jobs(site) == [(JUDGE, one)]
    assert await site.rows.extend(whole, "e", 1, now=NOW) is None
    done = await asyncio.gather(
        site.rows.release(one, "x", FileKind.JPEG, 9, "Überweisung.jpg"),
        site.rows.refuse(one, FileFault.KIND),
    )
    assert sorted(done) == [False, True]
    found = await site.rows.find(one)
    assert found is not None
    assert found.document.state in (DocumentState.AVAILABLE, DocumentState.REFUSED)
    assert await site.rows.remove(one)
    assert not await site.rows.remove(one)


async def _jobs(site: Site) -> list[tuple[str, str]]:
    async with site.records.reading() as session:
        found = await session.execute(select(JobRecord.kind, JobRecord.key))
        return [(kind, key) for kind, key in found.all()]


async def test_of_two_documents_the_last_room_is_for_one(site: Site) -> None:
    """Of one patient at once; a clinic's room is counted over its patients, and what
    was refused takes none."""
    room = DocumentQuotas(15, 25)
    both = await asyncio.gather(
        *(site.add(10, room) for _ in range(2)), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in both) == [
        "KeptDocument",
        "QuotaReached",
    ]
    (kept,) = [one for one in both if isinstance(one, KeptDocument)]
    await site.add(10, room, patient_id="pat_2")
    with pytest.raises(QuotaReached) as full:
        await site.add(6, DocumentQuotas(100, 25))
    assert full.value.of_clinic
    await site.add(6, DocumentQuotas(100, 25), clinic_id="cln_2")
    whole = await site.rows.extend(kept, "a", 10, now=NOW)
    assert whole is not None
    await site.rows.refuse(kept.document.document_id, FileFault.KIND)
    await site.add(6, DocumentQuotas(100, 25))


async def test_an_erased_patient_has_no_documents(site: Site) -> None:
    """Without the salt neither name nor key opens, and nothing is added."""
    kept = await site.add()
    erased = update(PatientRecord).where(PatientRecord.patient_id == MIRA)
    async with site.records.writing() as session:
        await session.execute(erased.values(key_salt=None, erased_at=NOW))
    assert await site.rows.find(kept.document.document_id) is None
    assert await site.rows.of_booking(kept.document.booking_id) == []
    with pytest.raises(PatientGone):
        await site.add()
    with pytest.raises(PatientGone):
        await site.add(patient_id="pat_none")


async def test_documents_go_when_their_time_is_over(site: Site) -> None:
    """All of them after their days, those that were refused after a month; none of a
    patient whose records the law requires to be kept, until that is over."""
    kept, refused = await site.add(), await site.add()
    held = await site.add(patient_id="pat_2")
    by_law = update(PatientRecord).where(PatientRecord.patient_id == "pat_2")
    async with site.records.writing() as session:
        until = by_law.values(hold_until=NOW + 110 * DAY_MS)
        await session.execute(until)
    whole = await site.rows.extend(refused, "a", 10, now=NOW)
    assert whole is not None
    await site.rows.refuse(refused.document.document_id, FileFault.KIND)
    retention = SqlRetention(site.records, Retention(documents=100))
    gone = []
    for days in (REFUSED_DAYS, REFUSED_DAYS + 1, 100, 101, 110):
        now = Millis(NOW + days * DAY_MS)
        gone.append((await retention.apply(now=now))["document"])
        if days == 101:
            assert await site.state(held) is DocumentState.RECEIVING
    assert gone == [0, 1, 0, 1, 1]
    assert await site.state(kept) is None


@pytest.fixture(scope="module")
def servers(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, AzuriteServer]]:
    """Azurite, started by the test that needs it."""
    started: dict[str, AzuriteServer] = {}
    yield started
    for server in started.values():
        server.stop()


@pytest.fixture
def clamd(tmp_path: Path) -> Iterator[ClamdServer]:
    with ClamdServer(tmp_path / "clamd") as server:
        yield server


async def test_the_real_clamd_knows_malware(clamd: ClamdServer) -> None:
    """EICAR's file is found, another is not, also one of the largest that are taken;
    what is longer than clamd takes is not clean; gone, it is away."""
    scanner = ClamdScanner(str(clamd.address))
    await scanner.ping()
    assert not await scanner.is_clean(EICAR)
    assert await scanner.is_clean(EICAR[:-1])
    assert await scanner.is_clean(os.urandom(FILE_BYTES_MAX))
    with pytest.raises(Unavailable):
        await scanner.is_clean(bytes(30_000_000))
    clamd.stop()
    with pytest.raises(Unavailable):
        await scanner.is_clean(b"x")


class AsItIs:
    """Takes every file for a PDF."""

    async def read(self, content: bytes) -> ReadFile:
        return ReadFile(FileKind.PDF, content)


@pytest.fixture(params=("folder", "azure"))
async def blobs(
    request: pytest.FixtureRequest,
    servers: dict[str, AzuriteServer],
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Blobs]:
    """An empty store of each kind."""
    if request.param == "folder":
        yield FolderBlobs(tmp_path / "blobs")
        return
    servers["blob"] = AzuriteServer(tmp_path_factory.mktemp("azurite"))
    servers["blob"].start()
    place = servers["blob"].connection_string
    client = ContainerClient.from_connection_string(place, "papers", **OPTIONS)
    store = AzureBlobs(client, "site-1")
    yield store
    await store.close()


async def test_files_are_kept_and_swept_on_every_store(
    request: pytest.FixtureRequest, blobs: Blobs, tmp_path: Path
) -> None:
    """Handed in by parts, judged, read back; a row that is gone leaves no blob, and a
    blob with a row is never swept."""
    async with opened(request, "sqlite", tmp_path) as site:
        content = bytes(i % 251 for i in range(3_000_000))
        kept = await site.add(len(content), DocumentQuotas())
        for start in (0, 1_000_000, 2_000_000):
            part = content[start : start + 1_000_000]
            token = await keep_part(blobs, kept, part)
            after = await site.rows.extend(kept, token, len(part), now=NOW)
            assert after is not None
            kept = after
        lost = await site.add(10, DocumentQuotas())
        await keep_part(blobs, lost, b"x" * 10)
        swept = await sweep(blobs, site.rows, NOW)
        assert (swept.abandoned, swept.unused) == (0, 0)
        swept = await sweep(blobs, site.rows, LONG_AFTER)
        assert (swept.abandoned, swept.unused) == (1, 1)
        one = kept.document.document_id
        assert list(await waiting(site.rows, LONG_AFTER)) == [one]
        ports = JudgePorts(site.rows, blobs, AsItIs())
        assert await judge(ports, one) is Judged.AVAILABLE
        found = await site.rows.find(one)
        assert found is not None
        async with read_file(blobs, found) as pieces:
            assert b"".join([piece async for piece in pieces]) == content
        assert (await sweep(blobs, site.rows, LONG_AFTER)).unused == 0
        assert len([blob async for blob in blobs.list("documents/")]) == 1
        await site.rows.remove(one)
        assert (await sweep(blobs, site.rows, LONG_AFTER)).unused == 1
