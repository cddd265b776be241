"""Health, metrics, documents, pages, and the manners of every answer."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from fastapi.routing import APIRoute
from openapi_spec_validator import validate
from structlog.testing import capture_logs

from actors.domain.ids import ShardId
from actors.errors import ShardAsleep, Unavailable
from gateway.access.rights import OF, Action
from gateway.app.operations import all_operations
from gateway.app.routers import EVERY_ROUTER
from gateway.http.features import REFUSALS
from gateway.http.openapi import codes_of, codes_of_right
from gateway.wire.problems import CODES
from tests.fakes.api import Api, open_api, slot


async def test_the_process_lives(api: Api) -> None:
    """/healthz is 200 as long as anything is."""
    assert (await api.client.get("/healthz")).status_code == 200


async def test_ready_when_all_shards_answer_and_the_live_side_runs() -> None:
    """/readyz is 200 with every check ok."""
    async with open_api() as api:
        async with api.app.router.lifespan_context(api.app):
            response = await api.client.get("/readyz")
        assert response.status_code == 200, response.text
        assert set(response.json()["checks"]) == {
            "shards",
            "hosting",
            "journal",
            "projection",
            "live",
        }


async def test_readiness_names_the_shard_that_is_missing(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503, and says which; a read model that is down is told but does not matter."""
    status = api.links.status

    async def lame(shard: Any = "s0001") -> Any:
        if shard == "s0001":
            raise Unavailable
        return await status(shard)

    monkeypatch.setattr(api.links, "status", lame)
    monkeypatch.setattr(api.read_model, "offsets", lame)
    response = await api.client.get("/readyz")
    checks = response.json()["checks"]
    assert response.status_code == 503
    assert "s0001" in checks["shards"]["detail"]
    assert checks["projection"] == {
        "ok": False,
        "required": False,
        "detail": "the read model does not answer",
    }


async def test_readiness_says_what_is_missing_to_run_the_shards(api: Api) -> None:
    """503 with the sentence of their host, though each shard still answers."""
    object.__setattr__(api.ports, "hosting", lambda: "Ray's raylet has ended")
    response = await api.client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["checks"]["hosting"] == {
        "ok": False,
        "required": True,
        "detail": "Ray's raylet has ended",
    }


