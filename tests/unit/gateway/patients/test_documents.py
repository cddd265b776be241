"""Documents of patients over HTTP: handed in, judged, read, removed, and by whom.

One file because every test begins with the same visit and its people.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from PIL import Image
from starlette.requests import ClientDisconnect
from structlog.testing import capture_logs

from actors.domain.ids import Millis, PatientId
from actors.errors import Unavailable
from care.blobs.ports import one_piece
from care.patients.documents.judging import Judged, judge
from care.patients.documents.ports import DocumentPorts, JudgePorts, ReadFile
from care.patients.documents.sweeping import LEFT_MS, sweep, waiting
from care.patients.documents.values import (
    FILE_BYTES_MAX,
    PART_BYTES,
    DocumentQuotas,
    FileFault,
    FileKind,
    FileRefused,
)
from gateway.patients.documents import files
from gateway.patients.documents import service as limits
from gateway.patients.documents.links import LINK_MS
from gateway.wire.errors import InvalidRequest
from persistence.files.documents.reading import ChildFileReader
from persistence.files.pictures.reencoding import ChildPictures
from tests.fakes.api import Api, slot
from tests.fakes.audit import MemorySpool
from tests.fixtures.accounts import account_api, code_of, signed
from tests.fixtures.documents import a_pdf, a_photo, begin, send

MIRA = "pat_1"
LONG_AFTER = Millis(1 << 45)
"""Blobs have the file system's instants, not those of a test."""


class Scene:
    """A visit of patient 1 at provider 1 of clinic 1."""

    def __init__(self, api: Api, spool: MemorySpool, booking: str) -> None:
        self.api, self.spool, self.booking = api, spool, booking
        self.mira = signed(api, "patient", MIRA)
        self.doctor = signed(api, "doctor", "prv_1", "acc_doctor")
        self.staff = signed(api, "staff", "cln_1", "acc_staff")
        self.scanner = FakeScanner()

    @property
    def ports(self) -> DocumentPorts:
        assert self.api.ports.documents is not None
        return self.api.ports.documents

    @property
    def judging(self) -> JudgePorts:
        return JudgePorts(self.ports.rows, self.ports.blobs, AsItIs(), self.scanner)

    async def get(self, path: str, auth: dict[str, str]) -> Any:
        return await self.api.client.get(path, headers=auth)

    async def begun(self, size: int, auth: dict[str, str] | None = None) -> str:
        made = await begin(self.api, auth or self.mira, self.booking, size)
        assert made.status_code == 201, made.text
        return str(made.json()["document_id"])

    async def handed_in(
        self, content: bytes = b"a file", auth: dict[str, str] | None = None
    ) -> str:
        """A document in quarantine."""
        document = await self.begun(len(content), auth)
        sent = await send(self.api, auth or self.mira, document, content)
        assert sent.status_code == 200, sent.text
        assert sent.json()["state"] == "quarantined"
        return document

    async def available(
        self, content: bytes = b"a file", auth: dict[str, str] | None = None
    ) -> str:
        document = await self.handed_in(content, auth)
        assert await judge(self.judging, document) is Judged.AVAILABLE
        return document

    async def blobs(self) -> list[str]:
        found = [one async for one in self.ports.blobs.list("documents/")]
        return sorted(one.name for one in found)


class FakeScanner:
    """Knows one file, and may be away."""

    is_away = False

    async def is_clean(self, content: bytes) -> bool:
        if self.is_away:
            raise Unavailable("the scanner is away")
        return content != b"malware"


class AsItIs:
    """Takes every file for a PDF, but a broken one."""

    async def read(self, content: bytes) -> ReadFile:
        if content == b"broken":
            raise FileRefused(FileFault.DAMAGED)
        return ReadFile(FileKind.PDF, content)


@pytest.fixture
async def scene(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Scene]:
    spool = MemorySpool()
    more = {"audit_spool": spool}
    async with account_api(request, tmp_path, public_url="", more_ports=more) as opened:
        api = opened.api
        await api.add_provider(1)
        for number in (1, 2):
            assert api.ports.patients is not None
            now = api.clock.now()
            await api.ports.patients.salt_of(PatientId(f"pat_{number}"), now=now)
        mine = signed(api, "patient", MIRA)
        booked = await api.client.post("/v1/bookings", json=slot(), headers=mine)
        made = Scene(api, spool, booked.json()["booking_id"])
        spool.drafts.clear()
        yield made


