"""Unknown input is refused; a refusal says which field, where, what instead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from gateway.app.operations import all_operations
from gateway.live.asyncapi import CLIENT_MESSAGES
from gateway.wire.bodies import has_sentence
from tests.fakes.api import Api, slot

ONE = "/v1/providers/prv_1"
HOURS = {
    "locations": [{"time_zone": "UTC", "weekly": {"mondey": []}}],
    "visit_types": [],
}


@pytest.mark.parametrize(
    ("path", "wrong", "nearest"),
    [
        ("/v1/providers?speciality=gp", "speciality", "specialty"),
        (f"{ONE}/slots?visittype=consult", "visittype", "visit_type"),
        (f"{ONE}/schedule?form=2026-08-10", "form", "from"),
        ("/v1/bookings?stauts=booked", "stauts", "status"),
        ("/v1/bookings/bkg_1.x?verbose=1", "verbose", "none"),
        ("/v1/stream?topic=me", "topic", "topics"),
    ],
)
async def test_a_query_parameter_that_nobody_reads_is_refused(
    api: Api, path: str, wrong: str, nearest: str
) -> None:
    """A typo never widens an answer: 422 names the parameter and the nearest one."""
    async with api.app.router.lifespan_context(api.app):
        response = await api.client.get(path, headers=api.admin())
    assert response.status_code == 422, response.text
    (error,) = response.json()["errors"]
    assert error["field"] == wrong
    assert nearest in error["message"]


@pytest.mark.parametrize(
    ("method", "path", "body", "field", "nearest"),
    [
        ("POST", "/v1/bookings", slot() | {"resaon": "x"}, "resaon", "reason"),
        ("POST", "/v1/holds", slot() | {"patientid": "x"}, "patientid", "patient_id"),
        ("POST", "/v1/bookings/bkg_1.x/cancel", {"reasons": ""}, "reasons", "reason"),
        (
            "PUT",
            f"{ONE}/availability",
            HOURS,
            "locations[0].weekly.mondey",
            "monday",
        ),
        ("POST", "/v1/bookings/bkg_1.x/undo", {"a": 1}, None, "no body"),
    ],
)
async def test_a_body_field_that_nobody_reads_is_refused(
    api: Api, method: str, path: str, body: Any, field: str | None, nearest: str
) -> None:
    """At any depth, and where no body is read at all: 422 with the nearest name."""
    response = await api.client.request(method, path, json=body, headers=api.admin())
    assert response.status_code == 422, response.text
    found = response.json()
    assert nearest in found["detail"]
    assert [error["field"] for error in found.get("errors", ())] == (
        [] if field is None else [field]
    )


def _schemas(api: Api) -> Iterator[dict[str, Any]]:
    """Every object and text that a client may send, over REST and the socket."""
    kinds: list[Any] = [*CLIENT_MESSAGES]
    kinds += [op.body for op in all_operations(api.app.state.services) if op.body]
    roots, named = msgspec.json.schema_components(kinds)
    waiting: list[Any] = [*roots, *named.values()]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            yield found
            waiting.extend(found.values())
        elif isinstance(found, list):
            waiting.extend(found)


async def test_every_message_of_a_client_is_closed(api: Api) -> None:
    """No request type takes fields that it does not name."""
    objects = [s for s in _schemas(api) if s.get("type") == "object"]
    assert len(objects) > 10
    named = [s for s in objects if "properties" in s]
    assert [s["title"] for s in named if s.get("additionalProperties", True)] == []


async def test_every_pattern_has_a_sentence(api: Api) -> None:
    """No regular expression is ever shown to a person."""
    found = (schema.get("pattern") for schema in _schemas(api))
    patterns = {pattern for pattern in found if isinstance(pattern, str)}
    assert len(patterns) >= 6
    assert [p for p in patterns if not has_sentence(p)] == []


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({}, "provider_id", "is missing"),
        (slot("prv_a.b"), "provider_id", "must be a provider's id"),
        (
            slot() | {"visit_type": 5},
            "visit_type",
            "must be a text, not a whole",
        ),
        (slot() | {"reason": "x" * 501}, "reason", "must have at most 500 characters"),
    ],
)
async def test_messages_are_sentences_about_a_field(
    api: Api, body: Any, field: str, words: str
) -> None:
    """The field that is missing is named itself; no pattern and no type names."""
    response = await api.client.post("/v1/bookings", json=body, headers=api.patient())
    found = response.json()
    error = found["errors"][0]
    assert error["field"] == field
    assert words in error["message"] or "is needed" in error["message"]
    assert found["detail"].startswith(f"{field} ")
    assert not set("^\\`") & set(found["detail"])


@pytest.mark.parametrize(
    ("content", "where"),
    [
        (b'{"hold_id":\n  zope}', "line 2, column 3 (byte 14)"),
        (b'{"hold_id":"x"', "ends at byte 14"),
        (b'{"reason":"\xff"}', "not UTF-8: line 1, column 12 (byte 11)"),
        (b"", "missing"),
        (b'"hold"', "must be an object"),
    ],
)
async def test_json_errors_say_where(api: Api, content: bytes, where: str) -> None:
    """Line, column and byte of what cannot be read."""
    response = await api.client.post(
        "/v1/bookings", content=content, headers=api.patient()
    )
    assert response.status_code == 422
    assert where in response.json()["detail"]


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 201),
        ("application/json; charset=UTF-8", 201),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/json; charset=latin-1", 415),
    ],
)
async def test_other_content_types_are_415(api: Api, kind: str, status: int) -> None:
    """A body that calls itself something else is not guessed at."""
    response = await api.client.post(
        "/v1/bookings",
        content=msgspec.json.encode(slot()),
        headers=api.patient() | {"Content-Type": kind},
    )
    assert response.status_code == status, response.text


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/v1/holds/hld_nobody.x", "hold_not_found"),
        ("GET", "/v1/holds/hld_1.x", "hold_not_found"),
        ("GET", "/v1/holds/nonsense", "hold_not_found"),
        ("POST", "/v1/holds/hld_nobody.x/extend", "hold_not_found"),
        ("DELETE", "/v1/holds/hld_nobody.x", "hold_not_found"),
        ("GET", "/v1/bookings/bkg_nobody.x", "booking_not_found"),
        ("GET", "/v1/bookings/bkg_1.x", "booking_not_found"),
        ("POST", "/v1/bookings/bkg_nobody.x/cancel", "booking_not_found"),
        ("POST", "/v1/bookings/bkg_1.x/cancel", "booking_not_found"),
        ("GET", "/v1/providers/prv_9", "provider_not_found"),
        ("GET", "/v1/providers/nonsense", "provider_not_found"),
    ],
)
async def test_what_is_not_there_is_named_by_its_kind(
    api: Api, method: str, path: str, code: str
) -> None:
    """The code is that of the object asked for, always in the same sentence."""
    response = await api.client.request(method, path, headers=api.patient())
    kind = code.removesuffix("_not_found")
    assert response.status_code == 404
    assert response.json()["code"] == code
    assert response.json()["detail"] == f"There is no such {kind}."


@pytest.mark.parametrize("provider", ["prv_" + "x" * 65, "prv_a.b", "prv_é", "doc_1"])
async def test_a_provider_that_could_not_be_booked_is_not_registered(
    api: Api, provider: str
) -> None:
    """One rule for provider ids: what registers can be held and booked."""
    profile = {
        "name": "Dr A",
        "specialty": "GP",
        "clinic": {"clinic_id": "cln_1", "name": "C", "time_zone": "UTC"},
    }
    refused = await api.client.put(
        f"/v1/providers/{provider}", json=profile, headers=api.admin()
    )
    assert refused.status_code == 422, refused.text
    assert refused.json()["errors"][0]["field"] == "provider_id"
    longest = "prv_" + "x" * 64
    taken = await api.client.put(
        f"/v1/providers/{longest}", json=profile, headers=api.admin()
    )
    assert taken.status_code == 200
    booked = await api.client.post(
        "/v1/bookings", json=slot(longest), headers=api.patient()
    )
    assert booked.json()["code"] == "visit_type_not_found"


@pytest.mark.parametrize("char", ["\u202e", "\u202a", "\u2066", "\u2029", "\x85", "\n"])
async def test_names_cannot_turn_the_text_around_them(api: Api, char: str) -> None:
    """Direction overrides and line separators are refused in names; letters are not."""
    clinic = {"clinic_id": "cln_1", "name": "C", "time_zone": "UTC"}
    for name, status in ((f"Dr {char}A", 422), ("ד״ר עדה", 200)):
        response = await api.client.put(
            "/v1/providers/prv_7",
            json={"name": name, "specialty": "GP", "clinic": clinic},
            headers=api.admin(),
        )
        assert response.status_code == status, response.text
