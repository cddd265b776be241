"""A document on a whole site whose server is killed in the middle of its upload."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from care.patients.documents.values import PART_BYTES
from tests.acceptance.test_people_story import Person
from tests.fixtures.documents import a_pdf
from tests.fixtures.server import ServerProcess, free_slot

pytestmark = pytest.mark.acceptance
PATIENCE_S = 240.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path / "data") as made:
        yield made


def booked(mira: Person) -> str:
    """A visit at a free time."""
    provider, visit_type, start = free_slot(mira.server)
    body = {"provider_id": provider, "visit_type": visit_type, "start": start}
    return str(mira.ask("POST", "/v1/bookings", body)["booking_id"])


def sent(mira: Person, document: str, content: bytes, offset: int) -> Any:
    headers = {
        "Authorization": f"Bearer {mira.signed['access_token']}",
        "Upload-Offset": str(offset),
    }
    url = f"{mira.server.url}/v1/documents/{document}/content"
    return httpx.patch(url, content=content, headers=headers, timeout=60).json()


def begin_sending(mira: Person, document: str, content: bytes, size: int) -> Any:
    """Send some of a body that is to have this size; the connection stays open."""
    line = http.client.HTTPConnection(urlsplit(mira.server.url).netloc, timeout=60)
    line.putrequest("PATCH", f"/v1/documents/{document}/content")
    line.putheader("Authorization", f"Bearer {mira.signed['access_token']}")
    line.putheader("Content-Length", str(size))
    line.endheaders()
    line.send(content)
    return line


def until(mira: Person, document: str, name: str, wanted: Any) -> dict[str, Any]:
    """The document, once this field says so."""
    ends = time.monotonic() + PATIENCE_S
    while True:
        found: dict[str, Any] = mira.ask("GET", f"/v1/documents/{document}")
        if found[name] == wanted:
            return found
        assert time.monotonic() < ends, found
        time.sleep(0.1)


def killed(server: ServerProcess, mira: Person) -> None:
    """kill -9, and a start after which the patient signs in again."""
    server.kill()
    server.start()
    mira.signed = mira.password()


def test_an_upload_goes_on_after_a_kill(server: ServerProcess) -> None:
    """kill -9 while a part is arriving: parts that were whole are there, the rest is
    sent again, the worker judges the file, and it is read as it was sent; a second one
    that is killed in quarantine is judged after the start."""
    server.start()
    mira = Person(server, "mira@example.org")
    mira.register()
    mira.signed = mira.password()
    booking = booked(mira)
    content = a_pdf() + b"\n%" + bytes(48 + i % 64 for i in range(3 * PART_BYTES))
    new = {"booking_id": booking, "name": "referral.pdf", "size": len(content)}
    document = mira.ask("POST", "/v1/documents", new)["document_id"]
    some = content[: PART_BYTES + 4_000]
    line = begin_sending(mira, document, some, len(content))
    until(mira, document, "received", PART_BYTES)
    killed(server, mira)
    line.close()
    found = until(mira, document, "received", PART_BYTES)
    assert found["state"] == "receiving"
    rest = sent(mira, document, content[PART_BYTES:], PART_BYTES)
    assert rest["received"] == len(content)
    until(mira, document, "state", "available")
    address = mira.ask("POST", f"/v1/documents/{document}/links")["address"]
    read = httpx.get(server.url + address, timeout=60)
    assert read.content == content
    second = mira.ask("POST", "/v1/documents", new)["document_id"]
    sent(mira, second, content, 0)
    killed(server, mira)
    until(mira, second, "state", "available")
    assert server.stop() == 0