async def test_a_document_is_handed_in_judged_and_read(scene: Scene) -> None:
    """With the real decoders: the patient hands in a photo, the clinic reads it without
    the place; the clinic hands in a PDF, the patient reads it byte for byte."""
    reader = ChildFileReader(ChildPictures())
    judging = replace(scene.judging, reader=reader)
    photo, letter = a_photo(), a_pdf()
    first = await scene.handed_in(photo)
    second = await scene.handed_in(letter, scene.doctor)
    for document in (first, second):
        assert await judge(judging, document) is Judged.AVAILABLE
    listed = await scene.get(f"/v1/documents?booking_id={scene.booking}", scene.mira)
    facts = {one["document_id"]: one for one in listed.json()["items"]}
    assert [facts[first]["of_clinic"], facts[second]["of_clinic"]] == [False, True]
    assert [facts[first]["can_remove"], facts[second]["can_remove"]] == [True, False]
    shown = await scene.get(f"/v1/documents/{first}/content", scene.staff)
    assert shown.headers["content-type"] == "image/jpeg"
    assert len(shown.content) == int(shown.headers["content-length"])
    assert len(shown.content) == facts[first]["size"]
    assert b"Phone of Ada" in photo
    assert b"Phone of Ada" not in shown.content
    picture = Image.open(io.BytesIO(shown.content))
    assert (picture.size, dict(picture.getexif())) == ((400, 300), {})
    read = await scene.get(f"/v1/documents/{second}/content", scene.mira)
    assert (read.content, read.headers["content-type"]) == (letter, "application/pdf")
    assert read.headers["content-disposition"].startswith("attachment; ")
    assert read.headers["cache-control"] == "private, no-store"
    assert read.headers["x-content-type-options"] == "nosniff"
    assert len(await scene.blobs()) == 2, "of the uploads nothing is left"


async def test_nothing_of_a_file_is_in_the_clear_in_the_store(
    scene: Scene, tmp_path: Path
) -> None:
    """Neither in quarantine nor later, nor its name in the records; names are there
    for those who may read them: the control."""
    words = b"Quetzalcoatlus bite " * 40_000
    document = await scene.begun(len(words))
    await send(scene.api, scene.mira, document, words)
    await judge(scene.judging, document)
    read = await scene.get(f"/v1/documents/{document}/content", scene.mira)
    assert read.content == words
    assert "referral" in read.headers["content-disposition"]
    everything = _files(tmp_path)
    assert document.encode() in everything
    for word in (b"Quetzalcoatlus", b"referral"):
        assert word not in everything


