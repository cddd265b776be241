"""The search for providers over REST: words, distance, and the soonest free slot."""

from __future__ import annotations

from typing import Any

import pytest

from tests import factories as make
from tests.fakes.api import Api, open_api, slot


async def _town(api: Api) -> None:
    for number in range(2, 8):
        await api.add_provider(
            number,
            specialty="cardiology" if number % 2 else "dermatology",
            clinic=make.a_clinic(number, latitude=50.0 + number, longitude=8.0),
        )
    await api.project()


async def _all(api: Api, query: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = await api.client.get(f"/v1/providers?{query}&cursor={cursor}")
        assert page.status_code == 200, page.text
        items += page.json()["items"]
        cursor = page.json()["next_cursor"]
        if cursor is None:
            return items


async def test_providers_are_found_by_words_specialty_and_distance(
    api: Api,
) -> None:
    """Pages of any length give the same list."""
    await _town(api)
    assert len(await _all(api, "limit=2")) == 7
    assert len(await _all(api, "specialty=cardiology&limit=1")) == 3
    assert len(await _all(api, "query=num")) == 7
    near = await _all(api, "near=52,8&within_km=300&limit=2")
    assert near[0]["clinic"]["latitude"] == 52.0
    assert near[0]["distance_km"] == pytest.approx(0, abs=0.1)
    assert all(item["next_free"] for item in near)


async def test_the_soonest_near_a_place_tell_their_distance(api: Api) -> None:
    """Whatever the order: how far away each is, in whole metres."""
    await _town(api)
    for sort in ("name", "soonest"):
        items = await _all(api, f"near=52,8&within_km=300&sort={sort}")
        assert items
        assert all(isinstance(item["distance_m"], int) for item in items)
        assert all(item["distance_km"] == item["distance_m"] / 1000 for item in items)


async def test_soonest_first(api: Api) -> None:
    """The order is by next free start; who has none comes last; pages are stable."""
    await _town(api)
    for number in range(1, 4):
        for minutes in range(0, number * 30, 30):
            start = f"2026-08-10T{9 + minutes // 60:02}:{minutes % 60:02}:00Z"
            booked = await api.client.post(
                "/v1/bookings",
                json=slot(f"prv_{number}", start),
                headers=api.patient(100 * number + minutes),
            )
            assert booked.status_code == 201
    closed: dict[str, list[Any]] = {"locations": [], "visit_types": []}
    await api.client.put(
        "/v1/providers/prv_7/availability", json=closed, headers=api.admin()
    )
    for limit in (1, 3, 50):
        items = await _all(api, f"sort=soonest&limit={limit}")
        starts = [item["next_free"] or "9999" for item in items]
        assert starts == sorted(starts)
        assert len(starts) == 7
        assert items[-1]["provider_id"] == "prv_7"


@pytest.mark.parametrize(("most", "live"), [(6, False), (7, False), (8, True)])
async def test_a_list_of_the_first_matches_is_not_called_live(
    most: int, live: bool
) -> None:
    """Without a roster no more than so many are looked at: others may be sooner."""
    async with open_api(soonest_providers_max=most) as api:
        await api.add_provider()
        await _town(api)
        page = await api.client.get("/v1/providers?sort=soonest")
    assert page.json()["live"] is live


@pytest.mark.parametrize(
    "query",
    [
        "near=1",
        "near=91,0",
        "near=nan,nan",
        "near=inf,0",
        "near=a,b",
        "within_km=5",
        "sort=best",
        "limit=101",
        "cursor=%7B",
        "query=" + "x" * 201,
        "specialty=a%00b",
    ],
)
@pytest.mark.parametrize("sort", ["", "&sort=soonest"])
async def test_a_bad_search_names_its_field(api: Api, query: str, sort: str) -> None:
    """422 with the parameter's name."""
    if "sort" in query and sort:
        return
    response = await api.client.get(f"/v1/providers?{query}{sort}")
    assert response.status_code == 422, response.text
    assert response.json()["errors"][0]["field"] == query.partition("=")[0]


@pytest.mark.parametrize(
    "query", ["query=a&query=b", "query=%ff", "&".join("abcdefgh" * 9)]
)
async def test_a_broken_query_string_is_422(api: Api, query: str) -> None:
    """Twice the same name, or bytes that are no text."""
    response = await api.client.get(f"/v1/providers?{query}")
    assert response.status_code in (200, 422)
    if "=" in query:
        assert response.json()["code"] == "invalid_request"
