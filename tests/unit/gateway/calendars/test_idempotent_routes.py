"""``Idempotency-Key`` on ordinary features: one effect, one answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import Response

from actors.domain.ids import Millis
from actors.domain.messages.refusals import Refusal, RefusalCode
from actors.errors import Unavailable
from care.idempotency.answers import CLAIM_MS, KEEP_MS
from gateway.access.rights import Action
from gateway.access.tokens import Caller, Identity, Role, issue_access_token
from gateway.http.features import ANYONE, Body, FeatureRouter
from gateway.wire.errors import Forbidden, Refused
from tests.fakes.answers import MemoryAnswers
from tests.fakes.api import KEY, Api, open_api

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PATH = "/v1/drafts"


class Draft(Body):
    """A body with two fields, so that their order can differ."""

    title: str
    pages: int = 1


class Drafts:
    """A feature that counts its effects, and can be told to fail."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.error: Exception | None = None
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()

    def router(self) -> FeatureRouter:
        router = FeatureRouter(prefix=PATH, tags=["drafts"])

        @router.post("", right=Action.RESEND_JOBS, status_code=201)
        async def make(draft: Draft, response: Response) -> dict[str, Any]:
            self.begun.set()
            await self.go_on.wait()
            if self.error is not None:
                raise self.error
            self.made.append(draft.title)
            response.headers["Location"] = f"{PATH}/{len(self.made)}"
            return {"number": len(self.made)}

        @router.put("/{number}", right=Action.RESEND_JOBS, status_code=204)
        async def put(number: int) -> None:
            self.made.append(str(number))

        @router.post("/open", right=ANYONE)
        async def make_open() -> dict[str, int]:
            self.made.append("open")
            return {"number": len(self.made)}

        @router.post("/streamed", right=Action.RESEND_JOBS, idempotent=False)
        async def make_streamed() -> dict[str, int]:
            self.made.append("streamed")
            return {"number": len(self.made)}

        return router


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """A gateway whose answers are not compared with the document: drafts lack one."""
    async with open_api() as opened:
        opened.client.event_hooks["response"].clear()
        yield opened


@pytest.fixture
def drafts(api: Api) -> Drafts:
    """The feature, mounted."""
    made = Drafts()
    api.app.include_router(made.router())
    return made


def keyed(api: Api, key: str, subject: str = "root") -> dict[str, str]:
    return {**api.auth("admin", subject), "Idempotency-Key": key}


async def test_a_repeated_request_gets_its_first_answer(
    api: Api, drafts: Drafts
) -> None:
    """Status, body and headers are replayed, and the handler runs once."""
    body = {"title": "a", "pages": 2}
    first = await api.client.post(PATH, json=body, headers=keyed(api, "k"))
    turned = '{"pages": 2,  "title": "a"}'
    json = {"Content-Type": "application/json"}
    again = await api.client.post(PATH, content=turned, headers=keyed(api, "k") | json)
    assert drafts.made == ["a"]
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json() == {"number": 1}
    assert first.headers["location"] == again.headers["location"] == f"{PATH}/1"
    assert first.headers["content-type"] == again.headers["content-type"]
    assert first.headers["x-request-id"] != again.headers["x-request-id"]


async def test_an_empty_answer_is_replayed(api: Api, drafts: Drafts) -> None:
    """204 has no body, and is an answer all the same."""
    headers = keyed(api, "k")
    answers = [await api.client.put(f"{PATH}/7", headers=headers) for _ in range(2)]
    assert [one.status_code for one in answers] == [204, 204]
    assert drafts.made == ["7"]


@pytest.mark.parametrize("other", ["body", "path"])
async def test_a_key_names_one_request(api: Api, drafts: Drafts, other: str) -> None:
    """Another body, or another path, with the same key is refused."""
    headers = keyed(api, "k")
    await api.client.post(PATH, json={"title": "a"}, headers=headers)
    if other == "body":
        again = await api.client.post(PATH, json={"title": "b"}, headers=headers)
    else:
        again = await api.client.put(f"{PATH}/1", headers=headers)
    assert again.status_code == 422
    assert again.json()["code"] == "idempotency_key_reused"
    assert drafts.made == ["a"]


async def test_a_key_is_the_callers_own(api: Api, drafts: Drafts) -> None:
    """The same key of another person is another key."""
    for subject in ("root", "other"):
        await api.client.post(
            PATH, json={"title": subject}, headers=keyed(api, "k", subject)
        )
    assert drafts.made == ["root", "other"]


async def test_a_key_is_the_accounts_own(api: Api, drafts: Drafts) -> None:
    """Two accounts with one role and subject may choose the same key; an account that
    repeats it has its first answer."""
    now = api.clock.now()
    for account in ("acc_1", "acc_2", "acc_1"):
        identity = Identity(account, "ses_1", "", 1, 2, now)
        expires = Millis(now + 60_000)
        caller = Caller(Role.ADMIN, "root", expires, now, "t", identity)
        signed = issue_access_token(KEY, caller)
        headers = {"Authorization": f"Bearer {signed}", "Idempotency-Key": "k"}
        answer = await api.client.post(PATH, json={"title": "a"}, headers=headers)
        assert answer.status_code == 201, answer.text
    assert drafts.made == ["a", "a"]


