"""Samples of notices for administrators: every text before people read it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from care.notices.kinds import LANGUAGES, NoticeKind
from tests.fixtures.accounts import PUBLIC, AccountApi, account_api, code_of, signed


@pytest.fixture
async def api(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[AccountApi]:
    async with account_api(request, tmp_path) as made:
        yield made


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_kind_is_shown(api: AccountApi, language: str) -> None:
    """In every language, with the site's links and an invented person; the page of a
    mail is one, without scripts, which only a tab of its own shows."""
    admin = signed(api.api, "admin", "root")
    path = "/v1/samples/notices"
    answer = await api.client.get(f"{path}?language={language}", headers=admin)
    assert answer.status_code == 200
    found = answer.json()["items"]
    assert [one["kind"] for one in found] == [kind.value for kind in NoticeKind]
    for one in found:
        assert f"{PUBLIC}/#/me/visits" in one["text"]
        chooses = one["kind"] in {"stranded", "unresolved"}
        where = "choose?token=example" if chooses else "me/visits"
        assert f"{PUBLIC}/#/{where}" in one["short"]
        assert "Mira Berg" in one["text"]
        page = await api.client.get(f"{path}/{one['kind']}/{language}")
        assert page.headers["content-type"].startswith("text/html")
        assert f'lang="{language}"' in page.text
        assert "Mira Berg" in page.text
        assert "<script" not in page.text
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert not await api.outgoing.latest(9)


async def test_samples_are_for_administrators(api: AccountApi) -> None:
    """What there is no sample of is refused."""
    path = "/v1/samples/notices"
    for role, subject in (("patient", "pat_1"), ("doctor", "prv_1")):
        other = signed(api.api, role, subject)
        assert code_of(await api.client.get(path, headers=other)) == (403, "forbidden")
    assert code_of(await api.client.get(path))[0] == 401
    wrong = await api.client.get(f"{path}/booked/xx")
    assert code_of(wrong) == (422, "invalid_request")
