"""Forged addresses, framed pages, and markup in what people are called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from care.notices.messages import Message, OutgoingMessage
from cluster.site.settings import Settings
from cluster.wiring.gateway import server_of
from persistence.notices.smtp import mail_of
from tests import factories as make
from tests.fakes.api import open_api
from tests.fixtures.accounts import AccountApi, account_api

FORGED = "203.0.113.9"
PEER = "198.51.100.7"


@pytest.mark.parametrize(
    ("settings", "seen"),
    [
        ({}, PEER),
        ({"behind_proxy": True}, PEER),
        ({"behind_proxy": True, "trusted_proxies": PEER}, FORGED),
    ],
)
async def test_a_forged_address_is_not_believed(
    site: AccountApi, settings: dict[str, Any], seen: str
) -> None:
    """X-Forwarded-For counts from trusted proxies alone (the last case: control)."""
    server = server_of(site.api.app, Settings(**settings))  # type: ignore[arg-type]
    server.config.load()
    addresses: list[str] = []

    async def spy(scope: Any, _receive: Any, _send: Any) -> None:
        addresses.append(scope["client"][0])

    app: Any = server.config.loaded_app
    while app is not site.api.app and hasattr(app, "app"):
        if app.app is site.api.app:
            app.app = spy
        app = app.app
    scope = {
        "type": "http",
        "client": (PEER, 50_000),
        "headers": [(b"x-forwarded-for", FORGED.encode())],
    }
    outer: Any = server.config.loaded_app
    await (spy if outer is site.api.app else outer)(scope, None, None)
    assert addresses == [seen]


async def test_spraying_with_forged_addresses_is_throttled_all_the_same(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """The bucket is that of the peer, whatever the header names."""
    async with account_api(request, tmp_path, rate_limited=True) as site:
        statuses = []
        for number in range(64):
            body = {"email": f"{number}@example.org", "password": "Summer2026!"}
            headers = {"X-Forwarded-For": f"203.0.113.{number}"}
            answer = await site.post("login", body | {"delivery": "body"}, headers)
            statuses.append(answer.status_code)
        assert statuses[:60] == [401] * 60
        assert set(statuses[61:]) == {429}


@pytest.mark.parametrize("path", ["/", "/docs", "/v1/me", "/nothing"])
async def test_no_page_can_be_framed(site: AccountApi, path: str) -> None:
    """Every answer says so to old browsers and new ones."""
    answer = await site.client.get(path)
    assert answer.headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


async def test_the_web_app_cannot_be_framed_either(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Nor any file of it that is a page."""
    (tmp_path / "index.html").write_text("<p>app</p>")
    async with account_api(request, tmp_path, web_dir=tmp_path) as site:
        answer: httpx.Response = await site.client.get("/")
        assert "app" in answer.text
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def test_markup_in_a_mail_is_text() -> None:
    """Mails have one part, of plain text: nothing in one is ever interpreted."""
    markup = "<img src=x onerror=alert(1)>"
    message = Message("verify_email", "mira@example.org", f"Hello {markup}", markup)
    mail = mail_of(OutgoingMessage("msg_1", message, make.NOW), "a@example.org")
    assert (mail.get_content_type(), mail.is_multipart()) == ("text/plain", False)
    assert mail.get_content().strip() == markup


@pytest.mark.parametrize("subject", ["a\r\nBcc: all@example.org", "a\nb"])
def test_a_line_break_adds_no_header(subject: str) -> None:
    """A subject that would is refused, not sent."""
    message = Message("verify_email", "mira@example.org", subject, "text")
    with pytest.raises(ValueError, match="line"):
        mail_of(OutgoingMessage("msg_1", message, make.NOW), "a@example.org")


async def test_a_site_with_https_is_asked_for_by_nothing_else() -> None:
    """HSTS where the public URL is https, and nowhere else: see the test before."""
    async with open_api(public_url="https://clinic.test") as api:
        headers = (await api.client.get("/healthz")).headers
        assert headers["strict-transport-security"] == "max-age=31536000"
