"""The OpenAPI document is complete, and long public answers are packed."""

from __future__ import annotations

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from tests.fakes.api import Api, open_api, slot


async def test_the_document_leaves_nothing_to_guess(api: Api) -> None:
    """Servers, descriptions, examples, headers, and what is beside the operations."""
    document = (await api.client.get("/openapi.json")).json()
    assert document["servers"][0]["url"]
    tags = {tag["name"] for tag in document["tags"]}
    for path in ("/healthz", "/readyz", "/metrics", "/v1/stream"):
        assert path in document["paths"]
    for path, item in document["paths"].items():
        for operation in item.values():
            assert operation["description"], path
            assert set(operation["tags"]) <= tags
            assert all(one["description"] for one in operation.get("parameters", ()))
            assert {"400", "405", "429", "503"} <= operation["responses"].keys(), path
            for status in ("429", "503"):
                headers = operation["responses"][status]["headers"]
                assert "Retry-After" in headers
    slots = document["paths"]["/v1/providers/{provider_id}/slots"]["get"]
    for status in ("200", "304"):
        assert "ETag" in slots["responses"][status]["headers"]


async def test_examples_of_bodies_fit_their_schemas(api: Api) -> None:
    """What the document shows can be sent."""
    document = (await api.client.get("/openapi.json")).json()
    shown = 0
    for item in document["paths"].values():
        for operation in item.values():
            if "requestBody" not in operation:
                continue
            media = operation["requestBody"]["content"]["application/json"]
            schema = media["schema"] | {"components": document["components"]}
            Draft202012Validator(schema).validate(media["example"])
            shown += 1
            assert media["example"], operation["operationId"]
    assert shown > 6


async def test_routes_beside_the_operations_are_described_too(api: Api) -> None:
    """An ordinary FastAPI route that is added is in the same document, and answers."""

    @api.app.get("/v1/extra/{number}")
    async def extra(number: int) -> dict[str, int]:
        """Twice the number."""
        return {"twice": 2 * number}

    document = (await api.client.get("/openapi.json")).json()
    validate(document)
    described = document["paths"]["/v1/extra/{number}"]["get"]
    assert described["description"] == "Twice the number."
    assert "/v1/bookings" in document["paths"]
    answered = await api.client.get("/v1/extra/4")
    assert answered.json() == {"twice": 8}


async def test_routes_that_are_added_later_come_before_the_web_app(
    tmp_path: Path,
) -> None:
    """The web app takes what nothing else does, and nothing more."""
    (tmp_path / "index.html").write_text("<p>app</p>")
    async with open_api(web_dir=tmp_path) as api:

        @api.app.get("/v1/extra")
        async def extra() -> dict[str, int]:
            return {"extra": 1}

        assert (await api.client.get("/v1/extra")).json() == {"extra": 1}
        assert (await api.client.get("/")).text == "<p>app</p>"
        missing = await api.client.get("/v1/nothing")
        assert (missing.status_code, missing.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("path", "accepts", "packed"),
    [
        ("/v1/providers/prv_1/slots", "gzip, br", True),
        ("/v1/providers/prv_1/slots", "br, *", True),
        ("/v1/providers/prv_1/slots", "gzip;q=0", False),
        ("/v1/providers/prv_1/slots", "identity", False),
        ("/openapi.json", "gzip", True),
        ("/healthz", "gzip", False),
        ("/v1/providers/prv_1/schedule", "gzip", False),
    ],
)
async def test_long_public_answers_are_packed(
    api: Api, path: str, accepts: str, *, packed: bool
) -> None:
    """Above 1 KB, for who takes it, and never where secrets are beside user text."""
    for hour in range(9, 16):
        body = slot(start=f"2026-08-10T{hour:02}:00:00Z") | {"reason": "x" * 200}
        await api.client.post("/v1/bookings", json=body, headers=api.patient())
    auth = api.doctor()
    plain = await api.client.get(path, headers=auth | {"Accept-Encoding": "identity"})
    answer = await api.client.get(path, headers=auth | {"Accept-Encoding": accepts})
    assert (answer.headers.get("content-encoding") == "gzip") is packed
    assert answer.content == plain.content
    assert ("accept-encoding" in plain.headers.get("vary", "")) is (
        "schedule" not in path and "healthz" not in path
    )
    if packed:
        assert int(answer.headers["content-length"]) < len(answer.content) / 3


async def test_the_socket_has_a_reference_beside_rest(api: Api) -> None:
    """Every message of the AsyncAPI document is explained, with its fields."""
    page = (await api.client.get("/docs/live")).text
    document = (await api.client.get("/asyncapi.json")).json()
    assert all(f'id="{name}"' in page for name in document["components"]["messages"])
    assert "<code>since</code>" in page
