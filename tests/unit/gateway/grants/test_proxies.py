"""Confidential bookings: people who act for the patient do not learn of them.

Each attack has a control: with its guard removed it succeeds. Hidden is compared with
missing to the byte.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from actors.domain.calendar import rulings
from gateway.access.tokens import Caller
from gateway.calendars.commitments import Commitments
from tests import factories as make
from tests.fakes.api import Api, slot
from tests.fixtures.accounts import account_api, signed

HIDDEN = {"confidential": True}
MISSING = "bkg_1.AAAAAAAAAAAAAAAA"


@pytest.fixture
async def api(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Api]:
    """Two clinics with a provider each."""
    async with account_api(request, tmp_path, public_url="") as found:
        await found.api.add_provider(1)
        await found.api.add_provider(2, clinic=make.a_clinic(2))
        await found.api.project()
        yield found.api


def _mine(api: Api) -> dict[str, str]:
    return signed(api, "patient", "pat_7")


def _proxy(api: Api) -> dict[str, str]:
    return signed(api, "guardian", "pat_7", account="acc_2", scopes=("manage",))


def _see_all(patch: pytest.MonkeyPatch) -> None:
    """Remove the guard: guardians are taken for the patient."""
    patch.setattr(Caller, "is_proxy", property(lambda _self: False))


async def _post(api: Api, path: str, body: Any, who: dict[str, str]) -> httpx.Response:
    return await api.client.post(f"/v1/{path}", json=body, headers=who)


async def _booked(api: Api, **more: Any) -> str:
    answer = await _post(api, "bookings", slot() | more, _mine(api))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["booking_id"])


def _said(answer: httpx.Response) -> tuple[int, bytes]:
    return answer.status_code, answer.content


_ASKED: tuple[tuple[str, str, Any], ...] = (
    ("GET", "/v1/bookings/{}", None),
    ("POST", "/v1/bookings/{}/cancel", {}),
    ("POST", "/v1/bookings/{}/reschedule", {"start": "2026-08-10T15:00:00Z"}),
    ("POST", "/v1/bookings/{}/confidential", {"confidential": False}),
    ("GET", "/v1/providers/prv_1/slots?from=2026-08-10&to=2026-08-11&moving={}", None),
)


@pytest.mark.parametrize("guarded", [True, False])
@pytest.mark.parametrize(("method", "path", "body"), _ASKED)
async def test_hidden_is_missing_to_the_byte(
    api: Api,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    path: str,
    body: Any,
    *,
    guarded: bool,
) -> None:
    """Attack 48: by id; unguarded the answers differ, save what is denied anyway."""
    hidden = await _booked(api, **HIDDEN)
    if not guarded:
        _see_all(monkeypatch)
    said = [
        _said(
            await api.client.request(
                method, path.format(one), json=body, headers=_proxy(api)
            )
        )
        for one in (hidden, MISSING)
    ]
    always = path.endswith("/confidential")  # a guardian may not ask at all
    assert (said[0] == said[1]) == (guarded or always)


@pytest.mark.parametrize("projected", [True, False])
@pytest.mark.parametrize("guarded", [True, False])
async def test_a_list_is_as_if_it_were_not_there(
    api: Api, monkeypatch: pytest.MonkeyPatch, *, guarded: bool, projected: bool
) -> None:
    """Attack 48: pages and cursors too, from the read model and ahead of it."""
    await _booked(api, start="2026-08-10T12:00:00Z")
    if projected:
        await api.project()
    path = "/v1/bookings?limit=1"
    before = await api.client.get(path, headers=_proxy(api))
    await _booked(api, start="2026-08-10T10:00:00Z", **HIDDEN)
    await _booked(api, start="2026-08-10T14:00:00Z", **HIDDEN)
    if projected:
        await api.project()
    if not guarded:
        _see_all(monkeypatch)
    after = await api.client.get(path, headers=_proxy(api))
    assert (after.content == before.content) == guarded
    own = await api.client.get("/v1/bookings", headers=_mine(api))
    assert [one["confidential"] for one in own.json()["items"]] == [True, False, True]


async def test_it_is_set_and_unset_later(api: Api) -> None:
    """By the patient and the clinic's staff; the guardian sees it again."""
    name = await _booked(api)
    shown = f"/v1/bookings/{name}"
    staff = signed(api, "staff", "cln_1", account="acc_3")
    for who, hides in ((_mine(api), True), (_mine(api), False), (staff, True)):
        path = f"bookings/{name}/confidential"
        answer = await _post(api, path, {"confidential": hides}, who)
        assert (answer.status_code, answer.json()["confidential"]) == (200, hides)
        seen = await api.client.get(shown, headers=_proxy(api))
        assert seen.status_code == (404 if hides else 200)
        assert (await api.client.get(shown, headers=_mine(api))).status_code == 200
        await api.project()
        listed = await api.client.get("/v1/bookings", headers=_proxy(api))
        assert len(listed.json()["items"]) == (0 if hides else 1)


