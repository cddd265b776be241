"""Public photos of providers and clinics, over HTTP."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from actors.domain.ids import Millis
from actors.errors import Unavailable
from care.blobs.pictures import UPLOAD_BYTES_MAX
from care.blobs.ports import Blobs
from care.directory.photos import UNUSED_MS, PhotoPorts, Swept, sweep
from gateway.directory import photos as limits
from tests import factories as make
from tests.fakes.api import Api
from tests.fakes.roster import MemoryRoster
from tests.fixtures.accounts import account_api
from tests.fixtures.endless_upload import NAME

PROVIDER = "/v1/providers/prv_1/photo"
CLINIC = "/v1/clinics/cln_1/photo"
NOTHING: tuple[bytes, ...] = ()
WAYS = pytest.mark.parametrize("path", [PROVIDER, CLINIC])


@pytest.fixture
async def api(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Api]:
    """A provider at a clinic that is a record, and one of another clinic."""
    async with account_api(request, tmp_path) as opened:
        await opened.api.add_provider()
        await opened.api.add_provider(2, clinic=make.a_clinic(2))
        for number in (1, 2):
            await opened.client.put(
                f"/v1/clinics/cln_{number}",
                json={"name": f"Clinic {number}", "time_zone": "UTC"},
                headers=opened.api.admin(),
            )
        await opened.api.project()
        yield opened.api


def picture(colour: str = "red", kind: str = "JPEG") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (400, 300), colour).save(file, kind)
    return file.getvalue()


def ports(api: Api) -> PhotoPorts:
    assert api.ports.photos is not None
    return api.ports.photos


async def put(api: Api, path: str, content: Any, auth: dict[str, str]) -> Any:
    headers = {**auth, "Content-Type": "image/jpeg"}
    return await api.client.put(path, content=content, headers=headers)


async def names(blobs: Blobs) -> list[str]:
    return sorted([blob.name async for blob in blobs.list("")])


@WAYS
async def test_a_photo_is_uploaded_and_seen_by_all(api: Api, path: str) -> None:
    """Made again in two sizes, at addresses that may be kept for ever; also without a
    token, and in the entry."""
    made = await put(api, path, picture(), api.clinic_admin())
    assert made.status_code == 200, made.text
    addresses = made.json()
    entry = path.replace("/photo", "/directory-entry")
    said = (await api.client.get(entry)).json()
    assert {name: said[name] for name in addresses} == addresses
    for name, size in (("photo", (192, 192)), ("photo_large", (400, 300))):
        shown = await api.client.get(addresses[name])
        assert shown.status_code == 200
        assert shown.headers["content-type"] == "image/webp"
        assert shown.headers["x-content-type-options"] == "nosniff"
        cached = shown.headers["cache-control"].split(", ")
        assert {"public", "immutable", "max-age=31536000"} == set(cached)
        assert Image.open(io.BytesIO(shown.content)).size == size
        tag = shown.headers["etag"]
        assert tag.startswith('"')
        known = {"If-None-Match": f'"x", {tag}'}
        again = await api.client.get(addresses[name], headers=known)
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag


async def test_a_search_shows_photos(api: Api) -> None:
    """In the list, and on the provider's page with the clinic's; gone when taken."""
    roster = api.ports.roster
    assert isinstance(roster, MemoryRoster)
    own = (await put(api, PROVIDER, picture(), api.doctor())).json()
    of_clinic = (await put(api, CLINIC, picture(), api.clinic_admin())).json()
    rows = ports(api).rows
    roster.photos = {one: await rows.photo(one) for one in ("prv_1", "cln_1")}
    hearing = api.app.state.services.hearing
    await hearing.live.step()
    items = (await api.client.get("/v1/providers")).json()["items"]
    shown = {one["provider_id"]: one.get("photo") for one in items}
    assert shown == {"prv_1": own["photo"], "prv_2": None}
    page = (await api.client.get("/v1/providers/prv_1")).json()
    assert page["photo"] == own["photo"]
    assert page["photo_large"] == own["photo_large"]
    assert page["clinic_photo"] == of_clinic["photo_large"]
    roster.photos = {}
    await hearing.live.step()
    assert "photo" not in (await api.client.get("/v1/providers")).json()["items"][0]


@WAYS
async def test_a_photo_is_replaced_and_taken_away(api: Api, path: str) -> None:
    """The former address answers 404 at once; another's id opens nothing."""
    first = (await put(api, path, picture(), api.clinic_admin())).json()
    second = (await put(api, path, picture("blue"), api.clinic_admin())).json()
    assert first != second
    other = second["photo"].replace("prv_1", "prv_2").replace("cln_1", "cln_2")
    for address in (*first.values(), other, f"{path}/{'0' * 32}/large"):
        gone = await api.client.get(address)
        assert (gone.status_code, gone.json()["code"]) == (404, "photo_not_found")
    wrong = await api.client.get(second["photo"].replace("/square", "/huge"))
    assert wrong.status_code == 422
    done = await api.client.delete(path, headers=api.clinic_admin())
    assert done.status_code == 204
    assert (await api.client.get(second["photo"])).status_code == 404
    again = await api.client.delete(path, headers=api.clinic_admin())
    assert (again.status_code, again.json()["code"]) == (404, "photo_not_found")


