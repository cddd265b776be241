"""Controls of pages and mails: framed, or with markup in what people are called."""

from __future__ import annotations

from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Any

import pytest

from care.notices.messages import Message, OutgoingMessage
from gateway.http import request_log
from persistence.notices.smtp import mail_of
from tests import factories as make
from tests.fakes.api import open_api

MARKUP = "<img src=x onerror=alert(1)>"


@pytest.mark.parametrize("guarded", [True, False])
@pytest.mark.parametrize("path", ["/docs", "/v1/me", "/nothing"])
async def test_answers_without_headers_could_be_framed(
    monkeypatch: pytest.MonkeyPatch, *, path: str, guarded: bool
) -> None:
    """One place gives them to every answer, errors included."""
    if not guarded:
        monkeypatch.setattr(request_log, "_SECURITY", ())
    async with open_api() as api:
        headers = (await api.client.get(path)).headers
        policy = headers.get("content-security-policy", "")
        assert ("frame-ancestors 'none'" in policy) is guarded
        assert (headers.get("x-frame-options") == "DENY") is guarded


class _Elements(HTMLParser):
    """What a mail program that shows HTML would make of a text."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.found.append(tag)


def _shown(mail: EmailMessage) -> list[str]:
    """The elements of every part that is interpreted."""
    elements = _Elements()
    for part in mail.walk():
        if part.get_content_type() == "text/html":
            elements.feed(str(part.get_content()))
    return elements.found


@pytest.mark.parametrize("guarded", [True, False])
def test_a_mail_of_html_would_show_the_markup_of_a_name(
    monkeypatch: pytest.MonkeyPatch, *, guarded: bool
) -> None:
    """Plain text has no elements; the same text as HTML has the attacker's image."""
    if not guarded:
        set_content = EmailMessage.set_content

        def as_html(self: EmailMessage, text: str) -> None:
            set_content(self, text, subtype="html")

        monkeypatch.setattr(EmailMessage, "set_content", as_html)
    message = Message("verify_email", "mira@example.org", "Hello", f"Hello {MARKUP}")
    mail = mail_of(OutgoingMessage("msg_1", message, make.NOW), "a@example.org")
    assert _shown(mail) == ([] if guarded else ["img"])
