"""A stolen password is refused where one is set."""

from __future__ import annotations

from hashlib import sha1
from pathlib import Path

import pytest

from tests.fixtures.accounts import MIRA, PASSWORD, account_api


async def test_a_stolen_password_is_refused(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """With the list ``password_refused``; without it the same password is taken."""
    path = tmp_path / "list"
    path.write_text(f"{sha1(PASSWORD.encode()).hexdigest().upper()}:3\n")
    body = {"email": MIRA, "password": PASSWORD, "terms": True}
    async with account_api(request, tmp_path, breached_passwords=path) as api:
        answer = await api.post("register", body)
        assert answer.json()["code"] == "password_refused"
        assert "stolen" in answer.json()["detail"]
    async with account_api(request, tmp_path) as api:
        assert (await api.post("register", body)).status_code == 202