async def test_only_those_who_edit_an_entry_set_its_photo(api: Api) -> None:
    """A doctor their own, a clinic's administrator its doctors' and its own; refused
    before the body is looked at."""
    allowed = [
        (PROVIDER, api.doctor("prv_1")),
        (PROVIDER, api.clinic_admin("cln_1")),
        (CLINIC, api.clinic_admin("cln_1")),
    ]
    refused = [
        (PROVIDER, api.doctor("prv_2")),
        (PROVIDER, api.clinic_admin("cln_2")),
        (PROVIDER, api.patient()),
        (PROVIDER, api.auth("staff", "cln_1")),
        (CLINIC, api.doctor("prv_1")),
        (CLINIC, api.clinic_admin("cln_2")),
        (CLINIC, api.patient()),
    ]
    for path, auth in allowed:
        assert (await put(api, path, picture(), auth)).status_code == 200
    for path, auth in refused:
        for answer in (
            await put(api, path, unread(), auth),
            await api.client.delete(path, headers=auth),
        ):
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert (await put(api, PROVIDER, unread(), {})).status_code == 401
    for path, code in (
        ("/v1/providers/prv_9/photo", "provider_not_found"),
        ("/v1/providers/x/photo", "provider_not_found"),
        ("/v1/clinics/cln_9/photo", "clinic_not_found"),
    ):
        missing = await put(api, path, unread(), api.admin())
        assert (missing.status_code, missing.json()["code"]) == (404, code)


async def unread() -> AsyncIterator[bytes]:
    for piece in NOTHING:
        yield piece
    pytest.fail("the body was asked for")


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 422, "invalid_request"),
        (b"%PDF-1.7", 415, "photo_not_supported"),
        (b"\0\0\0\x18ftypheic" + bytes(90), 415, "photo_not_supported"),
        (picture()[:600], 422, "photo_damaged"),
        (b"\xff" * (UPLOAD_BYTES_MAX + 1), 413, "photo_too_large"),
    ],
)
async def test_what_cannot_be_taken_is_refused_with_a_reason(
    api: Api, content: bytes, status: int, code: str
) -> None:
    """The former photo stays, and nothing of the upload is kept."""
    before = (await put(api, PROVIDER, picture(), api.doctor())).json()
    kept = await names(ports(api).blobs)
    refused = await put(api, PROVIDER, content, api.doctor())
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    if b"heic" in content[:20]:
        assert "HEIC" in refused.json()["detail"]
    assert (await api.client.get(before["photo"])).status_code == 200
    assert await names(ports(api).blobs) == kept


async def test_a_body_without_a_length_is_bounded(api: Api) -> None:
    """It is not read beyond the limit."""
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b"\xff" * (1 << 20)

    refused = await put(api, PROVIDER, endless(), api.doctor())
    assert (refused.status_code, refused.json()["code"]) == (413, "photo_too_large")
    assert sent <= UPLOAD_BYTES_MAX // (1 << 20) + 2


