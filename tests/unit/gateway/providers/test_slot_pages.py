"""Pages of slots that the gateway keeps: confirmed by their calendar, or not shown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from actors.domain.ids import ProviderId, VisitTypeId
from actors.domain.messages.answers import SlotsView, Unchanged
from actors.domain.messages.reads import ReadSlots
from gateway.providers.slot_pages import SlotPages, position_in, tags_in
from gateway.wire import replies
from tests.fakes.api import Api, open_api, slot

PATH = "/v1/providers/prv_1/slots?visit_type=consult&from=2026-08-10&to=2026-08-30"
QUESTION = ReadSlots(ProviderId("prv_1"), VisitTypeId("consult"), "2026-08-10", "x")


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with open_api() as one:
        await one.add_provider()
        yield one


@pytest.fixture
def answers(api: Api, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the calendar answered to each question about slots."""
    ask, found = api.ports.calendars.ask, list[Any]()

    async def asked(request: Any) -> Any:
        answer = await ask(request)
        if isinstance(request, ReadSlots):
            found.append(answer)
        return answer

    monkeypatch.setattr(api.ports.calendars, "ask", asked)
    return found


async def test_a_page_is_made_once_and_shown_for_as_long_as_it_is_true(
    api: Api, answers: list[Any]
) -> None:
    """The second reader has the same bytes, and no view is made for them; a change of
    the calendar is in the very next answer."""
    first = await api.client.get(PATH)
    again = await api.client.get(PATH)
    assert (again.content, again.headers["etag"]) == (
        first.content,
        first.headers["etag"],
    )
    await api.client.post("/v1/holds", json=slot(), headers=api.patient())
    changed = await api.client.get(PATH)
    assert [type(answer) for answer in answers] == [SlotsView, Unchanged, SlotsView]
    assert [s["state"] for s in changed.json()["slots"]].count("held") == 1
    assert changed.headers["etag"] != first.headers["etag"]


async def test_a_304_is_decided_before_the_view_is_made(
    api: Api, answers: list[Any]
) -> None:
    """Also by a gateway that has never seen the page: the client's tag says where the
    calendar stood. A tag of before a change, or of another question, is no help."""
    tag = (await api.client.get(PATH)).headers["etag"]
    service = api.app.state.services.providers
    for header, made in ((tag, Unchanged), (f'"other", {tag}', Unchanged)):
        service._pages = SlotPages()
        same = await api.client.get(PATH, headers={"If-None-Match": header})
        assert (same.status_code, same.content) == (304, b"")
        assert (same.headers["etag"], same.headers["vary"]) == (tag, "accept-encoding")
        assert type(answers[-1]) is made
    service._pages = SlotPages()
    other = PATH.replace("08-30", "08-29")
    fresh = await api.client.get(other, headers={"If-None-Match": tag})
    assert (fresh.status_code, type(answers[-1])) == (200, SlotsView)
    await api.client.post("/v1/holds", json=slot(), headers=api.patient())
    service._pages = SlotPages()
    behind = await api.client.get(PATH, headers={"If-None-Match": tag})
    assert (behind.status_code, type(answers[-1])) == (200, SlotsView)


async def test_a_version_that_is_asked_for_is_waited_for_though_a_page_is_kept(
    api: Api,
) -> None:
    """``at_least`` beyond the kept page is not answered by it."""
    version = (await api.client.get(PATH)).json()["version"]
    assert (await api.client.get(f"{PATH}&at_least={version}")).status_code == 200
    ahead = await api.client.get(f"{PATH}&at_least={version + 1}")
    assert ahead.status_code == 503


async def test_a_page_is_packed_once(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """gzip for those who take it, made once for all of them; a change packs again."""
    packed, pack = list[bytes](), replies._packed

    def counted(body: bytes) -> bytes:
        packed.append(body)
        return pack(body)

    monkeypatch.setattr(replies, "_packed", counted)
    plain = await api.client.get(PATH, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert (plain.headers["vary"], packed) == ("accept-encoding", [])
    for _ in range(3):
        short = await api.client.get(PATH, headers={"Accept-Encoding": "br, gzip"})
        assert short.headers["content-encoding"] == "gzip"
        assert short.content == plain.content  # the client has unpacked it
    assert packed == [plain.content]
    await api.client.post("/v1/holds", json=slot(), headers=api.patient())
    changed = await api.client.get(PATH, headers={"Accept-Encoding": "gzip"})
    assert b'"held"' in changed.content
    assert packed == [plain.content, changed.content]


@pytest.mark.parametrize(
    "header",
    ['W/"9.9.x"', '"' + "9" * 40 + '.1.abcdefabcdef"', '"²"', '"1.1.', "", '"..",W/'],
)
async def test_tags_that_are_not_ours_are_ignored(api: Api, header: str) -> None:
    """Whatever a client sends as its tag, it gets the page."""
    got = await api.client.get(
        PATH, headers={b"If-None-Match": header.encode("latin-1")}
    )
    assert got.status_code == 200
    assert position_in(tags_in(header), QUESTION) is None


def test_pages_are_bounded_in_bytes_and_the_oldest_go() -> None:
    """What was not asked for longest makes room, and is accounted for exactly."""
    pages = SlotPages(bytes_max=20_000)
    view = SlotsView(
        ProviderId("prv_1"), 1, 1, VisitTypeId("v"), "UTC", 5, [9] * 50, "f" * 50
    )
    questions = [
        ReadSlots(ProviderId(f"prv_{n}"), VisitTypeId("v"), "a", "b") for n in range(9)
    ]
    for question in questions:
        pages.show(question, view)
        pages.show(question, view)
        pages.find(questions[0])
    kept = [question for question in questions if pages.find(question) is not None]
    assert questions[0] in kept
    assert questions[-1] in kept
    assert len(kept) < len(questions)
    assert pages._bytes == sum(page.costs for page in pages._pages.values()) <= 20_000
