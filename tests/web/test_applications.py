"""Doctors apply at a clinic, which decides; emergency access is reviewed."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.web.conftest import Browsing, Opened
from tests.web.test_access import faults


def _apply(
    page: Page, browsing: Browsing, clinic: str, name: str, licence: str
) -> None:
    page.goto(f"{browsing.address}/me/settings")
    page.get_by_role("link", name="Work here as a doctor").click()
    expect(page.get_by_role("heading", name="Apply at a clinic")).to_be_visible()
    assert faults(page) == []
    page.get_by_label("Find the clinic").fill(clinic)
    expect(page.locator("#apply-clinic option")).to_have_count(1)
    page.get_by_role("button", name="Send the application").click()
    expect(page.get_by_role("alert")).to_contain_text("fill this in")
    page.get_by_label("Your name").fill(name)
    page.get_by_label("Specialty").fill("Cardiology")
    page.get_by_label("Number of your licence").fill(licence)
    page.get_by_label("Country of the licence").fill("gb")
    page.get_by_role("button", name="Send the application").click()
    expect(page.get_by_text("has not decided yet").first).to_be_visible()


def test_a_clinic_approves_a_doctor_who_is_then_found(browsing: Browsing) -> None:
    """And rejects another one, who reads why."""
    admin = browsing.open("/clinic", "clinic")
    heading = admin.get_by_role("heading", level=1)
    expect(heading).to_be_visible()
    clinic = heading.inner_text()
    doctor = browsing.open("/", "patient")
    _apply(doctor, browsing, clinic, "Dr Ada Marlowe", "A-1")
    _apply(doctor, browsing, clinic, "Dr Eve Unknown", "E-2")
    admin.reload()
    admin.get_by_role("button", name="Reject Dr Eve Unknown").click()
    admin.get_by_label("Why? The doctor reads it.").fill("The licence has expired.")
    admin.get_by_role("button", name="Reject", exact=True).click()
    expect(admin.get_by_text("Reason: The licence has expired.")).to_be_visible()
    admin.get_by_role("button", name="Approve Dr Ada Marlowe").click()
    expect(admin.get_by_role("button", name="Approve Dr Ada Marlowe")).to_have_count(0)
    assert faults(admin) == []
    doctor.reload()
    expect(doctor.get_by_text("The licence has expired.")).to_be_visible()
    expect(doctor.get_by_text("Approved. Sign in again")).to_be_visible()
    public = browsing.open("/?q=Marlowe")
    expect(public.locator(".result", has_text="Dr Ada Marlowe")).to_be_visible()


def test_the_link_of_a_mail_leads_to_the_review(opened: Opened) -> None:
    """The clinic's own people only; another clinic's page says nothing of it."""
    page = opened("/clinic", "clinic")
    page.get_by_role("heading", name="Applications of doctors").wait_for()
    token = page.evaluate("sessionStorage.getItem('slotcast.context')")
    clinic = re.sub("^clinic_admin ", "", token)
    page.goto(page.url.replace("/clinic", f"/#/clinics/{clinic}/glass"))
    expect(page.get_by_text("Nothing was opened in an emergency.")).to_be_visible()
    assert faults(page) == []
    page.goto(page.url.replace(clinic, "cln_9"))
    expect(page.get_by_role("alert")).to_be_visible()
