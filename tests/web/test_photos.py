"""Photos: uploaded by a doctor and a clinic's administration, seen by patients."""

from __future__ import annotations

import io
from typing import Any, Final
from urllib.parse import quote

import pytest
from PIL import Image
from playwright.sync_api import FilePayload, Locator, Page, expect

from tests.fixtures.server import ServerProcess
from tests.web.conftest import PHONE, Browsing
from tests.web.test_access import TOO_WIDE, faults
from tests.web.test_waiting import Doctor

NATURAL: Final = "image => image.complete && image.naturalWidth"


@pytest.fixture(scope="module")
def site(training_site: ServerProcess) -> ServerProcess:
    """A server whose doctors may change: others' tests need theirs as they are."""
    return training_site


def photo(name: str, size: tuple[int, int], **options: Any) -> FilePayload:
    """A noisy picture, which is as large as a camera's."""
    file = io.BytesIO()
    Image.effect_noise(size, 100).convert("RGB").save(file, "JPEG", **options)
    return {"name": name, "mimeType": "image/jpeg", "buffer": file.getvalue()}


def field(page: Page) -> Locator:
    """The control of a photo."""
    return page.get_by_role("group", name="Photo of")


def is_seen(browsing: Browsing, name: str, **look: Any) -> None:
    """By a patient who searches, in the room of the initials, and on the page."""
    visitor = browsing.open(f"/?q={quote(name)}", **look)
    result = visitor.locator(".result", has_text=name)
    shown = result.get_by_role("img", name=name)
    expect(shown).to_be_visible()
    visitor.wait_for_function(NATURAL, arg=shown.element_handle())
    room = result.locator(".avatar").bounding_box()
    assert room is not None
    assert (room["width"], room["height"]) == (56, 56)
    assert faults(visitor) == []
    result.locator("a.whole").click()
    expect(visitor.locator(".who img")).to_be_visible()
    assert faults(visitor) == []
    assert visitor.evaluate(TOO_WIDE) <= 0


def test_a_photo_is_uploaded_and_seen_in_results(browsing: Browsing) -> None:
    """Of some megabytes, by the doctor, over a real connection; what is no picture is
    refused in words. Patients see it in the results and on the doctor's page, in the
    room of the initials; taken away, these are there again."""
    page = browsing.open("/", "doctor")
    doctor = Doctor(page, browsing)
    name = str(doctor.get(f"providers/{doctor.subject}")["name"])
    page.goto(f"{browsing.address}/desk/entry/{doctor.subject}")
    own = field(page)
    expect(own.locator("img")).to_have_count(0)
    wrong: FilePayload = {
        "name": "photo.jpg",
        "mimeType": "image/jpeg",
        "buffer": b"%PDF-1.7",
    }
    own.get_by_label("Add a photo").set_input_files(wrong)
    expect(own.get_by_role("alert")).to_contain_text("no picture")
    large = photo("me.jpg", (3000, 2000), quality=90)
    assert len(large["buffer"]) > 4_000_000
    own.get_by_label("Add a photo").set_input_files(large)
    expect(own.locator("img")).to_be_visible()
    expect(own.get_by_role("alert")).to_have_count(0)
    expect(own.get_by_label("Replace the photo")).to_be_focused()
    assert faults(page) == []

    is_seen(browsing, name)
    is_seen(browsing, name, viewport=PHONE, locale="ar")

    own.get_by_role("button", name="Take the photo away").click()
    expect(own.get_by_label("Add a photo")).to_be_focused()
    expect(own.locator("img")).to_have_count(0)
    anyone = browsing.open(f"/p/{doctor.subject}")
    expect(anyone.locator(".who .avatar")).to_be_visible()
    expect(anyone.locator(".who img")).to_have_count(0)


def test_a_clinic_has_a_photo(browsing: Browsing) -> None:
    """Set by its administration on the page of its data, seen beside its doctors'."""
    page = browsing.open("/clinic/edit", "clinic")
    own = field(page)
    own.get_by_label("Add a photo").set_input_files(photo("house.jpg", (900, 600)))
    expect(own.locator("img")).to_be_visible()
    page.reload()
    expect(field(page).locator("img")).to_be_visible()
    assert faults(page) == []
    doctor = Doctor(page, browsing)
    visitor = browsing.open(f"/p/{doctor.subject}")
    place = visitor.locator("img.place")
    place.scroll_into_view_if_needed()
    expect(place).to_be_visible()
    visitor.wait_for_function(NATURAL, arg=place.element_handle())
    assert faults(visitor) == []
