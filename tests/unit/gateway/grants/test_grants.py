"""Members, guardians, emergency access and accounts over REST, with what they undo."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from actors.domain.ids import PatientId
from tests import factories as make
from tests.fakes.api import Api, slot
from tests.fixtures.accounts import AccountApi, account_api, bearer, signed

DAY_S = 24 * 3600


@pytest.fixture
async def opened(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[AccountApi]:
    """Two clinics with two and one providers, and accounts."""
    async with account_api(request, tmp_path, public_url="") as found:
        await found.api.add_provider(1)
        await found.api.add_provider(3)
        await found.api.add_provider(2, clinic=make.a_clinic(2))
        await found.api.project()
        yield found


async def _demo(opened: AccountApi, persona: str) -> dict[str, Any]:
    answer = await opened.post("demo", {"persona": persona, "delivery": "body"})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def _of(api: Api, signed_in: dict[str, Any], path: str) -> Any:
    answer = await api.client.get(path, headers=bearer(signed_in))
    assert answer.status_code == 200, (path, answer.text)
    return answer.json()


async def test_a_demo_has_people_of_every_role(opened: AccountApi) -> None:
    """Each signs in with one click, in a context of that role."""
    for persona in (
        "patient",
        "guardian",
        "doctor",
        "staff",
        "clinic_admin",
        "admin",
        "auditor",
    ):
        answer = await _demo(opened, persona)
        assert answer["context"]["role"] == persona
    guardian = await _demo(opened, "guardian")
    child = await _of(opened.api, guardian, "/v1/me/profile")
    assert child["given_name"] == "Lea"


async def test_a_removed_member_is_refused_at_once(opened: AccountApi) -> None:
    """The token of the membership dies with it; another clinic's admin cannot do it."""
    api = opened.api
    staff, admin = await _demo(opened, "staff"), await _demo(opened, "clinic_admin")
    schedule = "/v1/providers/prv_1/schedule"
    await _of(api, staff, schedule)
    members = (await _of(api, admin, "/v1/clinics/cln_1/members"))["items"]
    (mine,) = [one for one in members if one["role"] == "staff"]
    path = f"/v1/clinics/cln_1/members/{mine['membership_id']}"
    foreign = signed(api, "clinic_admin", "cln_2")
    for wrong in (path, path.replace("cln_1", "cln_2")):
        answer = await api.client.delete(wrong, headers=foreign)
        assert answer.status_code == 404
    await _of(api, staff, schedule)
    assert (await api.client.delete(path, headers=bearer(admin))).status_code == 204
    answer = await api.client.get(schedule, headers=bearer(staff))
    assert answer.status_code == 401
    (own,) = [one for one in members if one["role"] == "clinic_admin"]
    last = f"/v1/clinics/cln_1/members/{own['membership_id']}"
    answer = await api.client.delete(last, headers=bearer(admin))
    assert answer.json()["code"] == "last_admin"


async def test_an_invitation_makes_a_member_of_its_address(opened: AccountApi) -> None:
    """Another clinic neither resends nor revokes it, another account gets nothing."""
    api = opened.api
    await opened.register("ada@example.org")
    await opened.register("eve@example.org")
    admin = signed(api, "clinic_admin", "cln_1")
    path = "/v1/clinics/cln_1/invitations"
    body = {"email": "ada@example.org", "role": "doctor", "provider_id": "prv_2"}
    foreign = await api.client.post(path, json=body, headers=admin)
    assert foreign.json()["errors"][0]["field"] == "provider_id"
    made = await api.client.post(
        path, json=body | {"provider_id": "prv_1"}, headers=admin
    )
    assert made.status_code == 201, made.text
    other = signed(api, "clinic_admin", "cln_2")
    one = f"/invitations/{made.json()['invitation_id']}"
    for where in ("/v1/clinics/cln_1", "/v1/clinics/cln_2"):
        for method, tail in (("POST", "/resend"), ("DELETE", "")):
            answer = await api.client.request(method, where + one + tail, headers=other)
            assert answer.status_code == 404
    token = {"token": await opened.link_token()}
    eve, ada = await opened.sign_in("eve@example.org"), None
    accept = "/v1/invitations/accept"
    answer = await api.client.post(accept, json=token, headers=bearer(eve))
    assert answer.json()["code"] == "invitation_used"
    ada = await opened.sign_in("ada@example.org")
    answer = await api.client.post(accept, json=token, headers=bearer(ada))
    assert answer.status_code == 200, answer.text
    answer = await api.client.post(accept, json=token, headers=bearer(ada))
    assert answer.json()["code"] == "invitation_used"
    doctor = await opened.sign_in("ada@example.org", context="doctor prv_1")
    await _of(api, doctor, "/v1/providers/prv_1/schedule")


