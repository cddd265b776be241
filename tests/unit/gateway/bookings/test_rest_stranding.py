"""Leave and new hours over REST: what they hit is named, before and after."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.house import House, slot

RULES = "/v1/providers/prv_1/availability"
LEAVE = "/v1/providers/prv_1/time-off"
DAY = {"start": "2026-08-10T00:00:00Z", "end": "2026-08-11T00:00:00Z"}


async def rules_of(house: House) -> dict[str, Any]:
    answer = await house.client.get(RULES, headers=house.doctor())
    body: dict[str, Any] = answer.json()
    return body


async def taken(house: House) -> tuple[str, str]:
    """A visit of patient 1 at ten, and a hold of patient 2 at eleven."""
    booked = await house.client.post(
        "/v1/bookings",
        json=slot(start="2026-08-10T10:00:00Z"),
        headers=house.patient(1),
    )
    held = await house.client.post(
        "/v1/holds", json=slot(start="2026-08-10T11:00:00Z"), headers=house.patient(2)
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
    house: House, change: Any, reason: str
) -> None:
    """A dry run changes nothing; then the visit is marked until it is covered again."""
    booking, hold = await taken(house)
    before = await rules_of(house)
    body = change(await rules_of(house))
    said: dict[str, Any] = {}
    for query in ("?dry_run=true", ""):
        answer = await house.client.put(
            RULES + query, json=body, headers=house.doctor()
        )
        said = answer.json()
        assert [(b["booking_id"], b["stranded"]) for b in said["affected"]] == [
            (booking, reason)
        ]
        assert [h["hold_id"] for h in said["affected_holds"]] == [hold]
        if query:
            assert await rules_of(house) == before
    shown = await house.client.get(f"/v1/bookings/{booking}", headers=house.patient(1))
    day = await house.client.get(
        "/v1/providers/prv_1/schedule?from=2026-08-10&to=2026-08-10",
        headers=house.doctor(),
    )
    assert shown.json()["stranded"] == reason
    assert day.json()["bookings"][0]["stranded"] == reason
    await house.project()
    row = await house.read_model.booking(shown.json()["booking_id"])
    assert row is not None
    assert row.stranded == reason
    before["version"] = said["version"]
    again = await house.client.put(RULES, json=before, headers=house.doctor())
    assert again.json()["affected"] == again.json()["affected_holds"] == []
    shown = await house.client.get(f"/v1/bookings/{booking}", headers=house.patient(1))
    assert shown.json()["stranded"] == ""


async def test_leave_names_holds_and_they_cannot_be_booked(house: House) -> None:
    """A dry run changes nothing; confirming is 409, with the reason, until then."""
    booking, hold = await taken(house)
    tried = await house.client.post(
        LEAVE + "?dry_run=true", json=DAY, headers=house.doctor()
    )
    assert tried.status_code == 200
    listed = await house.client.get(LEAVE, headers=house.doctor())
    assert listed.json()["items"] == []
    leave = await house.client.post(LEAVE, json=DAY, headers=house.doctor())
    for said in (tried.json(), leave.json()):
        assert [b["booking_id"] for b in said["affected"]] == [booking]
        assert [h["hold_id"] for h in said["affected_holds"]] == [hold]
    refused = await house.client.post(
        "/v1/bookings", json={"hold_id": hold}, headers=house.patient(2)
    )
    assert (refused.status_code, refused.json()["code"]) == (409, "slot_not_offered")
    assert "away" in refused.json()["detail"]
    gone = f"{LEAVE}/{leave.json()['time_off_id']}"
    await house.client.delete(gone, headers=house.doctor())
    done = await house.client.post(
        "/v1/bookings", json={"hold_id": hold}, headers=house.patient(2)
    )
    assert done.status_code == 201


@pytest.mark.parametrize("resolve", ["move", "cancel", "no-show"])
async def test_a_stranded_visit_is_marked_until_it_is_resolved(
    house: House, resolve: str
) -> None:
    """Moved, cancelled or over: calendar and read model forget the mark alike."""
    booking, _ = await taken(house)
    body = DAY | {"end": "2026-08-10T13:00:00Z"}
    await house.client.post(LEAVE, json=body, headers=house.doctor())
    path = f"/v1/bookings/{booking}"
    verb, sent = {
        "move": ("reschedule", {"start": "2026-08-10T14:00:00Z"}),
        "cancel": ("cancel", {}),
        "no-show": ("no-show", None),
    }[resolve]
    if resolve == "no-show":
        house.clock.step(10 * 3600)
    staff = house.doctor()
    answer = await house.client.post(f"{path}/{verb}", json=sent, headers=staff)
    assert (answer.status_code, answer.json()["stranded"]) == (200, "")
    await house.project()
    row = await house.read_model.booking(answer.json()["booking_id"])
    assert row is not None
    assert row.stranded == ""


@pytest.mark.parametrize("how", ["If-Match", "version"])
async def test_rules_that_were_replaced_meanwhile_are_not_overwritten(
    house: House, how: str
) -> None:
    """Of two who read the same rules one is 412, told the newer version."""
    read = await house.client.get(RULES, headers=house.doctor())
    await taken(house)  # bookings do not make rules newer
    answers = []
    for _ in range(2):
        body, headers = read.json(), house.doctor()
        if how == "If-Match":
            body["version"] = 0
            headers |= {"If-Match": read.headers["etag"]}
        answers.append(await house.client.put(RULES, json=body, headers=headers))
    first, second = answers
    assert first.status_code == 200
    assert (second.status_code, second.json()["code"]) == (412, "version_behind")
    assert f"version {first.json()['version']}." in second.json()["detail"]
    newest = await house.client.get(RULES, headers=house.doctor())
    assert newest.headers["etag"] == first.headers["etag"] != read.headers["etag"]
    headers = house.doctor() | {"If-Match": newest.headers["etag"]}
    third = await house.client.put(RULES, json=newest.json(), headers=headers)
    assert third.status_code == 200


async def test_a_tag_that_is_not_of_rules_matches_none(house: House) -> None:
    """If-Match with something else is 412; with * it is as if it were not there."""
    body = await rules_of(house)
    body["version"] = 0
    for tag, status in (('"1.2.ab"', 412), ("r1", 412), ("*", 200)):
        headers = house.doctor() | {"If-Match": tag}
        answer = await house.client.put(RULES, json=body, headers=headers)
        assert answer.status_code == status, tag
