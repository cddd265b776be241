"""Documents: a patient hands a photo of a letter in by phone, the doctor reads it and
hands in another."""

from __future__ import annotations

from playwright.sync_api import FilePayload, Locator, Page, expect

from tests.fixtures.documents import a_pdf, a_photo
from tests.web.conftest import PHONE, Browsing
from tests.web.test_access import faults
from tests.web.test_waiting import Doctor, Person


def documents_of(page: Page, row: Locator) -> Locator:
    """The dialog of a visit's documents."""
    row.get_by_role("button", name="Documents").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Add a document")).to_be_enabled()
    return dialog


def is_downloaded(page: Page, button: Locator, name: str) -> bytes:
    """What a download of this name has in it."""
    with page.expect_download() as begun:
        button.click()
    assert begun.value.suggested_filename == name
    return begun.value.path().read_bytes()


def file(name: str, kind: str, content: bytes) -> FilePayload:
    return {"name": name, "mimeType": kind, "buffer": content}


def hand_in_by_phone(page: Page, dialog: Locator) -> bytes:
    """A file that is refused, and a photo; what is kept of it."""
    wrong = file("letter.docx", "application/zip", b"PK\x03\x04 of a word processor")
    dialog.get_by_label("Add a document").set_input_files(wrong)
    expect(dialog).to_contain_text("Refused: it is no PDF and no picture.")
    dialog.get_by_role("button", name="Remove letter.docx").click()
    expect(dialog.locator(".documents > li")).to_have_count(0)
    expect(dialog.get_by_label("Add a document")).to_be_focused()
    photo = file("referral.png", "image/png", a_photo("PNG"))
    dialog.get_by_label("Or take a photo of it").set_input_files(photo)
    saving = dialog.get_by_role("button", name="Download referral.jpg")
    expect(saving).to_be_visible()
    assert faults(page) == []
    content = is_downloaded(page, saving, "referral.jpg")
    assert content.startswith(b"\xff\xd8")
    assert b"Phone of Ada" not in content
    return content


def answer_at_desk(desk: Page, row: Locator, content: bytes) -> None:
    """The doctor reads the photo, and hands in a PDF."""
    own = documents_of(desk, row)
    saving = own.get_by_role("button", name="Download referral.jpg")
    expect(saving).to_be_visible()
    assert faults(desk) == []
    assert is_downloaded(desk, saving, "referral.jpg") == content
    expect(own.get_by_role("button", name="Remove referral.jpg")).to_have_count(0)
    letter = file("findings.pdf", "application/pdf", a_pdf())
    own.get_by_label("Add a document").set_input_files(letter)
    expect(own.get_by_role("button", name="Download findings.pdf")).to_be_visible()


def test_a_document_goes_from_a_phone_to_the_doctor_and_back(
    browsing: Browsing,
) -> None:
    """A photo from a phone is sent, checked and downloaded without the place; a file of
    another kind is refused in words; the doctor reads the photo at the visit, and hands
    in a PDF that the patient reads, and cannot remove. On a phone, in the dark, in
    Arabic, without a fault."""
    desk = browsing.open("/", "doctor", reduced_motion="reduce")
    doctor = Doctor(desk, browsing)
    phone = {"viewport": PHONE, "color_scheme": "dark", "reduced_motion": "reduce"}
    page = browsing.open("/me/visits", "patient", **phone)
    patient = Person(page, browsing, "patient")
    booking = patient.book(doctor.subject)
    start = str(patient.get(f"bookings/{booking}")["start"])
    visit = page.locator(f'[id="{booking}"]')
    content = hand_in_by_phone(page, documents_of(page, visit))

    desk.goto(f"{browsing.address}/desk/day/{doctor.subject}?date={start[:10]}")
    row = desk.locator(f'li.visit:has(time[datetime="{start}"])')
    answer_at_desk(desk, row, content)

    page.reload()
    dialog = documents_of(page, visit)
    saving = dialog.get_by_role("button", name="Download findings.pdf")
    assert is_downloaded(page, saving, "findings.pdf") == a_pdf()
    expect(dialog.get_by_role("button", name="Remove findings.pdf")).to_have_count(0)
    page.evaluate("localStorage.setItem('slotcast.locale', 'ar')")
    page.reload()
    visit.get_by_role("button", name="المستندات").click()
    expect(page.get_by_role("dialog")).to_contain_text("من العيادة")
    assert faults(page) == []