async def test_the_lag_is_shown_while_the_read_model_is_away(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With SQL down, /readyz stays 200 and tells seconds and events; so do metrics."""
    now = 100.0

    async def away() -> Any:
        raise Unavailable

    monkeypatch.setattr("gateway.metrics.metrics.monotonic", lambda: now)
    async with api.app.router.lifespan_context(api.app):
        await api.client.get("/readyz")
        monkeypatch.setattr(api.read_model, "offsets", away)
        for hour in ("09", "10", "11"):
            body = slot(start=f"2026-08-10T{hour}:00:00Z")
            done = await api.client.post(
                "/v1/bookings", json=body, headers=api.patient()
            )
            assert done.status_code == 201, done.text
            now += 20.0
            await api.client.get("/readyz")
        response = await api.client.get("/readyz")
    assert response.status_code == 200, response.text
    check = response.json()["checks"]["projection"]
    assert check["required"] is False
    assert check["detail"] == (
        "the read model does not answer (for 40 s); "
        "5 events behind, the oldest for 60 s"
    )
    text = (await api.client.get("/metrics")).text
    assert "slotcast_projection_up 0.0" in text
    assert "slotcast_projection_lag_seconds{" in text
    assert any(
        line.startswith("slotcast_projection_lag_events{") and line.endswith(" 5.0")
        for line in text.splitlines()
    )


async def test_bookings_go_on_while_the_read_model_is_down(api: Api) -> None:
    """SQL is behind, never in the way."""
    api.read_model.available = False
    booked = await api.client.post("/v1/bookings", json=slot(), headers=api.patient())
    assert booked.status_code == 201
    shown = await api.client.get(
        f"/v1/bookings/{booked.json()['booking_id']}", headers=api.patient()
    )
    assert shown.status_code == 200


async def test_metrics_show_what_an_operator_needs(api: Api) -> None:
    """Latency by route, commands, refusals, shards, lag, batching: no ids in labels."""
    me = api.patient()
    await api.client.post("/v1/bookings", json=slot(), headers=me)
    await api.client.post("/v1/bookings", json=slot(), headers=me)
    text = (await api.client.get("/metrics")).text
    for line in (
        'request_seconds_count{method="POST",route="/v1/bookings",status="201"} 1.0',
        'slotcast_command_seconds_count{command="BookSlot"} 2.0',
        'slotcast_refusals_total{code="slot_unavailable"} 1.0',
        'slotcast_shard_up{shard="s0000"} 1.0',
        "slotcast_courier_requests_total",
        "slotcast_projection_lag_events",
        "slotcast_shard_fsync_p99_ms",
        'slotcast_shard_batch_size_bucket{le="1.0",shard="s0000"}',
        'slotcast_journal_append_seconds_bucket{le="+Inf",shard="s0000"}',
        'slotcast_journal_append_seconds_count{shard="s0000"}',
    ):
        assert line in text, line
    assert "pat_1" not in text
    assert "prv_1" not in text


async def test_the_openapi_document_is_valid(api: Api) -> None:
    """By the validator of the specification; every path of the app is in it."""
    document = (await api.client.get("/openapi.json")).json()
    validate(document)
    assert document == json.loads(json.dumps(api.app.openapi()))
    names = [
        op["operationId"] for item in document["paths"].values() for op in item.values()
    ]
    declared = all_operations(api.app.state.services)
    assert len(names) == len(set(names))
    assert {operation.name for operation in declared} < set(names)


async def test_every_code_of_the_table_is_documented(api: Api) -> None:
    """A code that no operation lists, or that /docs does not explain, is a mistake."""
    listed = {
        code
        for operation in all_operations(api.app.state.services)
        for code in codes_of(operation)
    }
    for route in [one for router in EVERY_ROUTER for one in router.routes]:
        assert isinstance(route, APIRoute)
        listed.update((route.openapi_extra or {}).get(REFUSALS, ()))
    listed |= {code for one in Action for code in codes_of_right(one, OF[one])}
    document = (await api.client.get("/openapi.json")).json()
    page = (await api.client.get("/docs/codes")).text
    elsewhere = {"not_found", "upgrade_required", "account_required"}
    # Behind the # of the page that signing in at a provider comes back to.
    elsewhere |= {"identity_refused", "email_missing", "link_required"}
    elsewhere |= {"identity_taken"}
    stream = document["paths"]["/v1/stream"]["get"]["responses"]
    listed |= set(re.findall(r"`(\w+)`", stream["429"]["description"]))
    assert set(CODES) == listed | elsewhere
    assert all(f'id="{code}"' in page for code in CODES)


PAGES = ("/", "/docs", "/docs/live", "/docs/codes", "/openapi.json", "/asyncapi.json")


@pytest.mark.parametrize("path", PAGES)
async def test_pages_need_nothing_from_elsewhere(api: Api, path: str) -> None:
    """They load no script, no style and no font from another server."""
    response = await api.client.get(path)
    assert response.status_code == 200
    if "html" in response.headers["content-type"]:
        loaded = re.findall(r'(?:src|<link[^>]* href)="([^"]+)"', response.text)
        assert all(one.startswith("/docs/") for one in loaded)
        assert "//" not in response.text.replace("&lt;", "").partition("</head>")[0]
        for one in loaded:
            assert (await api.client.get(one)).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/v1/providers/prv_1/slots"])
async def test_head_and_options(api: Api, path: str) -> None:
    """HEAD is GET without a body, OPTIONS tells the methods."""
    head = await api.client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) > 0
    options = await api.client.options(path)
    assert (options.status_code, options.headers["allow"]) == (
        204,
        "GET, HEAD, OPTIONS",
    )


@pytest.mark.parametrize("method", ["PATCH", "DELETE", "PUT", "BREW"])
@pytest.mark.parametrize("path", ["/v1/bookings", "/healthz", "/docs"])
async def test_other_methods_are_405(api: Api, method: str, path: str) -> None:
    """A problem that names those that there are."""
    response = await api.client.request(method, path)
    assert response.json()["code"] == "method_not_allowed"
    assert "GET" in response.headers["allow"]


@pytest.mark.parametrize(
    "path", ["/v2", "/v1", "/v1/holds/", "/v1/bookings/a/b/c", "/%00", "/../etc/passwd"]
)
async def test_unknown_addresses_are_problems(api: Api, path: str) -> None:
    """404 not_found as problem+json, not the framework's own page."""
    response = await api.client.get(path)
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] == "not_found"


async def test_a_bug_is_500_without_its_insides(api: Api) -> None:
    """No stack trace, no names of ours; the request id is there to be told."""

    class Broken:
        async def ask(self, _request: object) -> object:
            raise RuntimeError("secret insides")

    async with open_api(calendars=Broken()) as broken:
        with capture_logs():
            response = await broken.client.get("/v1/providers/prv_1")
    assert (response.status_code, response.json()["code"]) == (500, "internal")
    assert "insides" not in response.text
    assert response.headers["x-request-id"]


