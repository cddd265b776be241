"""Clinics, doctors and operators edit the directory in the app; patients find it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, Request, expect

from tests.fixtures.server import ServerProcess
from tests.web.conftest import PHONE, Browsing
from tests.web.test_access import faults_of_looks


@pytest.fixture(scope="module")
def site(training_site: ServerProcess) -> ServerProcess:
    """A server whose clinics may change."""
    return training_site


FOUND = ".result:not(.bones)"
"""What a search found; the bones stand there until it is known."""


SEARCHES = 100
"""An edit is found within a second; a search takes a tenth of one and more."""


def found_by(page: Page, words: str, text: str) -> list[str]:
    """What a search finds once ``text`` is in its first result: it hears of edits.

    ``text`` "": once it finds nothing.
    """
    texts: list[str] = []
    for _ in range(SEARCHES):
        page.goto(f"{page.url.partition('/?')[0].rstrip('/')}/?{words}")
        results = page.get_by_role("region", name="Results")
        expect(results.get_by_role("status")).to_contain_text(re.compile(r"\w"))
        expect(page.locator(".bones")).to_have_count(0)
        texts = page.locator(FOUND).all_inner_texts()
        if (text in texts[0]) if text and texts else not (text or texts):
            break
    return texts


def saved(page: Page) -> None:
    """Save, and see that it is."""
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".savebar")).to_contain_text("Saved.")


def entry_of_first(page: Page) -> str:
    """Open the entry of the clinic's first doctor; their name."""
    row = page.locator(".staffrow").first
    name = row.locator("h3 bdi").inner_text()
    row.get_by_role("link", name="Entry").click()
    expect(page.locator(".service").first).to_be_visible()
    return name


def test_what_is_edited_is_found(browsing: Browsing) -> None:
    """A clinic edits a doctor, and a patient's search finds them by all of it.

    What was typed stays through a refusal, and the wrong field is named.
    """
    page = browsing.open("/clinic", "clinic")
    name = entry_of_first(page)
    page.get_by_label("Specialty").fill("Orthodontics")
    languages = page.get_by_label("Languages that are spoken")
    languages.fill("Swahili")
    languages.press("Enter")
    expect(page.get_by_role("button", name="Remove Swahili")).to_be_visible()
    page.get_by_label("Insurances").fill("Nordlicht, nordlicht")
    price = page.locator(".service").first.get_by_label("Price")
    price.fill("sixty")
    page.get_by_role("button", name="Save", exact=True).click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("What you typed is still here")
    alert.get_by_role("link").click()
    expect(price).to_be_focused()
    expect(price).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Specialty")).to_have_value("Orthodontics")
    price.fill("62,50")
    page.get_by_label("By video or telephone").first.check()
    saved(page)
    words = "q=orthodontist&insurance=nordlicht&language=sw"
    (card,) = found_by(browsing.open(), words, name)
    assert name in card


def test_a_clinic_is_found_where_it_says_it_is(browsing: Browsing) -> None:
    """Another town is found by its patients; a pair of numbers fills both fields."""
    page = browsing.open("/clinic/edit", "clinic")
    page.get_by_label("Town").fill("Quendale")
    page.get_by_label("Latitude").fill("-34.9285, 138.6007")
    expect(page.get_by_label("Longitude")).to_have_value("138.6007")
    saved(page)
    assert "Quendale" in found_by(browsing.open(), "q=quendale", "Quendale")[0]
    page.reload()
    expect(page.get_by_label("Town")).to_have_value("Quendale")


def test_two_editors_lose_nothing(browsing: Browsing) -> None:
    """The second is told, keeps what they typed, and sees what was saved meanwhile."""
    one, two = (browsing.open("/clinic/edit", "clinic") for _ in range(2))
    for page in (one, two):
        expect(page.get_by_label("Phone")).to_be_visible()
    one.get_by_label("Phone").fill("+61 8 5550 1111")
    one.get_by_label("Postcode").fill("5001")
    saved(one)
    two.get_by_label("Phone").fill("+61 8 5550 2222")
    two.get_by_label("Street and number").fill("2 Second Street")
    two.get_by_role("button", name="Save", exact=True).click()
    expect(two.get_by_role("alert")).to_contain_text("Another person saved")
    expect(two.get_by_label("Phone")).to_have_value("+61 8 5550 2222")
    expect(two.get_by_label("Street and number")).to_have_value("2 Second Street")
    expect(two.get_by_label("Postcode")).to_have_value("5001")
    expect(two.locator(".theirs")).to_contain_text("+61 8 5550 1111")
    two.get_by_role("button", name="Take this").click()
    expect(two.get_by_label("Phone")).to_have_value("+61 8 5550 1111")
    expect(two.locator(".theirs")).to_have_count(0)
    saved(two)
    one.reload()
    expect(one.get_by_label("Street and number")).to_have_value("2 Second Street")


