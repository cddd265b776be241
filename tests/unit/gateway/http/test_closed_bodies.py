"""No field that is not read can be slipped into a body: on every route."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.patients.schemas import ProfileChange
from tests.fakes.api import Api
from tests.fixtures.accounts import account_api, signed
from tests.fixtures.rights_region import Things, rights_region

FREE = frozenset({"credential", "affected", "affected_holds"})
"""Objects with fields of their own: what a browser signs, and what an answer listed,
which may be sent back with the rules and is not read."""
LEAST = 45
"""Bodies that must have been found, so that the test is about something."""


@pytest.fixture
async def region(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[tuple[Api, Things]]:
    async with rights_region(request, tmp_path) as opened:
        yield opened


def _bodies(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            content = operation.get("requestBody", {}).get("content", {})
            if "application/json" in content:
                yield method.upper(), path, content["application/json"]


def _objects(
    schema: Any, document: dict[str, Any], name: str, seen: set[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object below a schema, with the field that holds it."""
    if isinstance(schema, list):
        for one in schema:
            yield from _objects(one, document, name, seen)
        return
    if not isinstance(schema, dict):
        return
    reference = schema.get("$ref", "")
    if reference and reference not in seen:
        seen.add(reference)
        found = document["components"]["schemas"][reference.rpartition("/")[2]]
        yield from _objects(found, document, name, seen)
    if schema.get("type") == "object":
        yield name or str(schema.get("title")), schema
    for field, one in schema.get("properties", {}).items():
        yield from _objects(one, document, field, seen)
    for key in _INSIDE & schema.keys():
        yield from _objects(schema[key], document, name, seen)


_INSIDE = {"items", "anyOf", "oneOf", "allOf", "prefixItems", "additionalProperties"}


async def test_every_body_of_the_document_is_closed(
    region: tuple[Api, Things],
) -> None:
    """Also inside, and of routes that are added later."""
    api, _ = region
    document = api.app.openapi()
    bodies = list(_bodies(document))
    assert len(bodies) >= LEAST
    found = [
        (method, path, name)
        for method, path, content in bodies
        for name, one in _objects(content["schema"], document, "", set())
        if one.get("additionalProperties", True) is True
        and "patternProperties" not in one  # its keys have a form, others are refused
        and name not in FREE
    ]
    assert found == []


@pytest.fixture(params=[True, False], ids=["closed", "open"])
def is_closed(request: pytest.FixtureRequest) -> Iterator[bool]:
    """With the body of profiles as it is, and with one that takes every field."""
    config = ProfileChange.model_config
    if not request.param:
        ProfileChange.model_config = {**config, "extra": "allow"}
        ProfileChange.model_rebuild(force=True)
    yield request.param
    ProfileChange.model_config = config
    ProfileChange.model_rebuild(force=True)


@pytest.mark.parametrize("field", ["patient_id", "account_id", "clinic_id", "role"])
async def test_an_owner_in_a_body_is_refused_and_would_not_be_read(
    request: pytest.FixtureRequest, tmp_path: Path, *, is_closed: bool, field: str
) -> None:
    """Closed bodies are what refuses it; let in, it still changes no other patient."""
    async with account_api(request, tmp_path, public_url="") as opened:
        api = opened.api
        one, two = (signed(api, "patient", f"pat_{n}") for n in (1, 2))
        path = "/v1/me/profile"
        before = await api.client.patch(path, json={"given_name": "Noa"}, headers=two)
        assert before.status_code == 200, before.text
        body = {"given_name": "Mallory", field: "pat_2"}
        answer = await api.client.patch(path, json=body, headers=one)
        assert answer.status_code == (422 if is_closed else 200)
        after = await api.client.get(path, headers=two)
        assert after.json() == before.json()