def _files(folder: Path) -> bytes:
    """Everything on the disk, the log of SQLite included."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return b"".join(path.read_bytes() for path in paths)


async def test_an_upload_that_breaks_off_goes_on(scene: Scene) -> None:
    """Whole parts stay; what is sent to another offset is refused, and changes
    nothing; the file is what was sent in all."""
    content = bytes(i % 251 for i in range(2 * PART_BYTES + 777))
    document = await scene.begun(len(content))

    messages: list[Any] = [
        {"type": "http.request", "body": content[: PART_BYTES + 9], "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def broken() -> Any:
        return messages.pop(0)

    authenticator = scene.api.app.state.services.authenticator
    mira = authenticator.caller(scene.mira["Authorization"])
    with pytest.raises(InvalidRequest):
        await scene.api.app.state.documents.receive(mira, document, 0, broken)
    path = f"/v1/documents/{document}"
    after = (await scene.get(path, scene.mira)).json()
    assert (after["state"], after["received"]) == ("receiving", PART_BYTES)
    for offset in (0, PART_BYTES - 1, PART_BYTES + 9, len(content)):
        rest = content[offset : offset + 9] or b"x"
        wrong = await send(scene.api, scene.mira, document, rest, offset)
        assert code_of(wrong) == (409, "document_offset")
    some = content[PART_BYTES : PART_BYTES + 9]
    step = await send(scene.api, scene.mira, document, some, PART_BYTES)
    assert step.json()["received"] == PART_BYTES + 9
    rest = content[PART_BYTES + 9 :]
    last = await send(scene.api, scene.mira, document, rest, PART_BYTES + 9)
    assert last.json()["state"] == "quarantined"
    again = await send(scene.api, scene.mira, document, b"x", len(content))
    assert code_of(again) == (409, "document_offset")
    await judge(scene.judging, document)
    read = await scene.get(f"{path}/content", scene.mira)
    assert read.content == content


async def test_of_two_senders_at_one_offset_one_is_kept(scene: Scene) -> None:
    """A request that was believed dead, and its repetition with other bytes: the file
    is one of them, never a mixture."""
    document = await scene.begun(2 * PART_BYTES)
    files = [letter * 2 * PART_BYTES for letter in (b"a", b"b")]
    sent = await asyncio.gather(
        *(send(scene.api, scene.mira, document, one) for one in files)
    )
    assert sorted(one.status_code for one in sent) == [200, 409]
    await judge(scene.judging, document)
    read = await scene.get(f"/v1/documents/{document}/content", scene.mira)
    (winner,) = [
        file for one, file in zip(sent, files, strict=True) if one.status_code == 200
    ]
    assert read.content == winner


async def test_nothing_is_read_before_it_is_available(scene: Scene) -> None:
    """While it arrives it is its sender's alone; in quarantine it is listed, and not
    read; when it is refused its bytes are gone, and its sender learns why."""
    document = await scene.begun(10)
    listed = f"/v1/documents?booking_id={scene.booking}"
    one, content = f"/v1/documents/{document}", f"/v1/documents/{document}/content"
    links = f"{one}/links"

    async def unread(auth: dict[str, str]) -> None:
        read = await scene.get(content, auth)
        assert code_of(read) == (409, "document_not_available")
        made = await scene.api.client.post(links, headers=auth)
        assert code_of(made) == (409, "document_not_available")

    await unread(scene.mira)
    assert (await scene.get(listed, scene.staff)).json()["items"] == []
    assert code_of(await scene.get(one, scene.staff)) == (404, "document_not_found")
    await send(scene.api, scene.mira, document, b"x" * 10)
    for auth in (scene.mira, scene.staff):
        (shown,) = (await scene.get(listed, auth)).json()["items"]
        assert shown["state"] == "quarantined"
        await unread(auth)
    refused = await scene.handed_in(b"malware")
    assert await judge(scene.judging, refused) is Judged.REFUSED
    told = (await scene.get(f"/v1/documents/{refused}", scene.mira)).json()
    assert (told["state"], told["fault"]) == ("refused", "malware")
    hidden = await scene.get(f"/v1/documents/{refused}", scene.staff)
    assert code_of(hidden) == (404, "document_not_found")
    assert all(refused not in name for name in await scene.blobs())
    broken = await scene.handed_in(b"broken")
    assert await judge(scene.judging, broken) is Judged.REFUSED


async def test_what_was_not_scanned_stays_in_quarantine(scene: Scene) -> None:
    """While the scanner is away; it is found by the sweep, and judged later once."""
    scene.scanner.is_away = True
    document = await scene.handed_in()
    with pytest.raises(Unavailable):
        await judge(scene.judging, document)
    scene.api.clock.step((LEFT_MS + 1) / 1000)
    now = scene.api.clock.now()
    swept = await sweep(scene.ports.blobs, scene.ports.rows, now)
    assert (swept.unused, swept.abandoned) == (0, 0)
    assert list(await waiting(scene.ports.rows, now)) == [document]
    scene.scanner.is_away = False
    assert await judge(scene.judging, document) is Judged.AVAILABLE
    assert await judge(scene.judging, document) is Judged.GONE


class Killed(BaseException):
    """What a kill is to a process."""


class DyingBlobs:
    """A store whose process is killed at its n-th call that writes or removes."""

    def __init__(self, scene: Scene, left: int) -> None:
        self._blobs, self._left = scene.ports.blobs, left

    def _step(self) -> None:
        if not self._left:
            raise Killed
        self._left -= 1

    async def put(self, name: str, content: Any, *, size_max: int) -> int:
        self._step()
        size = await self._blobs.put(name, content, size_max=size_max)
        self._step()
        return size

    async def delete(self, name: str) -> None:
        self._step()
        await self._blobs.delete(name)

    def opened(self, *args: Any, **more: Any) -> Any:
        return self._blobs.opened(*args, **more)


@pytest.mark.parametrize("step", range(5))
async def test_killed_at_any_step_of_judging_nothing_half_is_shown(
    scene: Scene, step: int
) -> None:
    """Judged again it is available with its bytes, or was already; an hour later the
    store has its file alone."""
    content = b"q" * (PART_BYTES + 5)
    document = await scene.handed_in(content)
    dying: Any = DyingBlobs(scene, step)
    try:
        await judge(replace(scene.judging, blobs=dying), document)
    except Killed:
        state = (await scene.get(f"/v1/documents/{document}", scene.staff)).json()
        is_there = state["state"] == "available"
        read = await scene.get(f"/v1/documents/{document}/content", scene.staff)
        assert read.status_code == (200 if is_there else 409)
        assert is_there or state["state"] == "quarantined"
    await judge(scene.judging, document)
    read = await scene.get(f"/v1/documents/{document}/content", scene.staff)
    assert read.content == content
    await sweep(scene.ports.blobs, scene.ports.rows, LONG_AFTER)
    assert len(await scene.blobs()) == 1
    read = await scene.get(f"/v1/documents/{document}/content", scene.staff)
    assert read.content == content


async def test_an_upload_without_bytes_is_given_up(scene: Scene) -> None:
    """After an hour, with its parts; one that goes on is not."""
    left, going = await scene.begun(PART_BYTES + 9), await scene.begun(PART_BYTES + 9)
    await send(scene.api, scene.mira, left, b"x" * PART_BYTES)
    scene.api.clock.step(LEFT_MS / 1000)
    await send(scene.api, scene.mira, going, b"x" * PART_BYTES)
    scene.api.clock.step(1)
    rows, blobs = scene.ports.rows, scene.ports.blobs
    assert (await sweep(blobs, rows, scene.api.clock.now())).abandoned == 1
    assert code_of(await scene.get(f"/v1/documents/{left}", scene.mira))[0] == 404
    gone = await send(scene.api, scene.mira, left, b"x" * 9, PART_BYTES)
    assert code_of(gone) == (404, "document_not_found")
    last = await send(scene.api, scene.mira, going, b"x" * 9, PART_BYTES)
    assert last.json()["state"] == "quarantined"
    swept = await sweep(blobs, rows, LONG_AFTER)
    assert swept.unused == 1
    assert all(going in name for name in await scene.blobs())


async def test_a_file_that_was_exchanged_or_cut_is_not_passed_off(
    scene: Scene,
) -> None:
    """Another document's file in its place, or its own without the end: the answer is
    an error, or ends before its length."""
    one, other = await scene.available(b"mine"), await scene.available(b"theirs")
    names = {name.split(".")[0]: name for name in await scene.blobs()}
    mine, theirs = names[f"documents/{one}"], names[f"documents/{other}"]
    blobs = scene.ports.blobs
    async with blobs.opened(theirs) as blob:
        content = b"".join([piece async for piece in blob.pieces])
    async with blobs.opened(mine) as blob:
        own = b"".join([piece async for piece in blob.pieces])
    for wrong in (content, own[:-1], own + b"x", b""):
        await blobs.put(mine, one_piece(wrong), size_max=1_000)
        read = await scene.get(f"/v1/documents/{one}/content", scene.mira)
        assert code_of(read) == (503, "unavailable")
    await blobs.delete(mine)
    read = await scene.get(f"/v1/documents/{one}/content", scene.mira)
    assert code_of(read) == (503, "unavailable")


class RemovedFirst:
    """A store whose documents are removed just before they are read."""

    def __init__(self, scene: Scene, document: str) -> None:
        self._ports, self._document = scene.ports, document

    @asynccontextmanager
    async def opened(self, name: str) -> AsyncIterator[Any]:
        await self._ports.rows.remove(self._document)
        await self._ports.blobs.delete(name)
        async with self._ports.blobs.opened(name) as blob:
            yield blob


async def test_a_document_that_is_removed_while_it_is_looked_up_is_gone(
    scene: Scene,
) -> None:
    """As one that was removed before, and no alarm; a file that is gone though its row
    is there is one: the control."""
    service = scene.api.app.state.documents
    alarms = []
    for way, code in (
        ("content", (404, "document_not_found")),
        ("link", (410, "link_expired")),
        ("lost", (503, "unavailable")),
    ):
        service._ports = scene.ports
        document = await scene.available()
        path = f"/v1/documents/{document}"
        made = await scene.api.client.post(f"{path}/links", headers=scene.mira)
        address = made.json()["address"] if way == "link" else f"{path}/content"
        blobs: Any = RemovedFirst(scene, document)
        if way == "lost":
            blobs = scene.ports.blobs
            (name,) = [one for one in await scene.blobs() if document in one]
            await blobs.delete(name)
        service._ports = replace(scene.ports, blobs=blobs)
        with capture_logs() as lines:
            answer = await scene.get(address, scene.mira if way != "link" else {})
        assert code_of(answer) == code
        alarms.append(sum("ALARM" in str(one["event"]) for one in lines))
    assert alarms == [0, 0, 1]


async def test_files_that_are_sent_at_a_time_are_bounded(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each holds memory for as long as its reader takes; so that is bounded too. One
    that has ended, has failed or was never begun gives its place back."""
    monkeypatch.setattr(limits, "OF_PATIENT_MAX", 1)
    document = await scene.available()
    content = f"/v1/documents/{document}/content"
    service = scene.api.app.state.documents
    authenticator = scene.api.app.state.services.authenticator
    mira = authenticator.caller(scene.mira["Authorization"])

    async def is_full() -> bool:
        answer = await scene.get(content, scene.mira)
        if answer.status_code == 200:
            return False
        assert code_of(answer) == (503, "unavailable")
        return True

    async def stuck(_message: Any = None) -> Any:
        await asyncio.Event().wait()

    async def lost(_message: Any) -> None:
        raise OSError

    scope: Any = {"type": "http", "asgi": {"spec_version": "2.4"}}
    for send_file, ends in ((stuck, TimeoutError), (lost, ClientDisconnect)):
        file = await service.content(mira, document)
        assert await is_full()
        with monkeypatch.context() as patched:
            patched.setattr(files, "FILE_S", 0.0)
            with pytest.raises(ends):
                await file(scope, stuck, send_file)
        assert not await is_full()