def test_unsaved_changes_are_not_left_without_a_question(browsing: Browsing) -> None:
    """By a link or the back button; staying keeps what was typed, leaving leaves."""
    page = browsing.open("/clinic", "clinic", viewport=PHONE)
    page.get_by_role("link", name="Edit the data").click()
    page.get_by_label("Website").fill("not an address")
    page.go_back()
    dialog = page.get_by_role("dialog", name="Leave without saving?")
    expect(dialog).to_be_visible()
    assert faults_of_looks(page, "phone") == {}
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.get_by_label("Website")).to_have_value("not an address")
    page.get_by_role("link", name="Back to the clinic").click()
    dialog.get_by_role("button", name="Leave without saving").click()
    expect(page.locator(".staffrow").first).to_be_visible()


def test_a_doctor_edits_what_is_theirs(browsing: Browsing) -> None:
    """Languages, text and prices; name and specialty are the clinic's to change."""
    page = browsing.open("/", "doctor")
    link = page.locator('.places a[href^="/desk/day/"]')
    own = (link.get_attribute("href") or "").rpartition("/")[2]
    page.goto(f"{browsing.address}/desk/entry/{own}")
    expect(page.get_by_label("Name")).to_have_attribute("readonly", "")
    page.get_by_label("About").fill("Listens. Then asks.")
    page.get_by_label("New patients are accepted").uncheck()
    saved(page)
    page.reload()
    expect(page.get_by_label("About")).to_have_value("Listens. Then asks.")
    expect(page.get_by_label("New patients are accepted")).not_to_be_checked()
    patient = browsing.open(f"/p/{own}")
    expect(patient.get_by_text("Listens. Then asks.")).to_be_visible()
    expect(patient.get_by_text("are not accepted just now")).to_be_visible()


def test_a_clinic_is_retired_and_comes_back(browsing: Browsing) -> None:
    """What happens to visits ahead is said before; afterwards no search finds it."""
    page = browsing.open("/clinic", "clinic")
    expect(page.locator(".staffrow").first).to_be_visible()
    names = page.locator(".staffrow h3 bdi").all_inner_texts()
    page.get_by_role("link", name="Edit the data").click()
    page.get_by_role("button", name="Retire the clinic …").click()
    dialog = page.get_by_role("dialog")
    for name in names:
        expect(dialog).to_contain_text(name)
    expect(dialog).to_contain_text("stay booked")
    expect(dialog.get_by_text(re.compile("visits? ahead")).first).to_be_visible()
    assert faults_of_looks(page, "latin") == {}
    dialog.get_by_role("button", name="Retire", exact=True).click()
    expect(dialog.get_by_role("heading")).to_contain_text("is retired")
    dialog.get_by_role("button", name="Close").click()
    patient = browsing.open()
    assert found_by(patient, f"q={names[0]}", "") == []
    page.get_by_role("button", name="Reactivate the clinic …").click()
    dialog.get_by_role("button", name="Reactivate", exact=True).click()
    dialog.get_by_role("button", name="Close").click()
    assert names[0] in found_by(patient, f"q={names[0]}", names[0])[0]


def test_an_operator_adds_a_clinic_and_a_specialty(browsing: Browsing) -> None:
    """The clinic is found by its name; the specialty's synonym by any patient."""
    page = browsing.open("/clinic", "operator")
    page.get_by_role("link", name="Add a clinic").click()
    save = page.get_by_role("button", name="Save", exact=True)
    expect(save).to_be_disabled()
    page.get_by_role("textbox", name="Name").fill("Praxis Nordkap")
    page.get_by_label("Country").fill("de")
    expect(page.get_by_text("Germany")).to_be_visible()
    page.get_by_label("Time zone").fill("Europe/Berlin")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("button", name="To the clinic").click()
    expect(page.get_by_role("heading", name="Praxis Nordkap")).to_be_visible()
    page.goto(f"{browsing.address}/ops/specialties?specialty=dermatology")
    english = page.get_by_label("Synonyms").first
    english.fill("zitsqueezer")
    english.press("Enter")
    saved(page)
    page.goto(f"{browsing.address}/ops/specialties")
    page.get_by_label("Title or synonym").fill("zitsq")
    expect(page.locator(".clinicrow")).to_have_count(1)


def test_calendar_addresses_are_made_shown_once_and_removed(browsing: Browsing) -> None:
    """A program reads the address until it is removed; then it answers 404."""
    page = browsing.open("/me/feeds", "patient")
    page.get_by_label("Where you will use it").fill("My phone")
    page.get_by_role("button", name="Make the address").click()
    expect(page.get_by_role("heading", name="The address is made")).to_be_focused()
    address = page.get_by_label("Address", exact=True).input_value()
    opens = page.get_by_role("link", name="Open in the calendar of this device")
    webcal = opens.get_attribute("href") or ""
    assert webcal == re.sub("^https?:", "webcal:", address)
    assert faults_of_looks(page, "latin") == {}
    path = address[address.index("/feeds/") :]
    read = page.request.get(browsing.address + path)
    assert read.text().startswith("BEGIN:VCALENDAR")
    told: list[Request] = []
    page.on("request", lambda one: told.append(one))
    page.reload()
    row = page.locator(".session", has_text="My phone")
    expect(row).to_contain_text("last read")
    assert address.rpartition("/")[2] not in page.content()
    row.get_by_role("button", name="Remove My phone …").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove", exact=True).click()
    expect(row).to_have_count(0)
    assert page.request.get(browsing.address + path).status == 404
    assert not [one for one in told if path in one.url]