async def test_options_of_a_clinic_allow_what_the_table_denies(
    opened: AccountApi,
) -> None:
    """Off and on: staff set hours; doctors see colleagues of their clinic alone."""
    api = opened.api
    rules = {
        "locations": [{"time_zone": "UTC", "weekly": {}}],
        "visit_types": [{"visit_type": "consult", "title": "C", "minutes": 30}],
    }
    staff, doctor = signed(api, "staff", "cln_1"), signed(api, "doctor", "prv_3")
    admin = signed(api, "clinic_admin", "cln_1")

    async def seen() -> list[int]:
        hours = await api.client.put(
            "/v1/providers/prv_1/availability", json=rules, headers=staff
        )
        colleague, stranger = [
            await api.client.get(f"/v1/providers/{one}/schedule", headers=doctor)
            for one in ("prv_1", "prv_2")
        ]
        return [hours.status_code, colleague.status_code, stranger.status_code]

    assert await seen() == [403, 403, 403]
    options = {"staff_may_set_hours": True, "doctors_see_colleagues": True}
    path = "/v1/clinics/cln_1/options"
    for is_on, wanted in ((True, [200, 200, 403]), (False, [403, 403, 403])):
        body = dict.fromkeys(options, is_on)
        answer = await api.client.patch(path, json=body, headers=admin)
        assert answer.json() == body
        assert await seen() == wanted


async def test_an_account_adds_so_many_dependants(opened: AccountApi) -> None:
    """The next one is refused with its own code, and no patient is left behind."""
    api = opened.api
    await opened.register()
    me, path = await opened.sign_in(), "/v1/me/dependants"
    child = {"given_name": "Lea", "family_name": "Berg", "basis": "parental"}
    body = child | {"birth_date": "2020-08-20"}
    for _ in range(20):
        made = await api.client.post(path, json=body, headers=bearer(me))
        assert made.status_code == 201, made.text
        api.clock.step(5)
    refused = await api.client.post(path, json=body, headers=bearer(me))
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_dependants")


async def test_a_guardian_acts_for_their_child_until_it_is_of_age(
    opened: AccountApi,
) -> None:
    """By a context of their own, whose tokens end on the eighteenth birthday."""
    api = opened.api
    await opened.register()
    me, path = await opened.sign_in(), "/v1/me/dependants"
    child = {"given_name": "Lea", "family_name": "Berg", "basis": "parental"}
    for born in ("1990-01-01", None):
        body = child | ({"birth_date": born} if born else {})
        answer = await api.client.post(
            "/v1/me/dependants", json=body, headers=bearer(me)
        )
        assert answer.json()["errors"][0]["field"] == "birth_date"
    body = child | {"birth_date": "2008-08-20"}
    made = await api.client.post(path, json=body, headers=bearer(me))
    assert made.status_code == 201, made.text
    assert made.json()["expires_at"] == "2026-08-20T00:00:00Z"
    context = f"guardian {made.json()['patient_id']}"
    guardian = await opened.sign_in(context=context)
    booked = await api.client.post(
        "/v1/bookings", json=slot(), headers=bearer(guardian)
    )
    assert booked.json()["patient_id"] == made.json()["patient_id"]
    ends = api.clock.now()
    api.clock.step((OF_AGE_MS - ends) / 1000 - 60)
    late = await opened.sign_in(context=context)
    assert late["expires_at"] == "2026-08-20T00:00:00Z"
    api.clock.step(120)
    answer = await opened.post(
        "login",
        {
            "email": "mira@example.org",
            "password": "violet kettle runs",
            "delivery": "body",
            "context": context,
        },
    )
    assert answer.status_code == 403
    assert (await opened.me(late)).status_code == 401


OF_AGE_MS = 1_787_184_000_000
"""2026-08-20T00:00Z."""


REASON = {"reason": "unconscious, no papers"}
GLASS = "/v1/patients/pat_7/break-glass"


async def _unknown(api: Api) -> None:
    """Two patients whom no clinic knows."""
    assert api.ports.patients is not None
    for name in ("pat_7", "pat_8"):
        await api.ports.patients.salt_of(PatientId(name), now=api.clock.now())


async def test_glass_is_broken_with_a_reason_by_those_who_treat(
    opened: AccountApi,
) -> None:
    """A reason is needed, and a patient who is there; the reception breaks none."""
    api = opened.api
    await _unknown(api)
    doctor, staff = await _demo(opened, "doctor"), await _demo(opened, "staff")
    hidden = await api.client.get("/v1/patients/pat_7", headers=bearer(doctor))
    assert hidden.status_code == 404
    for who, path, body, status in (
        (doctor, GLASS, {"reason": "x"}, 422),
        (doctor, GLASS.replace("pat_7", "pat_none"), REASON, 404),
        (staff, GLASS, REASON, 403),
    ):
        answer = await api.client.post(path, json=body, headers=bearer(who))
        assert answer.status_code == status