async def test_a_document_of_others_is_as_one_that_is_not_there(scene: Scene) -> None:
    """Equal to the byte, for every way to it: another patient, another clinic's staff,
    another doctor, a guardian of another, an administrator without emergency access."""
    document = await scene.available()
    await scene.api.add_provider(2)
    strangers = [
        signed(scene.api, "patient", "pat_2", "acc_2"),
        signed(scene.api, "guardian", "pat_2", "acc_2", scopes=("manage",)),
        signed(scene.api, "guardian", "pat_2", "acc_2", scopes=("view",)),
        signed(scene.api, "staff", "cln_2", "acc_2"),
        signed(scene.api, "clinic_admin", "cln_2", "acc_2"),
        signed(scene.api, "doctor", "prv_2", "acc_2"),
        signed(scene.api, "admin", "acc_2", "acc_2"),
    ]
    missing = "doc_" + "0" * 32
    for auth in strangers:
        for method, path in (
            ("GET", ""),
            ("GET", "/content"),
            ("POST", "/links"),
            ("DELETE", ""),
            ("PATCH", "/content"),
        ):
            answers = []
            for one in (document, missing):
                headers = {**auth, "Upload-Offset": "0"}
                where = f"/v1/documents/{one}{path}"
                answers.append(
                    await scene.api.client.request(method, where, headers=headers)
                )
            hidden, absent = answers
            assert hidden.status_code in (403, 404), (method, path)
            assert hidden.content == absent.content, (method, path)
            if hidden.status_code == 404:
                assert hidden.json()["code"] == "document_not_found"
        listed = await scene.get(f"/v1/documents?booking_id={scene.booking}", auth)
        assert code_of(listed) == (404, "booking_not_found")


