"""The web app's files: served packed, kept or asked for again, and never in the way."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fakes.api import Api, open_api

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PAGE = b"<!doctype html><title>Slotcast</title>"
SCRIPT = b"console.log('app');" * 100
BROWSER = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    """A gateway with a small build."""
    assets = tmp_path / "assets"
    assets.mkdir()
    (tmp_path / "index.html").write_bytes(PAGE)
    (assets / "app-1a2b.js").write_bytes(SCRIPT)
    (assets / "app-1a2b.js.gz").write_bytes(gzip.compress(SCRIPT))
    async with open_api(web_dir=tmp_path) as opened:
        yield opened


@pytest.mark.parametrize(
    "path", ["/", "/p/prv_1", "/me/visits", "/desk/day/prv_1", "/me/visits/bkg_1.a-b"]
)
async def test_a_browser_gets_the_app_wherever_it_opens_it(api: Api, path: str) -> None:
    """The app's router knows the address; scripts run under the strictest policy."""
    answer = await api.client.get(path, headers=BROWSER)
    assert (answer.status_code, answer.content) == (200, PAGE)
    assert answer.headers["cache-control"] == "no-cache"
    policy = answer.headers.get_list("content-security-policy")[0]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "require-trusted-types-for 'script'" in policy


async def test_hashed_files_are_kept_and_come_packed(api: Api) -> None:
    """A file whose name is its content never changes; its packed twin is sent."""
    answer = await api.client.get(
        "/assets/app-1a2b.js", headers={"Accept-Encoding": "gzip"}
    )
    assert answer.content == SCRIPT
    assert answer.headers["content-encoding"] == "gzip"
    assert "immutable" in answer.headers["cache-control"]
    plain = await api.client.get(
        "/assets/app-1a2b.js", headers={"Accept-Encoding": "identity"}
    )
    assert "content-encoding" not in plain.headers
    again = await api.client.get(
        "/assets/app-1a2b.js", headers={"If-None-Match": answer.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path", ["/assets/app-0000.js", "/favicon.ico", "/v1/nothing", "/../pyproject.toml"]
)
async def test_what_is_missing_is_never_a_page(api: Api, path: str) -> None:
    """A missing file is a problem with 404, for browsers as well."""
    answer = await api.client.get(path, headers=BROWSER)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_the_api_stands_beside_the_app(api: Api) -> None:
    """Operations, documents and probes answer as without it; writes are refused."""
    for path in ("/v1/providers", "/openapi.json", "/healthz", "/docs"):
        answer = await api.client.get(path, headers=BROWSER)
        assert answer.status_code == 200
        assert answer.content != PAGE
    assert (await api.client.post("/p/prv_1")).status_code == 405