async def test_without_a_key_or_a_caller_nothing_is_stored(
    api: Api, drafts: Drafts
) -> None:
    """A key without a token would let its finder read another's answer."""
    admin = api.admin()
    for headers in (admin, admin):
        await api.client.post(PATH, json={"title": "a"}, headers=headers)
    for _ in range(2):
        await api.client.post(f"{PATH}/open", headers={"Idempotency-Key": "k"})
    for _ in range(2):
        await api.client.post(f"{PATH}/streamed", headers=keyed(api, "k"))
    assert drafts.made == ["a", "a", "open", "open", "streamed", "streamed"]
    assert isinstance(api.ports.answers, MemoryAnswers)
    assert not api.ports.answers.rows


async def test_a_caller_without_the_right_learns_nothing(
    api: Api, drafts: Drafts
) -> None:
    """The right is checked before the key is looked at."""
    headers = {**api.patient(), "Idempotency-Key": "k"}
    answer = await api.client.post(PATH, json={"title": "a"}, headers=headers)
    assert answer.status_code == 403
    assert isinstance(api.ports.answers, MemoryAnswers)
    assert not api.ports.answers.rows


async def test_two_requests_at_once_have_one_effect(api: Api, drafts: Drafts) -> None:
    """The second is asked to come back, and then gets the first one's answer."""
    drafts.go_on.clear()
    body, headers = {"title": "a"}, keyed(api, "k")
    first = asyncio.ensure_future(api.client.post(PATH, json=body, headers=headers))
    await drafts.begun.wait()
    beside = await api.client.post(PATH, json=body, headers=headers)
    assert (beside.status_code, beside.json()["code"]) == (503, "unavailable")
    assert "retry-after" in beside.headers
    drafts.go_on.set()
    assert (await first).status_code == 201
    after = await api.client.post(PATH, json=body, headers=headers)
    assert (after.status_code, drafts.made) == (201, ["a"])


async def test_a_refusal_of_the_operation_is_an_answer(
    api: Api, drafts: Drafts
) -> None:
    """It is replayed even where the same request would now succeed."""
    drafts.error = Refused(Refusal(RefusalCode.SLOT_UNAVAILABLE))
    body, headers = {"title": "a"}, keyed(api, "k")
    first = await api.client.post(PATH, json=body, headers=headers)
    drafts.error = None
    again = await api.client.post(PATH, json=body, headers=headers)
    assert first.status_code == again.status_code == 409
    assert first.json() == again.json()
    assert again.headers["content-type"] == "application/problem+json"
    assert drafts.made == []


@pytest.mark.parametrize(
    "error", [Unavailable("away"), Forbidden("not here"), RuntimeError("defect")]
)
async def test_a_failure_frees_the_key(
    api: Api, drafts: Drafts, error: Exception
) -> None:
    """What is no outcome of the operation may be repeated with the same key."""
    drafts.error = error
    body, headers = {"title": "a"}, keyed(api, "k")
    first = await api.client.post(PATH, json=body, headers=headers)
    assert first.status_code in {403, 500, 503}
    drafts.error = None
    again = await api.client.post(PATH, json=body, headers=headers)
    assert (again.status_code, drafts.made) == (201, ["a"])


async def test_a_body_that_was_refused_can_be_corrected(
    api: Api, drafts: Drafts
) -> None:
    """A 422 for a field does not use the key up."""
    headers = keyed(api, "k")
    bad = await api.client.post(PATH, json={"titel": "a"}, headers=headers)
    assert bad.status_code == 422
    good = await api.client.post(PATH, json={"title": "a"}, headers=headers)
    assert (good.status_code, drafts.made) == (201, ["a"])


async def test_a_bad_key_is_named(api: Api, drafts: Drafts) -> None:
    """A key is 1 to 128 visible ASCII characters."""
    for key in ("", "a b", "k" * 129):
        answer = await api.client.post(
            PATH, json={"title": "a"}, headers=keyed(api, key)
        )
        assert answer.status_code == 422
        fields = [one["field"] for one in answer.json()["errors"]]
        assert fields == ["Idempotency-Key"]
    assert drafts.made == []


async def test_without_a_store_a_key_cannot_be_honoured(
    api: Api, drafts: Drafts
) -> None:
    """A request with a key is refused rather than run without its protection."""
    assert isinstance(api.ports.answers, MemoryAnswers)
    api.ports.answers.is_away = True
    answer = await api.client.post(PATH, json={"title": "a"}, headers=keyed(api, "k"))
    assert (answer.status_code, drafts.made) == (503, [])


async def test_keys_expire(api: Api, drafts: Drafts) -> None:
    """An answer is kept for a day; a request that died holds its key for a minute."""
    body = {"title": "a"}
    for _ in range(2):
        await api.client.post(PATH, json=body, headers=keyed(api, "k"))
        api.clock.step(KEEP_MS / 1000)
    assert drafts.made == ["a", "a"]
    drafts.go_on.clear()
    drafts.begun.clear()
    dying = asyncio.ensure_future(
        api.client.post(PATH, json=body, headers=keyed(api, "k"))
    )
    await drafts.begun.wait()
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    drafts.go_on.set()
    for seconds, status in ((0, 503), (CLAIM_MS / 1000, 201)):
        api.clock.step(seconds)
        answer = await api.client.post(PATH, json=body, headers=keyed(api, "k"))
        assert answer.status_code == status


async def test_the_document_names_the_header(api: Api) -> None:
    """A route that writes lists the header and the code of a reused key."""
    document = (await api.client.get("/openapi.json")).json()
    resend = document["paths"]["/v1/jobs/resend"]["post"]
    names = [one["name"] for one in resend["parameters"]]
    assert names == ["Idempotency-Key"]
    assert "idempotency_key_reused" in resend["responses"]["422"]["description"]
    assert "parameters" not in document["paths"]["/v1/jobs"]["get"]