async def test_a_guardian_reads_what_is_not_confidential(scene: Scene) -> None:
    """As the visit: also by the document's own id, and as far as their scope goes."""
    document = await scene.available()
    viewing = signed(scene.api, "guardian", MIRA, "acc_g", scopes=("view",))
    booking = signed(scene.api, "guardian", MIRA, "acc_g", scopes=("book",))
    content = f"/v1/documents/{document}/content"
    assert (await scene.get(content, viewing)).content == b"a file"
    denied = await begin(scene.api, viewing, scene.booking, 9)
    assert code_of(denied) == (403, "forbidden")
    await scene.handed_in(b"for a child", booking)
    path = f"/v1/bookings/{scene.booking}/confidential"
    body = {"confidential": True}
    await scene.api.client.post(path, json=body, headers=scene.mira)
    for auth in (viewing, booking):
        hidden = await scene.get(content, auth)
        assert code_of(hidden) == (404, "document_not_found")
        listed = await scene.get(f"/v1/documents?booking_id={scene.booking}", auth)
        assert code_of(listed) == (404, "booking_not_found")
    assert (await scene.get(content, scene.mira)).status_code == 200


async def test_only_the_sender_sends_and_each_side_removes_its_own(
    scene: Scene,
) -> None:
    """A colleague may remove what the clinic handed in, and not send its bytes."""
    other = signed(scene.api, "clinic_admin", "cln_1", "acc_admin")
    begun = await scene.begun(9, scene.staff)
    hidden = await send(scene.api, other, begun, b"x" * 9)
    assert code_of(hidden) == (404, "document_not_found")
    mine = await scene.available()
    clinics = await scene.available(auth=scene.staff)
    for document, auth in ((mine, scene.staff), (clinics, scene.mira)):
        path = f"/v1/documents/{document}"
        denied = await scene.api.client.delete(path, headers=auth)
        assert code_of(denied) == (403, "forbidden")
    for document, auth in ((mine, scene.mira), (clinics, other)):
        path = f"/v1/documents/{document}"
        done = await scene.api.client.delete(path, headers=auth)
        assert done.status_code == 204
        again = await scene.api.client.delete(path, headers=auth)
        assert code_of(again) == (404, "document_not_found")
    assert await scene.blobs() == []


