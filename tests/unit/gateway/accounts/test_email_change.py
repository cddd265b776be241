"""Changing an account's e-mail address, and attacks on it."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.fixtures.accounts import MIRA, PASSWORD, AccountApi, bearer
from tests.fixtures.factors import coded

NEW = "mira.new@example.org"
SAM = "sam@example.org"
OTHER_PASSWORD = "seven quiet harbours"


async def _mails(site: AccountApi) -> list[tuple[str, str]]:
    latest = await site.outgoing.latest(20)
    return [(one.message.kind, one.message.recipient) for one in latest]


async def _token_to(site: AccountApi, email: str) -> str:
    for one in await site.outgoing.latest(20):
        if one.message.recipient == email and "token=" in one.message.text:
            return one.message.text.split("token=")[1].split()[0]
    raise AssertionError(f"no link went to {email}")


async def test_an_address_changes_once_it_is_confirmed(
    site: AccountApi, mira: dict[str, Any]
) -> None:
    """Until then the old one signs in; it is told at once; the link works once."""
    answer = await site.post("email/change", {"email": NEW}, bearer(mira))
    assert (answer.status_code, answer.json()) == (202, {"status": "accepted"})
    assert {("change_email", NEW), ("email_changes", MIRA)} <= set(await _mails(site))
    assert (await site.me(mira)).json()["email"] == MIRA
    token = await _token_to(site, NEW)
    answers = [await site.post("verify-email", {"token": token}) for _ in range(2)]
    assert [one.status_code for one in answers] == [200, 410]
    assert (await site.me(mira)).json()["email"] == NEW
    assert await site.sign_in(NEW)
    old = {"email": MIRA, "password": PASSWORD, "delivery": "body"}
    assert coded(await site.post("login", old)) == (401, "invalid_credentials")


async def test_an_old_proof_changes_no_address(
    site: AccountApi, mira: dict[str, Any]
) -> None:
    """Older than ten minutes it is refused, and nothing is sent."""
    site.clock.step(601)
    late = (await site.refresh(mira["refresh_token"])).json()
    before = await _mails(site)
    answer = await site.post("email/change", {"email": NEW}, bearer(late))
    assert coded(answer) == (403, "reauthentication_required")
    assert await _mails(site) == before


async def test_a_taken_address_is_not_told(
    site: AccountApi, mira: dict[str, Any]
) -> None:
    """The answer is the same to the byte; its owner gets a mail without a link."""
    await site.register(SAM, OTHER_PASSWORD)
    taken = await site.post("email/change", {"email": SAM.upper()}, bearer(mira))
    free = await site.post("email/change", {"email": NEW}, bearer(mira))
    assert (taken.status_code, taken.content) == (free.status_code, free.content)
    assert ("change_email", SAM) not in await _mails(site)
    assert (await site.sign_in(SAM, OTHER_PASSWORD))["context"]["role"] == "patient"


async def test_an_address_that_was_taken_meanwhile_stays_its_owners(
    site: AccountApi, mira: dict[str, Any]
) -> None:
    """The link of the change is dead, and the other account is untouched."""
    await site.post("email/change", {"email": NEW}, bearer(mira))
    token = await _token_to(site, NEW)
    site.clock.step(1)  # registering takes the newest link, and both go to one address
    await site.register(NEW, OTHER_PASSWORD)
    answer = await site.post("verify-email", {"token": token})
    assert coded(answer) == (410, "link_expired")
    assert (await site.me(mira)).json()["email"] == MIRA
    assert await site.sign_in(NEW, OTHER_PASSWORD)


async def test_links_in_the_old_mailbox_die_with_the_change(
    site: AccountApi, mira: dict[str, Any]
) -> None:
    """A reset that waits there cannot take the account back."""
    await site.post("password/forgot", {"email": MIRA})
    reset = await _token_to(site, MIRA)
    await site.post("email/change", {"email": NEW}, bearer(mira))
    answer = await site.post("verify-email", {"token": await _token_to(site, NEW)})
    assert answer.status_code == 200
    body = {"token": reset, "password": OTHER_PASSWORD}
    assert coded(await site.post("password/reset", body)) == (410, "link_expired")


async def test_a_link_is_used_once_by_many(
    site: AccountApi, mira: dict[str, Any]
) -> None:
    """Eight at once: one confirms."""
    await site.post("email/change", {"email": NEW}, bearer(mira))
    token = await _token_to(site, NEW)
    answers = await asyncio.gather(
        *(site.post("verify-email", {"token": token}) for _ in range(8))
    )
    assert sorted(one.status_code for one in answers) == [200] + [410] * 7


async def test_people_of_a_demo_keep_their_address(site: AccountApi) -> None:
    """All visitors share them, and they are found by it."""
    body = {"persona": "patient", "delivery": "body"}
    demo = (await site.post("demo", body)).json()
    answer = await site.post("email/change", {"email": NEW}, bearer(demo))
    assert coded(answer) == (403, "forbidden")
    assert (await site.post("demo", body)).status_code == 200
