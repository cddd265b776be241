"""Cookies, and pages of other origins that try to use them."""

from __future__ import annotations

import pytest

from gateway.accounts.cross_origin import check_same_origin
from tests.fixtures.accounts import (
    MIRA,
    PASSWORD,
    PUBLIC,
    SAME_ORIGIN,
    AccountApi,
    code_of,
)

FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "http://evil.example"},
    {"Origin": "http://clinic.test:8001"},
    {"Origin": "null"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=lambda h: "-".join(h.values()))
async def test_pages_of_other_origins_change_nothing(
    site: AccountApi, headers: dict[str, str]
) -> None:
    """Refresh, sign-out and sign-in with cookies are refused to them."""
    await site.register()
    body = {"email": MIRA, "password": PASSWORD}
    page = (await site.post("login", body, SAME_ORIGIN)).json()
    cookies = dict(site.client.cookies)
    for path, sent in (
        ("refresh", {"active": True}),
        ("logout", {}),
        ("login", body),
        ("demo", {"persona": "patient"}),
    ):
        answer = await site.post(path, sent, headers)
        assert code_of(answer) == (403, "cross_origin")
        assert "set-cookie" not in answer.headers
    assert dict(site.client.cookies) == cookies
    assert (await site.me(page)).status_code == 200
    own = await site.post("refresh", {"active": True}, {"Origin": PUBLIC})
    assert own.status_code == 200


async def test_a_form_cannot_use_the_cookie(site: AccountApi) -> None:
    """Only JSON is taken: what any page's form could send is not."""
    await site.register()
    await site.post("login", {"email": MIRA, "password": PASSWORD}, SAME_ORIGIN)
    answer = await site.client.post(
        "/v1/auth/refresh",
        content='{"active": true}',
        headers={"Content-Type": "text/plain", **SAME_ORIGIN},
    )
    assert answer.status_code in (415, 422)
    assert "set-cookie" not in answer.headers


def test_the_guard_is_what_refuses() -> None:
    """Control: without Sec-Fetch-Site and Origin the same request passes."""

    class Request:
        def __init__(self) -> None:
            self.headers = {"content-type": "application/json", "host": "clinic.test"}

    check_same_origin(Request(), PUBLIC)  # type: ignore[arg-type]


async def test_cookies_have_their_attributes(site: AccountApi) -> None:
    """HttpOnly, Secure, Strict, for this host alone; cleared when the session ended."""
    await site.register()
    body = {"email": MIRA, "password": PASSWORD}
    answer = await site.post("login", body, SAME_ORIGIN)
    cookies = answer.headers.get_list("set-cookie")
    assert len(cookies) == 2
    assert answer.json()["refresh_token"] is None
    assert answer.headers["cache-control"] == "no-store"
    for cookie in cookies:
        assert cookie.startswith("__Host-slotcast_")
        attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert {"httponly", "secure", "path=/", "samesite=strict"} <= attributes
        assert not any(one.startswith("domain") for one in attributes)
    forgetful = await site.post("login", body | {"remember": False}, SAME_ORIGIN)
    (last,) = (
        one
        for one in forgetful.headers.get_list("set-cookie")[-1:]
        if "slotcast_rt" in one
    )
    assert "max-age" not in last.lower()
    assert (await site.post("logout", {}, SAME_ORIGIN)).status_code == 204
    ended = await site.post("refresh", {"active": True}, SAME_ORIGIN)
    assert code_of(ended) == (401, "session_ended")
    assert "max-age=0" in ended.headers["set-cookie"].lower()
