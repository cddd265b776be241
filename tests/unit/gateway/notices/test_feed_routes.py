"""Addresses for calendar programs: shown once, a secret, 304 while unchanged."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.feeds import MemoryFeeds
from tests.fixtures.accounts import AccountApi, account_api, code_of, signed

SITE: dict[str, Any] = {"public_url": "", "site_url": "http://clinic.test"}


@pytest.fixture
async def feeds() -> MemoryFeeds:
    return MemoryFeeds()


@pytest.fixture
async def api(
    request: pytest.FixtureRequest, tmp_path: Path, feeds: MemoryFeeds
) -> AsyncIterator[AccountApi]:
    async with account_api(request, tmp_path, {"feeds": feeds}, **SITE) as made:
        yield made


async def test_a_feed_is_made_read_and_revoked(
    api: AccountApi, feeds: MemoryFeeds
) -> None:
    """Its secret is in the answer alone; while nothing changed it is not sent again;
    revoked it is as one that never was."""
    mine = signed(api.api, "patient", "pat_1")
    made = await api.client.post("/v1/me/feeds", json={"label": "Phone"}, headers=mine)
    assert made.status_code == 201, made.text
    body = made.json()
    path = "/feeds/" + body["url"].rpartition("/")[2]
    assert body["webcal_url"].startswith("webcal://clinic.test/")
    secret = path.removeprefix("/feeds/").removesuffix(".ics")
    assert len(secret) >= 43
    assert secret not in str(feeds.made)
    first = await api.client.get(path)
    assert first.headers["content-type"] == "text/calendar; charset=utf-8"
    assert first.text == feeds.words
    again = {"If-None-Match": f'"other", W/{first.headers["etag"]}'}
    unchanged = await api.client.get(path, headers=again)
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    feeds.words = feeds.words.replace("END", "X-NEW:1\r\nEND")
    assert (await api.client.get(path, headers=again)).status_code == 200
    listed = (await api.client.get("/v1/me/feeds", headers=mine)).json()["items"]
    assert [one["label"] for one in listed] == ["Phone"]
    assert secret not in str(listed)
    other = signed(api.api, "patient", "pat_2", "acc_2")
    gone = f"/v1/me/feeds/{body['feed_id']}"
    refused = await api.client.delete(gone, headers=other)
    assert code_of(refused) == (404, "feed_not_found")
    assert (await api.client.delete(gone, headers=mine)).status_code == 204
    ended, never = await api.client.get(path), await api.client.get("/feeds/x.ics")
    assert ended.status_code == never.status_code == 404
    assert ended.content == never.content


async def test_who_has_feeds(api: AccountApi, feeds: MemoryFeeds) -> None:
    """Patients of their visits, doctors of their calendars, no others; not too many."""
    doctor = signed(api.api, "doctor", "prv_1", "acc_3")
    made = await api.client.post("/v1/me/feeds", json={}, headers=doctor)
    assert made.json()["of"] == "provider"
    guard = signed(
        api.api, "guardian", "pat_1", "acc_9", grant="grd_1", scopes=("manage",)
    )
    denied = await api.client.post("/v1/me/feeds", json={}, headers=guard)
    assert denied.status_code == 403
    feeds.is_full = True
    full = await api.client.post("/v1/me/feeds", json={}, headers=doctor)
    assert code_of(full) == (409, "feed_limit")