async def test_trouble_of_the_shards_is_503_with_retry_after() -> None:
    """The client is told to come again with the same key."""

    class Down:
        async def ask(self, _request: object) -> object:
            raise Unavailable("shard s0001 at /data", retry_after_s=3.0)

    async with open_api(calendars=Down()) as api:
        response = await api.client.post(
            "/v1/holds", json=slot(), headers=api.patient()
        )
    assert (response.status_code, response.headers["retry-after"]) == (503, "3")
    assert "/data" not in response.text


async def test_request_ids_are_kept_when_sane(api: Api) -> None:
    """A sane X-Request-Id is echoed, another is replaced; one is made if missing."""
    kept = await api.client.get("/healthz", headers={"X-Request-Id": "abc-1.2"})
    assert kept.headers["x-request-id"] == "abc-1.2"
    for bad in ("a b", "x" * 65, "<script>"):
        other = await api.client.get("/healthz", headers={"X-Request-Id": bad})
        assert other.headers["x-request-id"] not in ("", bad)


async def test_security_headers_are_on_every_answer(api: Api) -> None:
    """Errors included."""
    for path in ("/healthz", "/nowhere", "/v1/bookings"):
        headers = (await api.client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "object-src 'none'" in headers["content-security-policy"]
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert "camera=()" in headers["permissions-policy"]
        assert "strict-transport-security" not in headers


async def test_personal_answers_are_not_cached(api: Api) -> None:
    """Bookings are no-store; slots must be revalidated."""
    mine = await api.client.get("/v1/bookings", headers=api.patient())
    assert "no-store" in mine.headers["cache-control"]
    slots = await api.client.get("/v1/providers/prv_1/slots")
    assert slots.headers["cache-control"] == "no-cache"


async def test_other_origins_are_let_in_only_when_allowed() -> None:
    """CORS headers for configured origins, none for others."""
    async with open_api(allowed_origins=("https://app.test",)) as api:
        for origin, allowed in (
            ("https://app.test", True),
            ("https://evil.test", False),
        ):
            response = await api.client.get("/healthz", headers={"Origin": origin})
            found = response.headers.get("access-control-allow-origin")
            assert (found == origin) is allowed
        preflight = await api.client.options(
            "/v1/bookings",
            headers={
                "Origin": "https://app.test",
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "idempotency-key,authorization,"
                "content-type,if-match,if-none-match,last-event-id,x-request-id",
            },
        )
        assert preflight.status_code == 200


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/v1/providers?query=" + "x" * 9000, {}, 414),
        ("/healthz", {"X-Wide": "x" * 20_000}, 431),
        ("/v1/bookings", {}, 401),
        ("/nowhere", {}, 404),
        ("/v1/live", {}, 426),
        ("/v1/providers", {"Host": "evil.test"}, 421),
    ],
)
async def test_a_page_of_an_allowed_origin_can_read_every_refusal(
    path: str, headers: dict[str, str], status: int
) -> None:
    """Whatever refuses, a script sees status and code, not a network error."""
    origin = "https://app.test"
    async with open_api(
        allowed_origins=(origin,), public_url="http://clinic.test"
    ) as api:
        response = await api.client.get(path, headers={"Origin": origin, **headers})
        assert response.status_code == status
        assert response.json()["status"] == status
        assert response.headers["access-control-allow-origin"] == origin


async def test_a_full_house_can_be_read_by_a_page_too() -> None:
    """503 of overload has the same headers as any answer."""
    origin = "https://app.test"
    async with open_api(allowed_origins=(origin,), concurrency_max=0) as api:
        response = await api.client.get("/healthz", headers={"Origin": origin})
        assert response.status_code == 503
        assert response.headers["access-control-allow-origin"] == origin


async def test_asking_the_live_socket_without_one_is_explained(api: Api) -> None:
    """426 names the protocol, and what there is for those who cannot speak it."""
    response = await api.client.get("/v1/live")
    assert response.status_code == 426
    assert response.headers["upgrade"] == "websocket"
    assert "/v1/stream" in response.json()["detail"]


async def test_a_shard_that_goes_to_sleep_is_not_missed(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked for its account it was asleep already: it is none of the active ones."""
    status, shards = api.links.status, api.links.shards
    asleep: list[str] = []

    async def sleepy(shard: ShardId) -> Any:
        if shard == "s0001":
            asleep.append(shard)
            raise ShardAsleep
        return await status(shard)

    monkeypatch.setattr(api.links, "status", sleepy)
    monkeypatch.setattr(
        api.links, "shards", lambda: [s for s in shards() if s not in asleep]
    )
    response = await api.client.get("/readyz")
    assert response.json()["checks"]["shards"] == {"ok": True, "required": True}