async def test_uploads_beyond_the_bound_come_back_later(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is held in memory; a bound of them at a time, and then the next."""
    monkeypatch.setattr(limits, "UPLOADS_MAX", 1)
    may_end = asyncio.Event()
    is_read = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        is_read.set()
        await may_end.wait()
        yield picture()

    first = asyncio.ensure_future(put(api, PROVIDER, slow(), api.doctor()))
    await is_read.wait()
    second = await put(api, PROVIDER, picture(), api.doctor())
    assert (second.status_code, second.json()["code"]) == (503, "unavailable")
    assert int(second.headers["retry-after"]) > 1
    may_end.set()
    assert (await first).status_code == 200
    assert (await put(api, PROVIDER, picture(), api.doctor())).status_code == 200


async def test_an_upload_that_does_not_end_gives_its_place_back(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """408, and the next one is taken."""
    monkeypatch.setattr(limits, "UPLOADS_MAX", 1)
    with monkeypatch.context() as patched:
        patched.setattr(limits, "UPLOAD_S", 0.1)
        late = await put(api, PROVIDER, _stuck(), api.doctor())
    assert (late.status_code, late.json()["code"]) == (408, "request_timeout")
    assert (await put(api, PROVIDER, picture(), api.doctor())).status_code == 200


async def test_a_store_that_is_away_is_told(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503, for showing and for uploading; the photo that was there stays."""
    before = (await put(api, PROVIDER, picture(), api.doctor())).json()

    async def away(*_args: Any, **_more: Any) -> int:
        raise Unavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(ports(api).blobs, "put", away)
        refused = await put(api, PROVIDER, picture("blue"), api.doctor())
        assert refused.status_code == 503
    assert (await api.client.get(before["photo"])).status_code == 200


async def test_a_blob_that_is_lost_is_a_missing_photo(api: Api) -> None:
    """404: the app shows initials."""
    made = (await put(api, PROVIDER, picture(), api.doctor())).json()
    for name in await names(ports(api).blobs):
        await ports(api).blobs.delete(name)
    gone = await api.client.get(made["photo"])
    assert (gone.status_code, gone.json()["code"]) == (404, "photo_not_found")


async def test_the_sweeper_removes_what_no_row_names(api: Api) -> None:
    """Replaced photos and killed uploads, once they are old; what is shown stays."""
    store, rows = ports(api).blobs, ports(api).rows
    await put(api, PROVIDER, picture(), api.doctor())
    kept = (await put(api, PROVIDER, picture("blue"), api.doctor())).json()
    of_clinic = (await put(api, CLINIC, picture(), api.clinic_admin())).json()
    stuck = store.put(NAME, _stuck(), size_max=1 << 30)
    upload = asyncio.ensure_future(stuck)
    await asyncio.sleep(0)
    written = [blob.written_at async for blob in store.list("")]
    assert len(written) == 6
    young = Millis(min(written) + UNUSED_MS - 1)
    assert await sweep(store, rows, young) == Swept(0, 0)
    old = Millis(max(written) + UNUSED_MS + 60_000)
    swept = await sweep(store, rows, old)
    assert swept.unused == 2
    assert len(await names(store)) == 4
    for address in (*kept.values(), *of_clinic.values()):
        assert (await api.client.get(address)).status_code == 200
    assert (await sweep(store, rows, old)).unused == 0
    await api.client.delete(CLINIC, headers=api.clinic_admin())
    assert (await sweep(store, rows, old)).unused == 2
    upload.cancel()
    await asyncio.gather(upload, return_exceptions=True)


async def _stuck() -> AsyncIterator[bytes]:
    await asyncio.Event().wait()
    yield b""


async def test_an_upload_is_described_as_a_picture(api: Api) -> None:
    """What is uploaded is described as bytes of a picture, not as JSON."""
    for path in ("/v1/providers/{provider_id}/photo", "/v1/clinics/{clinic_id}/photo"):
        body = api.app.openapi()["paths"][path]["put"]["requestBody"]["content"]
        assert set(body) == {"image/jpeg", "image/png", "image/webp"}
