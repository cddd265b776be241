"""Addresses that compare as equal, and are the mailboxes of two people."""

from __future__ import annotations

from typing import Any

import pytest

from persistence.accounts import credentials, store
from tests.fixtures.accounts import PASSWORD, AccountApi, bearer

OWNER = "strauss@example.org"
LOOKALIKES = ["strau\u00df@example.org", "\u017ftrauss@example.org", OWNER.upper()]
"""Sharp s and long s fold to s; a mail server may know them as other people."""


async def _recipients(site: AccountApi, kind: str) -> set[str]:
    return {
        one.message.recipient
        for one in await site.outgoing.latest(9)
        if one.message.kind == kind
    }


@pytest.mark.parametrize("guarded", [True, False])
@pytest.mark.parametrize("typed", LOOKALIKES)
async def test_a_reset_goes_to_the_address_of_the_account(
    site: AccountApi, monkeypatch: pytest.MonkeyPatch, *, typed: str, guarded: bool
) -> None:
    """Sent to the typed one, another mailbox would take the account over."""
    await site.register(OWNER)
    if not guarded:
        monkeypatch.setattr(credentials, "to_owner", lambda _keys, _row, mail: mail)
    answer = await site.post("password/forgot", {"email": typed})
    assert answer.status_code == 202
    told = await _recipients(site, "reset_password")
    assert len(told) == 1
    assert (told == {OWNER}) is guarded


@pytest.mark.parametrize("guarded", [True, False])
async def test_that_an_address_is_taken_is_told_to_its_owner(
    site: AccountApi,
    mira: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    *,
    guarded: bool,
) -> None:
    """Whether by registering or by a change: no other mailbox hears of an account."""
    await site.register(OWNER)
    if not guarded:
        monkeypatch.setattr(store, "to_owner", lambda _keys, _row, mail: mail)
    body = {"email": LOOKALIKES[0], "password": PASSWORD, "terms": True}
    assert (await site.post("register", body)).status_code == 202
    change = {"email": LOOKALIKES[1]}
    assert (await site.post("email/change", change, bearer(mira))).status_code == 202
    told = await _recipients(site, "already_registered")
    assert told == ({OWNER} if guarded else set(LOOKALIKES[:2]))
