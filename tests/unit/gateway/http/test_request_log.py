"""The request log: a line each, with the route's template and nothing personal."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.fakes.api import open_api, slot
from tests.fixtures.accounts import account_api


async def test_log_lines_have_nothing_personal() -> None:
    """Template, status and time; no path, query, token, patient or reason."""
    async with open_api(log_requests=True) as api:
        await api.add_provider()
        with capture_logs() as lines:
            body = slot() | {"reason": "a rash"}
            auth = api.patient()
            made = await api.client.post("/v1/bookings", json=body, headers=auth)
            booking = made.json()["booking_id"]
            await api.client.get(f"/v1/bookings/{booking}?x=secret", headers=auth)
            await api.client.get("/v1/nowhere/pat_1")
            await api.client.get("/v1/symptoms?text=rash&x=secret")
    requests = [line for line in lines if line["event"] == "request"]
    assert [(line["route"], line["status"]) for line in requests] == [
        ("/v1/bookings", 201),
        ("/v1/bookings/{booking_id}", 422),
        ("unknown", 404),
        ("/v1/symptoms", 422),
    ]
    text = str(lines)
    for word in ("pat_1", "rash", booking, "secret", auth["Authorization"][7:]):
        assert word not in text


async def test_log_lines_of_features_have_their_template(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """As those of the operations on calendars have, also where they are refused."""
    async with account_api(request, tmp_path, log_requests=True) as site:
        with capture_logs() as lines:
            await site.client.get("/v1/providers/prv_7/directory-entry")
            await site.client.delete("/v1/clinics/cln_7/photo")
        metrics = (await site.client.get("/metrics")).text
    assert [one["route"] for one in lines if one["event"] == "request"] == [
        "/v1/providers/{provider_id}/directory-entry",
        "/v1/clinics/{clinic_id}/photo",
    ]
    assert 'route="/v1/clinics/{clinic_id}/photo",status="401"' in metrics