async def test_broken_glass_opens_one_patient_for_half_an_hour(
    opened: AccountApi,
) -> None:
    """In a context of its own; the doctor's other contexts stay as they are."""
    api = opened.api
    await _unknown(api)
    doctor = await _demo(opened, "doctor")
    broken = await api.client.post(GLASS, json=REASON, headers=bearer(doctor))
    assert broken.status_code == 201, broken.text
    await _of(api, broken.json(), "/v1/patients/pat_7")
    other = await api.client.get("/v1/patients/pat_8", headers=bearer(broken.json()))
    assert other.status_code == 404
    plain = await api.client.get("/v1/patients/pat_7", headers=bearer(doctor))
    assert plain.status_code == 404
    api.clock.step(25 * 60)
    name = {"context": "doctor prv_1 glass:pat_7"}
    fresh = (await opened.refresh(doctor["refresh_token"])).json()
    again = await opened.post("context", name, bearer(fresh))
    assert again.status_code == 200, again.text
    await _of(api, again.json(), "/v1/patients/pat_7")
    api.clock.step(6 * 60)
    answer = await api.client.get("/v1/patients/pat_7", headers=bearer(again.json()))
    assert answer.status_code == 401
    assert (await opened.post("context", name, bearer(fresh))).status_code == 403


async def test_broken_glass_is_told_and_reviewed_by_another(
    opened: AccountApi,
) -> None:
    """The clinic's administrators get a mail, see who, why, and say what it was."""
    api = opened.api
    await _unknown(api)
    doctor, admin = await _demo(opened, "doctor"), await _demo(opened, "clinic_admin")
    await api.client.post(GLASS, json=REASON, headers=bearer(doctor))
    kinds = [one.message.kind for one in await opened.outgoing.latest(9)]
    assert "glass_broken" in kinds
    (one,) = (await _of(api, admin, "/v1/clinics/cln_1/glass"))["items"]
    assert (one["reason"], one["reviewed_at"]) == (REASON["reason"], None)
    emails = [(await opened.me(who)).json()["email"] for who in (doctor, admin)]
    assert (one["email"], one["subject"]) == (emails[0], "prv_1")
    assert one["reviewer_email"] is None
    review = f"/v1/clinics/cln_1/glass/{one['glass_id']}/review"
    for who, status in ((doctor, 403), (admin, 200), (admin, 409)):
        verdict = {"verdict": "justified"}
        done = await api.client.post(review, json=verdict, headers=bearer(who))
        assert done.status_code == status
        if status == 200:
            assert (done.json()["email"], done.json()["reviewer_email"]) == (*emails,)
    (one,) = (await _of(api, admin, "/v1/clinics/cln_1/glass"))["items"]
    assert one["reviewer_email"] == emails[1]


async def test_a_clinic_lists_all_its_calendars(opened: AccountApi) -> None:
    """Those that patients do not find too, page by page; another clinic's are not seen.

    What a calendar says holds, before the directory follows.
    """
    api, path = opened.api, "/v1/clinics/cln_1/calendars"
    admin, stranger = (
        await _demo(opened, "clinic_admin"),
        await _demo(opened, "patient"),
    )
    done = await api.client.post("/v1/providers/prv_1/suspend", headers=bearer(admin))
    assert done.status_code == 200, done.text

    async def listed() -> dict[str, tuple[bool, bool]]:
        items = (await _of(api, admin, path))["items"]
        return {one["provider_id"]: (one["suspended"], one["retired"]) for one in items}

    assert await listed() == {"prv_1": (True, False), "prv_3": (False, False)}
    await api.project()
    assert await listed() == {"prv_1": (True, False), "prv_3": (False, False)}
    public = (await api.client.get("/v1/providers")).json()["items"]
    assert "prv_1" not in {one["provider_id"] for one in public}
    first = await _of(api, admin, f"{path}?limit=1")
    rest = await _of(api, admin, f"{path}?limit=1&cursor={first['next_cursor']}")
    both = [one["provider_id"] for one in first["items"] + rest["items"]]
    assert (sorted(both), rest["next_cursor"]) == (["prv_1", "prv_3"], None)
    for who, there, status in (
        (stranger, path, 404),
        (admin, path.replace("cln_1", "cln_2"), 404),
        (admin, f"{path}?cursor=x", 422),
    ):
        answer = await api.client.get(there, headers=bearer(who))
        assert answer.status_code == status, (there, answer.text)


async def test_a_disabled_account_is_out_until_it_is_enabled(
    opened: AccountApi,
) -> None:
    """Its sessions end at once; the last administrator cannot be disabled."""
    api = opened.api
    await opened.register()
    me, admin = await opened.sign_in(), await _demo(opened, "admin")
    account = (await opened.me(me)).json()["account_id"]
    found = await api.client.post(
        "/v1/accounts/search", json={"email": "MIRA@example.org"}, headers=bearer(admin)
    )
    assert [one["account_id"] for one in found.json()["items"]] == [account]
    path = f"/v1/accounts/{account}"
    done = await api.client.post(f"{path}/disable", headers=bearer(admin))
    assert done.json()["status"] == "disabled"
    assert (await opened.me(me)).status_code == 401
    own = (await opened.me(admin)).json()["account_id"]
    last = await api.client.post(f"/v1/accounts/{own}/disable", headers=bearer(admin))
    assert last.json()["code"] == "last_admin"
    done = await api.client.post(f"{path}/enable", headers=bearer(admin))
    assert done.json()["status"] == "active"
    await opened.sign_in()
