"""Notices in the browser: the inbox, what one hears of, links of mails."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from playwright.sync_api import Page, expect

from tests.web.conftest import Browsing
from tests.web.test_accounts import (
    PASSWORD,
    address_of,
    here,
    join,
    log_in,
    mailed,
)


def book(page: Page, browsing: Browsing, address: str) -> dict[str, Any]:
    """Book by REST, as a program of the person would."""
    ask, site = page.request, f"{browsing.address}/v1"
    body = {"email": address, "password": PASSWORD, "delivery": "body"}
    signed = ask.post(f"{site}/auth/login", data=body).json()
    head = {"Authorization": f"Bearer {signed['access_token']}"}
    (provider, *_) = ask.get(f"{site}/providers?sort=soonest&limit=1").json()["items"]
    kind = provider["visit_types"][0]["visit_type"]
    today = datetime.now(UTC).date()
    days = [(today + timedelta(days=one)).isoformat() for one in (3, 20)]
    where = f"{site}/providers/{provider['provider_id']}"
    query = f"visit_type={kind}&from={days[0]}&to={days[1]}"
    slots = ask.get(f"{where}/slots?{query}").json()["slots"]
    start = next(one["start"] for one in slots if one["state"] == "free")
    wanted = {
        "provider_id": provider["provider_id"],
        "visit_type": kind,
        "start": start,
    }
    booked = ask.post(f"{site}/bookings", data=wanted, headers=head)
    assert booked.status == 201, booked.text()
    return dict(provider)


def test_a_booking_is_told_and_its_mails_can_be_stopped(browsing: Browsing) -> None:
    """It comes into the open inbox and the badge, and is unread until it is read. The
    mail's link shows what it stops and stops it when it is told to; the choices say
    so."""
    page, address = browsing.page_of(browsing.person()), address_of()
    join(page, browsing, address)
    log_in(page, browsing, address, PASSWORD)
    expect(page.get_by_role("heading", name="My visits")).to_be_visible()
    page.goto(f"{browsing.address}/me/notices")
    expect(page.get_by_text("Nothing yet.")).to_be_visible()
    provider = book(page, browsing, address)
    row = page.locator("li", has_text="A visit was booked")
    expect(row).to_contain_text(provider["name"])
    expect(page.locator(".account")).to_contain_text("1 unread notice")
    link = mailed(page, browsing, address, "unsubscribe")
    page.goto(f"{browsing.address}/me/notices")
    row.get_by_role("button", name="Mark as read").click()
    expect(row.get_by_role("button")).to_have_count(0)
    expect(page.locator(".account .unread")).to_have_count(0)
    reminder = page.get_by_role("group", name="Reminder of a visit")
    reminder.get_by_label("Text message").uncheck()
    expect(page.get_by_text("Saved.")).to_be_attached()
    page.goto(here(link, browsing))
    expect(page).not_to_have_url(re.compile("token"))
    expect(page.get_by_text("A visit was booked")).to_be_visible()
    page.get_by_role("button", name="Stop these messages").click()
    expect(page.get_by_text("These messages are stopped")).to_be_visible()
    page.goto(f"{browsing.address}/me/notices")
    booked = page.get_by_role("group", name="A visit was booked")
    expect(booked.get_by_label("E-mail")).not_to_be_checked()
    expect(reminder.get_by_label("Text message")).not_to_be_checked()
    expect(reminder.get_by_label("E-mail")).to_be_checked()


def test_an_operator_sees_what_people_are_told(browsing: Browsing) -> None:
    """In the language that is asked for, and the page of a mail in a tab of its own."""
    page = browsing.open("/ops/notices", "operator")
    expect(page.get_by_role("heading", name="Texts of messages")).to_be_visible()
    page.get_by_label("Language").select_option("ar")
    shown = page.locator("details", has_text="Dr. Ada Example")
    expect(shown).to_have_count(10)
    shown.first.locator("summary").click()
    expect(shown.first.locator("pre").first).to_have_attribute("lang", "ar")
    with page.context.expect_page() as opened:
        shown.first.get_by_role("link", name="See the page of the mail").click()
    expect(opened.value.locator("html")).to_have_attribute("dir", "rtl")
    expect(opened.value.locator("body")).to_contain_text("Mira Berg")


FAKE_BROWSER = """
Object.defineProperty(Notification, "permission",
  { get: () => window.allowed ?? "default" });
Notification.requestPermission = async () => (window.allowed = "granted");
let made = JSON.parse(localStorage.getItem("made") ?? "null");
const shape = (one) => one && { ...one, toJSON: () => one, unsubscribe: async () => {
  made = null; localStorage.removeItem("made"); return true; } };
PushManager.prototype.getSubscription = async () => shape(made);
PushManager.prototype.subscribe = async ({ applicationServerKey }) => {
  if (applicationServerKey.length !== 87) throw new Error("no key");
  made = { endpoint: "https://push.example.org/send/1",
    keys: { p256dh: "B" + "A".repeat(86), auth: "A".repeat(22) } };
  localStorage.setItem("made", JSON.stringify(made));
  return shape(made);
};
"""
"""A push service of the browser's maker, which no test can reach."""


def test_a_device_shows_notices_once_it_is_asked(browsing: Browsing) -> None:
    """The switch subscribes with the site's key and says so after a reload; what the
    worker is given it shows, and nothing else."""
    page, address = browsing.page_of(browsing.person()), address_of()
    page.add_init_script(FAKE_BROWSER)
    join(page, browsing, address)
    log_in(page, browsing, address, PASSWORD)
    expect(page.get_by_role("heading", name="My visits")).to_be_visible()
    page.goto(f"{browsing.address}/me/notices")
    switch = page.get_by_label("Show notices on this device")
    switch.click()
    expect(switch).to_be_checked()
    page.reload()
    expect(switch).to_be_checked()
    switch.click()
    expect(switch).not_to_be_checked()
    page.context.grant_permissions(["notifications"], origin=browsing.address)
    told = {"tag": "ntc_1", "title": "Slotcast", "body": "A visit.", "page": "/x"}
    shown = _pushed(page, browsing, json.dumps(told))
    assert shown == [["ntc_1", "Slotcast", "A visit.", "/x"]]


def _pushed(page: Page, browsing: Browsing, data: str) -> list[list[Any]]:
    """Deliver a message to the worker; what is on the screen afterwards."""
    session = page.context.new_cdp_session(page)
    found: list[str] = []
    session.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda said: found.extend(
            one["registrationId"] for one in said["registrations"]
        ),
    )
    before = page.evaluate(SHOWN)
    session.send("ServiceWorker.enable")
    while not found:
        page.wait_for_timeout(50)
    where = {"origin": browsing.address, "registrationId": found[0]}
    session.send("ServiceWorker.deliverPushMessage", {**where, "data": data})
    page.wait_for_function(
        f"async (n) => (await ({SHOWN})()).length > n", arg=len(before)
    )
    return list(page.evaluate(SHOWN))


SHOWN = """async () => (await (await navigator.serviceWorker.ready).getNotifications())
  .map((one) => [one.tag, one.title, one.body, one.data])"""