async def test_a_link_opens_one_document_for_a_minute(scene: Scene) -> None:
    """Without a token; a changed, an old or another site's one opens nothing, nor one
    whose document was removed."""
    document = await scene.available()
    links = f"/v1/documents/{document}/links"
    made = await scene.api.client.post(links, headers=scene.staff)
    assert made.status_code == 201
    address = made.json()["address"]
    read = await scene.api.client.get(address)
    assert (read.status_code, read.content) == (200, b"a file")
    other = await scene.available(b"theirs")
    head, until, signature = address.removeprefix("/v1/document-links/").split(".")
    for wrong in (
        f"{other}.{until}.{signature}",
        f"{head}.{int(until) + 1}.{signature}",
        f"{head}.{until}.{'A' * 32}",
        "x",
    ):
        answer = await scene.api.client.get(f"/v1/document-links/{wrong}")
        assert code_of(answer) == (410, "link_expired")
    scene.api.clock.step(LINK_MS / 1000)
    assert code_of(await scene.api.client.get(address)) == (410, "link_expired")
    made = await scene.api.client.post(links, headers=scene.mira)
    await scene.api.client.delete(f"/v1/documents/{document}", headers=scene.mira)
    gone = await scene.api.client.get(made.json()["address"])
    assert code_of(gone) == (410, "link_expired")


