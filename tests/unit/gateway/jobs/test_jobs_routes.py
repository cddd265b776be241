"""``/v1/jobs``: the first ordinary feature, and what every router has from its base."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fastapi.routing import APIRoute

from actors.domain.ids import Millis
from care.jobs.jobs import DeadJob, NewJob
from gateway.access.rights import Action
from gateway.http.features import RIGHT, FeatureRouter
from tests.fakes.api import Api, open_api
from tests.fakes.jobs import MemoryJobs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NOW = Millis(1_700_000_000_000)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """A gateway with one waiting job and three dead letters."""
    async with open_api() as opened:
        jobs = opened.ports.jobs
        assert isinstance(jobs, MemoryJobs)
        jobs.waiting.append(NewJob("remind", "bkg_1", NOW))
        jobs.letters += [
            DeadJob(n, "mail", f"k{n}", NOW, NOW, 12, "no such address")
            for n in (1, 2, 3)
        ]
        yield opened


async def test_an_operator_reads_and_resends_dead_letters(api: Api) -> None:
    """Pages follow each other; what is resent waits again."""
    admin = api.admin()
    first = await api.client.get("/v1/jobs/dead?limit=2", headers=admin)
    assert [one["id"] for one in first.json()["items"]] == [1, 2]
    assert first.json()["items"][0]["dead_at"] == "2023-11-14T22:13:20Z"
    cursor = first.json()["next_cursor"]
    rest = await api.client.get(f"/v1/jobs/dead?cursor={cursor}", headers=admin)
    assert [one["id"] for one in rest.json()["items"]] == [3]
    assert rest.json()["next_cursor"] is None
    for kind, count in (("mail", 3), ("mai", 0), ("mail.slow", 0)):
        of_kind = await api.client.get(f"/v1/jobs/dead?kind={kind}", headers=admin)
        assert len(of_kind.json()["items"]) == count
    resent = await api.client.post(
        "/v1/jobs/resend", json={"ids": [1, 3]}, headers=admin
    )
    assert resent.json() == {"resent": 2}
    counts = await api.client.get("/v1/jobs", headers=admin)
    assert counts.json() == {"waiting": 3, "done": 0, "dead": 1, "oldest_due": None}


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("GET", "/v1/jobs/dead?limt=2", None, "limt"),
        ("GET", "/v1/jobs/dead?limit=0", None, "limit"),
        ("GET", "/v1/jobs/dead?cursor=x", None, "cursor"),
        ("GET", "/v1/jobs?page=2", None, "page"),
        ("POST", "/v1/jobs/resend", {"id": [1]}, "id"),
        ("POST", "/v1/jobs/resend", {"ids": ["one"]}, "ids.0"),
    ],
)
async def test_bad_input_is_a_problem_that_names_the_field(
    api: Api, method: str, path: str, body: object, field: str
) -> None:
    """Routers refuse as the hot paths do: 422, problem+json, the field by its name."""
    answer = await api.client.request(method, path, json=body, headers=api.admin())
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "invalid_request"
    assert [one["field"] for one in answer.json()["errors"]] == [field]


async def test_a_store_that_is_away_is_a_503(api: Api) -> None:
    """Records that do not answer are no error of the caller's."""
    assert isinstance(api.ports.jobs, MemoryJobs)
    api.ports.jobs.is_away = True
    answer = await api.client.get("/v1/jobs", headers=api.admin())
    assert answer.status_code == 503
    assert answer.json()["code"] == "unavailable"
    assert "retry-after" in answer.headers


async def test_every_route_declares_its_right(api: Api) -> None:
    """No FastAPI route is mounted without a right, and each right is in the table."""
    mounted = api.app.router.routes
    assert not [one for one in mounted if isinstance(one, APIRoute)]
    routers = [
        one.original_router for one in mounted if hasattr(one, "original_router")
    ]
    assert routers
    assert {type(one) for one in routers} == {FeatureRouter}
    for router in routers:
        for route in router.routes:
            assert (route.openapi_extra or {}).get(RIGHT) in {"anyone", *Action}


def test_a_route_without_a_right_is_not_accepted() -> None:
    """The router's decorators insist on ``right``."""
    router = FeatureRouter(prefix="/v1/x", tags=["X"])
    with pytest.raises(TypeError, match="right"):
        router.get("/y")  # type: ignore[call-arg]


async def test_one_document_describes_operations_and_routers(api: Api) -> None:
    """OpenAPI has both, with problems as refusals and the token where it is needed."""
    document = (await api.client.get("/openapi.json")).json()
    assert "/v1/bookings" in document["paths"]
    resend = document["paths"]["/v1/jobs/resend"]["post"]
    assert resend["security"] == [{"bearer": []}]
    assert {"401", "403", "422", "503"} <= set(resend["responses"])
    refused = resend["responses"]["422"]["content"]
    assert list(refused) == ["application/problem+json"]
    assert "HTTPValidationError" not in document["components"]["schemas"]
