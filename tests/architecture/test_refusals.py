"""Every refusal of the API has words in the app, or a reason why none are needed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from care.patients.documents.values import FileFault
from gateway.wire.problems import CODES

WEB: Final = Path(__file__).parents[2] / "web" / "src"
TEXTS: Final = (
    "app/refusals.ts",
    "account/form.tsx",
    "account/choose.tsx",
    "clinic/photo.tsx",
    "clinic/refusals.ts",
    "documents/refusals.ts",
    "reports/reports.tsx",
    "desk/refusals.ts",
    "waiting/refusals.ts",
    "reviews/refusals.ts",
)

OF_A_PROGRAM: Final = {
    "api_client_limit": "the app has no page for API clients",
    "bad_request": "the app sends what the OpenAPI document describes",
    "cross_origin": "the app is of the same origin",
    "headers_too_large": "the browser's headers are small",
    "idempotency_key_reused": "each key of the app belongs to one request",
    "list_limit": "the app then shows the list as it was read",
    "method_not_allowed": "the app's methods are those of the document",
    "misdirected": "the app is loaded from the name that it asks",
    "note_replaced": "the app has no page for notes",
    "unsupported_media_type": "the app sends JSON",
    "upgrade_required": "the app opens the live socket as a socket",
    "uri_too_long": "the app's addresses are short",
}
"""Code -> why a person never meets it in the app."""


def _codes_with_texts() -> set[str]:
    found: set[str] = set()
    for name in TEXTS:
        text = (WEB / name).read_text()
        found |= set(re.findall(r"^  ([a-z_]+): msg`", text, re.MULTILINE))
    return found


def test_every_code_has_a_text_in_the_app() -> None:
    """Codes that end in not_found share one."""
    texts = _codes_with_texts()
    missing = {
        code
        for code in CODES
        if code not in texts
        and code not in OF_A_PROGRAM
        and not code.endswith("not_found")
    }
    assert missing == set()


def test_no_text_is_for_a_code_that_the_api_does_not_have() -> None:
    """Passwords are refused with reasons of their own, which are no codes."""
    reasons = {"too_short", "too_long", "not_text", "common", "about_you"}
    faults = {one.value for one in FileFault}  # of documents: fields, and no codes
    assert _codes_with_texts() - set(CODES) - reasons - faults == set()
    assert set(OF_A_PROGRAM) <= set(CODES)
