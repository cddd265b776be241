"""Leave and new hours over REST: what they hit is named, before and after."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.api import Api, slot

RULES = "/v1/providers/prv_1/availability"
LEAVE = "/v1/providers/prv_1/time-off"
DAY = {"start": "2026-08-10T00:00:00Z", "end": "2026-08-11T00:00:00Z"}


async def rules_of(api: Api) -> dict[str, Any]:
    answer = await api.client.get(RULES, headers=api.doctor())
    body: dict[str, Any] = answer.json()
    return body


async def taken(api: Api) -> tuple[str, str]:
    """A visit of patient 1 at ten, and a hold of patient 2 at eleven."""
    booked = await api.client.post(
        "/v1/bookings",
        json=slot(start="2026-08-10T10:00:00Z"),
        headers=api.patient(1),
    )
    held = await api.client.post(
        "/v1/holds", json=slot(start="2026-08-10T11:00:00Z"), headers=api.patient(2)
    )
    return booked.json()["booking_id"], held.json()["hold_id"]


def afternoons(rules: dict[str, Any]) -> dict[str, Any]:
    """The same rules, open from one to five."""
    for spans in rules["locations"][0]["weekly"].values():
        for span in spans:
            span["opens"] = "13:00"
    return rules


def other_type(rules: dict[str, Any]) -> dict[str, Any]:
    """The same rules, with another visit type for the one that was booked."""
    rules["visit_types"][0]["visit_type"] = "other"
    return rules


@pytest.mark.parametrize(
    ("change", "reason"), [(afternoons, "hours"), (other_type, "visit_type")]
)
async def test_new_rules_name_what_they_strand_before_and_after(
    api: Api, change: Any, reason: str
) -> None:
    """A dry run changes nothing; then the visit is marked until it is covered again."""
    booking, hold = await taken(api)
    before = await rules_of(api)
    body = change(await rules_of(api))
    said: dict[str, Any] = {}
    for query in ("?dry_run=true", ""):
        answer = await api.client.put(RULES + query, json=body, headers=api.doctor())
        said = answer.json()
        assert [(b["booking_id"], b["stranded"]) for b in said["affected"]] == [
            (booking, reason)
        ]
        assert [h["hold_id"] for h in said["affected_holds"]] == [hold]
        if query:
            assert await rules_of(api) == before
    shown = await api.client.get(f"/v1/bookings/{booking}", headers=api.patient(1))
    day = await api.client.get(
        "/v1/providers/prv_1/schedule?from=2026-08-10&to=2026-08-10",
        headers=api.doctor(),
    )
    assert shown.json()["stranded"] == reason
    assert day.json()["bookings"][0]["stranded"] == reason
    await api.project()
    row = await api.read_model.booking(shown.json()["booking_id"])
    assert row is not None
    assert row.stranded == reason
    before["version"] = said["version"]
    again = await api.client.put(RULES, json=before, headers=api.doctor())
    assert again.json()["affected"] == again.json()["affected_holds"] == []
    shown = await api.client.get(f"/v1/bookings/{booking}", headers=api.patient(1))
    assert shown.json()["stranded"] == ""


async def test_leave_names_holds_and_they_cannot_be_booked(api: Api) -> None:
    """A dry run changes nothing; confirming is 409, with the reason, until then."""
    booking, hold = await taken(api)
    tried = await api.client.post(
        LEAVE + "?dry_run=true", json=DAY, headers=api.doctor()
    )
    assert tried.status_code == 200
    listed = await api.client.get(LEAVE, headers=api.doctor())
    assert listed.json()["items"] == []
    leave = await api.client.post(LEAVE, json=DAY, headers=api.doctor())
    for said in (tried.json(), leave.json()):
        assert [b["booking_id"] for b in said["affected"]] == [booking]
        assert [h["hold_id"] for h in said["affected_holds"]] == [hold]
    refused = await api.client.post(
        "/v1/bookings", json={"hold_id": hold}, headers=api.patient(2)
    )
    assert (refused.status_code, refused.json()["code"]) == (409, "slot_not_offered")
    assert "away" in refused.json()["detail"]
    gone = f"{LEAVE}/{leave.json()['time_off_id']}"
    await api.client.delete(gone, headers=api.doctor())
    done = await api.client.post(
        "/v1/bookings", json={"hold_id": hold}, headers=api.patient(2)
    )
    assert done.status_code == 201


@pytest.mark.parametrize("resolve", ["move", "cancel", "no-show"])
async def test_a_stranded_visit_is_marked_until_it_is_resolved(
    api: Api, resolve: str
) -> None:
    """Moved, cancelled or over: calendar and read model forget the mark alike."""
    booking, _ = await taken(api)
    body = DAY | {"end": "2026-08-10T13:00:00Z"}
    await api.client.post(LEAVE, json=body, headers=api.doctor())
    path = f"/v1/bookings/{booking}"
    verb, sent = {
        "move": ("reschedule", {"start": "2026-08-10T14:00:00Z"}),
        "cancel": ("cancel", {}),
        "no-show": ("no-show", None),
    }[resolve]
    if resolve == "no-show":
        api.clock.step(10 * 3600)
    staff = api.doctor()
    answer = await api.client.post(f"{path}/{verb}", json=sent, headers=staff)
    assert (answer.status_code, answer.json()["stranded"]) == (200, "")
    await api.project()
    row = await api.read_model.booking(answer.json()["booking_id"])
    assert row is not None
    assert row.stranded == ""


@pytest.mark.parametrize("how", ["If-Match", "version"])
async def test_rules_that_were_replaced_meanwhile_are_not_overwritten(
    api: Api, how: str
) -> None:
    """Of two who read the same rules one is 412, told the newer version."""
    read = await api.client.get(RULES, headers=api.doctor())
    await taken(api)  # bookings do not make rules newer
    answers = []
    for _ in range(2):
        body, headers = read.json(), api.doctor()
        if how == "If-Match":
            body["version"] = 0
            headers |= {"If-Match": read.headers["etag"]}
        answers.append(await api.client.put(RULES, json=body, headers=headers))
    first, second = answers
    assert first.status_code == 200
    assert (second.status_code, second.json()["code"]) == (412, "version_behind")
    assert f"version {first.json()['version']}." in second.json()["detail"]
    newest = await api.client.get(RULES, headers=api.doctor())
    assert newest.headers["etag"] == first.headers["etag"] != read.headers["etag"]
    headers = api.doctor() | {"If-Match": newest.headers["etag"]}
    third = await api.client.put(RULES, json=newest.json(), headers=headers)
    assert third.status_code == 200


async def test_a_tag_that_is_not_of_rules_matches_none(api: Api) -> None:
    """If-Match with something else is 412; with * it is as if it were not there."""
    body = await rules_of(api)
    body["version"] = 0
    for tag, status in (('"1.2.ab"', 412), ("r1", 412), ("*", 200)):
        headers = api.doctor() | {"If-Match": tag}
        answer = await api.client.put(RULES, json=body, headers=headers)
        assert answer.status_code == status, tag
