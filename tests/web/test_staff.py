"""A clinic's administration: emergency access is reviewed, doctors are suspended."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import quote

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.fixtures.cluster import wait_until
from tests.fixtures.patients import PATIENCE_S
from tests.fixtures.server import ServerProcess
from tests.web.conftest import PHONE, Browsing
from tests.web.test_access import TOO_WIDE, faults
from tests.web.test_waiting import Doctor, Person

LOOKS: Final[list[dict[str, Any]]] = [
    {"viewport": PHONE, "locale": "ar"},
    {"color_scheme": "dark"},
]
REASON = "Found unconscious, nothing known of allergies"


@pytest.fixture(scope="module")
def site(training_site: ServerProcess) -> ServerProcess:
    """A server whose clinic may change: others' tests need theirs as it is."""
    return training_site


def test_emergency_access_is_reviewed_by_name(browsing: Browsing) -> None:
    """Who took it and whose data it was, as far as the clinic knows the patient; on the
    clinic's clock, with the reason."""
    page = browsing.open("/clinic", "clinic")
    doctor, guardian = (Person(page, browsing, one) for one in ("doctor", "guardian"))
    child = guardian.subject
    doctor.post(f"patients/{child}/break-glass", {"reason": REASON})
    provider = doctor.get(f"providers/{doctor.subject}")
    clinic = provider["clinic"]["clinic_id"]
    page.goto(f"{browsing.address}/clinics/{clinic}/glass")
    opened = page.locator("li.card", has_text=REASON)
    title = opened.get_by_role("heading")
    expect(title).to_contain_text(f"{provider['name']} opened the data of a patient")
    expect(title).to_contain_text(f"whom the clinic does not know {child}")
    city = provider["clinic"]["time_zone"].rpartition("/")[2].replace("_", " ")
    expect(page.get_by_text(f"Times are those of {city}.")).to_be_visible()
    assert faults(page) == []

    guardian.book(doctor.subject)  # from now on the clinic knows the child
    page.reload()
    expect(title).to_contain_text(re.compile("opened the data of Lea"))
    opened.get_by_role("button", name="It was justified").press("Enter")
    expect(opened.get_by_text("Reviewed by")).to_be_visible()
    expect(opened).to_be_focused()
    for look in LOOKS:
        other = _administration(browsing, page.url, look)
        expect(other.locator("li.card h2")).to_contain_text("Lea")
        assert faults(other) == []
        assert other.evaluate(TOO_WIDE) <= 0


class Suspending:
    """The demo's doctor and the pages of the administration and an operator."""

    def __init__(self, browsing: Browsing) -> None:
        self.admin = browsing.open("/clinic", "clinic")
        self.operator = browsing.open("/", "operator")
        self.doctor = Doctor(self.admin, browsing)
        self.doctor.open_all_day()
        self.doctor.book_for("Greta", "Holm")
        provider = self.doctor.get(f"providers/{self.doctor.subject}")
        self.name, self.clinic = provider["name"], provider["clinic"]["name"]

    def row(self, page: Page) -> Locator:
        """The doctor among those of the clinic."""
        return page.locator(f'[data-provider="{self.doctor.subject}"]')

    def suspend(self, reason: str) -> None:
        """By the clinic; what is booked is named."""
        page, row = self.admin, self.row(self.admin)
        row.get_by_role("button", name=f"Suspend {self.name}").press("Enter")
        dialog = page.get_by_role("dialog")
        title = dialog.get_by_role("heading", name=f"Suspend {self.name}")
        expect(title).to_be_focused()
        send = dialog.get_by_role("button", name="Suspend", exact=True)
        send.click()
        expect(dialog.get_by_role("alert")).to_contain_text("Write the reason")
        assert faults(page) == []
        dialog.get_by_label("Reason").fill(reason)
        send.click()
        title = dialog.get_by_role("heading", name="is suspended")
        expect(title).to_be_focused()
        expect(dialog.get_by_text("Greta Holm")).to_be_visible()
        assert faults(page) == []
        dialog.get_by_role("button", name="Close").press("Enter")
        expect(row.locator(".chip")).to_have_text("suspended")
        again = row.get_by_role("button", name=f"Let {self.name} work again")
        expect(again).to_be_focused()

    def reinstate(self, reason: str) -> None:
        """By an operator, who finds the clinic and reads why."""
        page, row = self.operator, self.row(self.operator)
        page.get_by_role("link", name="Clinics", exact=True).click()
        page.get_by_label("Name or town").fill(self.clinic)
        page.get_by_role("link", name=self.clinic).click()
        row.get_by_role("button", name=f"Let {self.name} work again").press("Enter")
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text(reason)
        assert faults(page) == []
        dialog.get_by_role("button", name="Let work again").press("Enter")
        expect(row.locator(".chip")).to_have_count(0)
        button = row.get_by_role("button", name=f"Suspend {self.name}")
        expect(button).to_be_focused()

    def is_found(self) -> bool:
        """Whether a patient's search finds the doctor."""
        found = self.doctor.get(f"providers?query={quote(self.name)}")["items"]
        return self.doctor.subject in {one["provider_id"] for one in found}

    def is_offered(self) -> bool:
        """Whether anything can be booked."""
        where = f"providers/{self.doctor.subject}/slots"
        return bool(self.doctor.get(where)["slots"])


def test_a_suspended_doctor_is_neither_found_nor_booked(browsing: Browsing) -> None:
    """Suspended by the clinic with a reason that the doctor reads, let work again by an
    operator; the focus comes back from each dialog to where it was."""
    own, reason = browsing.open("/", "doctor"), "The licence is being examined."
    it = Suspending(browsing)
    it.admin.reload()
    it.suspend(reason)
    assert not it.is_offered()
    wait_until(lambda: not it.is_found(), PATIENCE_S)
    public = browsing.open(f"/?q={quote(it.name)}")
    expect(public.locator('.results[aria-busy="false"]')).to_be_attached()
    expect(public.locator(".result", has_text=it.name)).to_have_count(0)
    own.goto(f"{browsing.address}/desk/day/{it.doctor.subject}")
    notice = own.locator(".suspended")
    expect(notice).to_contain_text(reason)
    assert faults(own) == []
    it.reinstate(reason)
    own.reload()
    expect(own.locator(".day")).to_be_visible()
    expect(notice).to_have_count(0)
    assert it.is_offered()
    wait_until(it.is_found, PATIENCE_S)


@pytest.mark.parametrize("look", LOOKS, ids=["arabic", "dark"])
def test_the_dialog_of_a_suspension_is_accessible(
    browsing: Browsing, look: dict[str, Any]
) -> None:
    """Dark, and from right to left on a phone; Escape leaves all as it is."""
    page = _administration(browsing, f"{browsing.address}/clinic", look)
    button = page.locator('[data-provider] button[aria-haspopup="dialog"]').first
    button.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_be_focused()
    assert faults(page) == []
    assert page.evaluate(TOO_WIDE) <= 0
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(button).to_be_focused()


def _administration(browsing: Browsing, url: str, look: dict[str, Any]) -> Page:
    """A page of the clinic's administration, in whatever language."""
    page = browsing.page_of(browsing.person(**look))
    page.goto(browsing.address + "/login")
    page.locator(".demo-people button").nth(2).click()
    page.locator('button[popovertarget="account-menu"]').wait_for()
    page.goto(url)
    return page