async def test_each_reading_by_others_is_in_the_clinics_trail(scene: Scene) -> None:
    """Lists, files and links, also by a guardian; not what patients read of their own.
    Where it cannot be written staff read nothing."""
    document = await scene.available()
    scene.spool.drafts.clear()
    guardian = signed(scene.api, "guardian", MIRA, "acc_g", scopes=("view",))
    listed = f"/v1/documents?booking_id={scene.booking}"
    content = f"/v1/documents/{document}/content"
    for auth in (scene.staff, guardian, scene.mira):
        assert (await scene.get(listed, auth)).status_code == 200
        assert (await scene.get(content, auth)).status_code == 200
    links = f"/v1/documents/{document}/links"
    await scene.api.client.post(links, headers=scene.doctor)
    told = [(one.actor, one.action) for one in scene.spool.drafts]
    assert told == [
        ("acc_staff", "list_documents"),
        ("acc_staff", "download_document"),
        ("acc_g", "list_documents"),
        ("acc_g", "download_document"),
        ("acc_doctor", "download_document"),
    ]
    assert {(one.tenant, one.person) for one in scene.spool.drafts} == {("cln_1", MIRA)}
    assert all("referral" not in repr(one) for one in scene.spool.drafts)
    scene.spool.is_broken = True
    for answer in (
        await scene.get(content, scene.staff),
        await scene.api.client.post(links, headers=scene.staff),
    ):
        assert code_of(answer) == (503, "unavailable")


async def test_room_is_bounded(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """One file, one patient, one clinic, one account's uploads at a time; what is
    removed gives its room back, and what declares too little is refused."""
    monkeypatch.setattr(limits, "OF_ACCOUNT_MAX", 1)
    largest = await begin(scene.api, scene.mira, scene.booking, FILE_BYTES_MAX + 1)
    assert code_of(largest) == (413, "document_too_large")
    document = await scene.begun(10)
    more = await send(scene.api, scene.mira, document, b"x" * 11)
    assert code_of(more) == (413, "document_too_large")
    service = scene.api.app.state.documents
    service._ports = replace(scene.ports, quotas=DocumentQuotas(15, 100))
    full = await begin(scene.api, scene.mira, scene.booking, 6)
    assert code_of(full) == (409, "document_limit")
    service._ports = replace(scene.ports, quotas=DocumentQuotas(100, 15))
    full = await begin(scene.api, scene.staff, scene.booking, 6)
    assert code_of(full) == (409, "document_limit")
    assert "clinic" in full.json()["detail"]
    await scene.api.client.delete(f"/v1/documents/{document}", headers=scene.mira)
    document = await scene.begun(15)
    may_end, has_begun = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"x" * 5
        has_begun.set()
        await may_end.wait()
        yield b"x" * 10

    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(send(scene.api, scene.mira, document, slow()))
        await has_begun.wait()
        second = await send(scene.api, scene.mira, document, b"x")
        may_end.set()
    assert code_of(second) == (503, "unavailable")
    assert (await first).status_code == 200


async def test_an_erased_patients_documents_are_gone(scene: Scene) -> None:
    """The export names them; after the erasure no row, no key and, an hour later, no
    blob is left."""
    document = await scene.available()
    privacy = scene.api.ports.privacy
    assert privacy is not None
    export = await privacy.export(PatientId(MIRA))
    assert export is not None
    (told,) = export["documents"]
    assert (told["name"], told["size"]) == ("referral.pdf", len(b"a file"))
    read = await scene.get(told["file"], scene.mira)
    assert read.content == b"a file"
    now = scene.api.clock.now()
    report = await privacy.erase(PatientId(MIRA), "acc_9", {}, now=now)
    assert report.rows["document"] == 1
    hidden = await scene.get(f"/v1/documents/{document}", scene.staff)
    assert code_of(hidden) == (404, "document_not_found")
    refused = await begin(scene.api, scene.staff, scene.booking, 9)
    assert code_of(refused) == (404, "patient_not_found")
    await sweep(scene.ports.blobs, scene.ports.rows, LONG_AFTER)
    assert await scene.blobs() == []


async def test_staff_see_no_document_of_a_patient_who_restricted_it(
    scene: Scene,
) -> None:
    """The patient goes on reading."""
    document = await scene.available()
    privacy = scene.api.ports.privacy
    assert privacy is not None
    now = scene.api.clock.now()
    await privacy.restrict(PatientId(MIRA), "acc_1", restricted=True, now=now)
    content = f"/v1/documents/{document}/content"
    listed = f"/v1/documents?booking_id={scene.booking}"
    for path in (content, listed):
        assert code_of(await scene.get(path, scene.staff)) == (403, "data_restricted")
        assert (await scene.get(path, scene.mira)).status_code == 200
    denied = await begin(scene.api, scene.staff, scene.booking, 9)
    assert code_of(denied) == (403, "data_restricted")
