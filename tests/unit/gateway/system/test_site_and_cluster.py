"""What pages know of the site, and operators of the cluster."""

from __future__ import annotations

from tests.fakes.api import Api, open_api


async def test_a_site_without_accounts_offers_no_demo(api: Api) -> None:
    """A page must not show log-ins that would be 404."""
    answer = await api.client.get("/v1/site")
    assert answer.json() == {
        "version": "0.1.0",
        "demo": False,
        "accounts": False,
        "early_outcomes": False,
    }


async def test_an_operator_sees_every_shard_and_check(api: Api) -> None:
    """The numbers are those of the shards themselves."""
    answer = await api.client.get("/v1/cluster", headers=api.admin())
    found = answer.json()
    ready = (await api.client.get("/readyz")).json()
    assert found["ready"] is ready["ready"]
    assert {one["name"]: one["ok"] for one in found["checks"]} == {
        name: check["ok"] for name, check in ready["checks"].items()
    }
    assert [one["shard"] for one in found["shards"]] == sorted(api.links.shards())
    for one in found["shards"]:
        status = await api.links.status(one["shard"])
        assert status is not None
        assert (one["up"], one["epoch"]) == (True, status.epoch)
        assert one["last_seq"] == status.last_seq


async def test_a_shard_that_does_not_answer_is_named() -> None:
    """Silence is shown as such, with nothing made up."""
    async with open_api() as api:

        async def silent(_shard: str) -> None:
            raise TimeoutError

        api.links.status = silent  # type: ignore[method-assign, assignment]
        found = (await api.client.get("/v1/cluster", headers=api.admin())).json()
    assert found["ready"] is False
    assert {one["state"] for one in found["shards"]} == {"silent"}