async def test_a_proxy_cannot_make_what_they_would_not_see(api: Api) -> None:
    """The field is refused by its name."""
    answer = await _post(api, "bookings", slot() | HIDDEN, _proxy(api))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "confidential"


@pytest.mark.parametrize("guarded", [True, False])
@pytest.mark.parametrize("path", ["holds", "bookings"])
async def test_a_conflict_does_not_tell_whose_visit_it_is(
    api: Api, monkeypatch: pytest.MonkeyPatch, path: str, *, guarded: bool
) -> None:
    """Attack 48: the slot is taken, as by a stranger; unguarded it is "your own"."""
    stranger = signed(api, "guardian", "pat_8", scopes=("manage",))
    await _booked(api, **HIDDEN)
    if not guarded:
        monkeypatch.setattr(rulings, "is_hidden", lambda *_all, **_more: False)
    mine, others = [
        await _post(api, path, slot(), who) for who in (_proxy(api), stranger)
    ]
    assert mine.status_code == 409
    assert (mine.content == others.content) == guarded


@pytest.mark.parametrize("guarded", [True, False])
async def test_visits_elsewhere_do_not_show_by_overlapping(
    api: Api, monkeypatch: pytest.MonkeyPatch, *, guarded: bool
) -> None:
    """Attack 48: a slot of another calendar at that time is booked; else "overlap"."""
    await _booked(api, **HIDDEN)
    if not guarded:
        check = Commitments.check_visit

        async def all_count(self: Commitments, *given: Any, **more: Any) -> None:
            await check(self, *given, **{**more, "proxy": False})

        monkeypatch.setattr(Commitments, "check_visit", all_count)
    answer = await _post(
        api, "bookings", slot() | {"provider_id": "prv_2"}, _proxy(api)
    )
    assert answer.status_code == (201 if guarded else 409)


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_hold_that_was_booked_confidentially_is_gone(
    api: Api, monkeypatch: pytest.MonkeyPatch, *, guarded: bool
) -> None:
    """Attack 48: the refusal does not name the booking that it became."""
    held = (await _post(api, "holds", slot(), _proxy(api))).json()["hold_id"]
    answer = await _post(api, "bookings", {"hold_id": held} | HIDDEN, _mine(api))
    assert answer.status_code == 201, answer.text
    if not guarded:
        monkeypatch.setattr(rulings, "is_hidden", lambda *_all, **_more: False)
    path = f"/v1/holds/{held}"
    shown = await api.client.get(path, headers=_proxy(api))
    again = await _post(api, "bookings", {"hold_id": held}, _proxy(api))
    for one in (shown, again):
        assert ("booking_id" in one.json()) != guarded
        assert (one.json()["code"] == "hold_not_found") == guarded


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_hold_does_not_name_the_visit_that_it_moves(
    api: Api, monkeypatch: pytest.MonkeyPatch, *, guarded: bool
) -> None:
    """Attack 48: guardians see the patient's holds without what they are to move."""
    name = await _booked(api, **HIDDEN)
    wanted = slot() | {"moving": name, "start": "2026-08-10T15:00:00Z"}
    held = await _post(api, "holds", wanted, _mine(api))
    assert held.json()["moving"] == name
    if not guarded:
        _see_all(monkeypatch)
    for path in ("/v1/holds", f"/v1/holds/{held.json()['hold_id']}"):
        answer = await api.client.get(path, headers=_proxy(api))
        assert (name in answer.text) != guarded
    refused = await _post(api, "holds", wanted, _proxy(api))
    assert (refused.json().get("code") == "booking_not_found") == guarded
