"""Whatever is sent, the answer is a documented one and never a 500."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes.api import open_api, slot

_ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=40),
    st.sampled_from(
        [
            "prv_1",
            "prv_1\n",
            "prv_\0",
            "pat_1",
            "hld_1.x",
            "hld_1.x\n",
            "consult",
            "2026-08-10T09:00:00Z",
            "2026-08-10T09:00:00+23:59",
            "9999-12-31T23:59:59Z",
            "😀",
            "\ud800",
            "' OR 1=1 --",
            "../../etc/passwd",
            "x" * 600,
        ]
    ),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=3),
)
_FIELDS = ["provider_id", "visit_type", "start", "end", "hold_id", "reason"]
_FIELDS += ["patient_id", "locations", "visit_types", "name", "clinic", "specialty"]
_BODIES = st.one_of(
    st.dictionaries(st.sampled_from(_FIELDS), _ODD, max_size=6),
    st.dictionaries(st.sampled_from(_FIELDS), _ODD, max_size=2).map(
        lambda odd: slot() | odd
    ),
    _ODD,
)
_WRITES = st.sampled_from(
    [
        ("POST", "/v1/holds"),
        ("POST", "/v1/bookings"),
        ("POST", "/v1/holds/{id}/extend"),
        ("DELETE", "/v1/holds/{id}"),
        ("POST", "/v1/bookings/{id}/cancel"),
        ("POST", "/v1/bookings/{id}/reschedule"),
        ("POST", "/v1/bookings/{id}/check-in"),
        ("PUT", "/v1/providers/{id}"),
        ("PUT", "/v1/providers/{id}/availability"),
        ("PUT", "/v1/clinics/{id}"),
        ("POST", "/v1/providers/{id}/time-off"),
        ("DELETE", "/v1/providers/{id}/time-off/{id}"),
    ]
)
_IDS = st.sampled_from(
    [
        "prv_1",
        "prv_404",
        "cln_1",
        "hld_1.x",
        "bkg_1.x",
        "off_1.x",
        "x",
        "%00",
        "%0A",
        "%FF",
        "prv_1%0A",
        "hld_.x",
        "bkg_1.x%00",
        "%2e%2e",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ]
)
_READS = st.sampled_from(
    [
        "/v1/providers",
        "/v1/providers/{id}",
        "/v1/clinics",
        "/v1/clinics/{id}",
        "/v1/providers/{id}/slots",
        "/v1/providers/{id}/schedule",
        "/v1/providers/{id}/time-off",
        "/v1/bookings",
        "/v1/bookings/{id}",
        "/v1/holds/{id}",
    ]
)
_NAMES = ["from", "to", "visit_type", "at_least", "limit", "cursor", "status"]
_NAMES += ["query", "near", "within_km", "sort", "specialty"]
_VALUES = st.one_of(
    st.text(max_size=20),
    st.integers().map(str),
    st.sampled_from(["2026-08-10", "2026-08-10T09:00:00Z", "soonest", "1,1", "W10"]),
)
_TEXT = {"blacklist_categories": ("Cs",)}
_SETTINGS = settings(
    max_examples=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)


def _encoded(body: Any) -> bytes:
    import json

    return json.dumps(body).encode("utf-8", "surrogatepass")


@given(st.lists(st.tuples(_WRITES, _IDS, _BODIES, st.booleans()), max_size=8))
@_SETTINGS
async def test_no_write_breaks_the_gateway(sent: list[Any]) -> None:
    """Wrong types, huge, odd unicode, NUL: a documented answer, checked by schema."""
    async with open_api() as api:
        await api.add_provider()
        for (method, path), target, body, staff in sent:
            auth = api.admin() if staff else api.patient()
            response = await api.client.request(
                method,
                path.replace("{id}", target),
                content=_encoded(body),
                headers=auth,
            )
            assert response.status_code != 500, response.text


@given(
    st.lists(
        st.tuples(
            _READS,
            _IDS,
            st.dictionaries(st.sampled_from(_NAMES), _VALUES, max_size=4),
            st.booleans(),
        ),
        max_size=8,
    )
)
@_SETTINGS
async def test_no_read_breaks_the_gateway(sent: list[Any]) -> None:
    """Any query on any address: a documented answer, checked by schema."""
    async with open_api() as api:
        await api.add_provider()
        await api.project()
        for path, target, query, staff in sent:
            auth = api.admin() if staff else api.patient()
            response = await api.client.get(
                path.replace("{id}", target), params=query, headers=auth
            )
            assert response.status_code != 500, response.text


@given(st.binary(max_size=200))
@_SETTINGS
async def test_no_bytes_break_the_gateway(content: bytes) -> None:
    """Bodies that are no JSON, or no text at all."""
    async with open_api() as api:
        await api.add_provider()
        response = await api.client.post(
            "/v1/bookings", content=content, headers=api.patient()
        )
        assert response.status_code == 422


async def test_deep_nesting_is_only_invalid() -> None:
    """A body of ten thousand brackets is 422, not a crash."""
    async with open_api() as api:
        await api.add_provider()
        for content in (b"[" * 10_000, b'{"reason":' * 5_000):
            response = await api.client.post(
                "/v1/bookings", content=content, headers=api.patient()
            )
            assert response.status_code == 422
