"""Invitations, people who are cared for, and what a person learns about their data."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.web.conftest import Browsing, Opened
from tests.web.test_accounts import (
    PASSWORD,
    address_of,
    here,
    join,
    log_in,
    mailed,
)


def test_an_invited_person_works_at_the_clinic(browsing: Browsing) -> None:
    """By the link of the mail, with the account that is signed in."""
    clinic = browsing.open("/clinic", "clinic")
    person, address = browsing.page_of(browsing.person()), address_of()
    join(person, browsing, address)
    clinic.get_by_label("E-mail address").fill(address)
    clinic.get_by_role("button", name="Invite", exact=True).click()
    expect(clinic.locator(".memberrow", has_text=address)).to_contain_text("open")
    log_in(person, browsing, address, PASSWORD)
    expect(person.get_by_role("heading", name="My visits")).to_be_visible()
    person.goto(here(mailed(person, browsing, address, "invitation"), browsing))
    expect(person).not_to_have_url(re.compile("token"))
    person.get_by_role("button", name="Accept").click()
    expect(person.get_by_role("heading", name="An invitation")).to_have_count(0)
    clinic.reload()
    row = clinic.locator(".memberrow", has_text=address)
    expect(row.filter(has_text="reception")).to_have_count(1)


def test_a_parent_adds_a_child(browsing: Browsing) -> None:
    """And may act for it from then on."""
    page, address = browsing.page_of(browsing.person()), address_of()
    join(page, browsing, address)
    log_in(page, browsing, address, PASSWORD)
    expect(page.get_by_role("heading", name="My visits")).to_be_visible()
    page.goto(f"{browsing.address}/me/settings")
    page.get_by_role("button", name="Add a child").click()
    section = page.locator("section", has_text="People I care for").last
    section.get_by_label("Given name").fill("Lea")
    section.get_by_label("Family name").fill("Berg")
    section.get_by_label("Born on").fill("2019-05-04")
    section.get_by_role("button", name="Add", exact=True).click()
    expect(section.get_by_text("You act for 1 person.")).to_be_visible()
    page.get_by_role("button", name="Account").click()
    page.get_by_role("button", name="Act for Lea Berg").click()
    own = page.get_by_role("button", name="Account: Lea Berg, guardian")
    expect(own).to_be_visible()


def test_a_person_takes_all_their_data_along(opened: Opened) -> None:
    """As a page to read, from the settings."""
    page = opened("/me/settings", "patient")
    expect(page.get_by_role("heading", name="Who saw my data")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="To read (HTML)").click()
    assert "<html" in download.value.path().read_text("utf-8").lower()
