"""``/v1/symptoms``: answers at once, keeps no text, and runs one thread at most."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from prometheus_client import generate_latest
from structlog.testing import capture_logs

from care.directory.specialties import Specialty, SpecialtyIndex, SpecialtyNames
from gateway.directory.symptoms.encoder import PhraseModel, WeightsDiffer
from gateway.directory.symptoms.metrics import SymptomCollector
from gateway.directory.symptoms.model_thread import (
    KEPT_MAX,
    WAITING_MAX,
    ModelThread,
    Scores,
)
from gateway.directory.symptoms.service import SymptomService
from tests.fakes.answers import MemoryAnswers
from tests.fakes.api import Api, open_api

PATH = "/v1/symptoms"
KEY = b"a key of this process"


class ScriptedModel(PhraseModel):
    """Says what it is told to, when it is let go; notes threads and texts."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.go.set()
        self.texts: list[str] = []
        self.threads: set[int] = set()
        self.at_once = 0
        self.at_once_max = 0
        self.loads = 0
        self.fails = False

    def load(self) -> PhraseModel:
        self.loads += 1
        self.go.wait()
        return self

    def scores(self, text: str) -> dict[str, float]:
        self.at_once += 1
        self.at_once_max = max(self.at_once_max, self.at_once)
        self.threads.add(threading.get_ident())
        self.texts.append(text)
        self.go.wait()
        self.at_once -= 1
        if self.fails:
            raise ValueError(text)
        return {"oncology": 0.9, "dermatology": 0.2}


async def _till_done(future: asyncio.Future[Scores]) -> None:
    await asyncio.wait({future})


async def _not_at_all(_future: asyncio.Future[Scores]) -> None:
    """The time of a request is over at once."""


@contextmanager
def running(
    model: ScriptedModel,
    waits: Callable[[asyncio.Future[Scores]], Awaitable[None]] = _till_done,
) -> Iterator[ModelThread]:
    """The model in its thread, which is let go at the end."""
    thread = ModelThread(model.load, key=KEY, waits=waits)
    try:
        yield thread
    finally:
        model.go.set()
        thread.close()


async def until(holds: Callable[[], bool]) -> None:
    """Let the loop and the thread run until something holds."""
    while not holds():  # noqa: ASYNC110 - a thread changes it
        await asyncio.sleep(0.001)


async def loaded(thread: ModelThread) -> None:
    """Load the model, as the first request does."""
    assert await thread.scores("first") is None
    await until(lambda: thread.is_loaded)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """A gateway without a model."""
    async with open_api() as opened:
        yield opened


async def ask(api: Api, text: str, **more: str) -> dict[str, Any]:
    answer = await api.client.post(PATH, json={"text": text, **more})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_words_alone_answer_without_the_extra(api: Api) -> None:
    """The same route, three specialties at most, titles in the language asked for."""
    found = await ask(api, "my knee hurts", language="de")
    assert set(found) == {"suggestions", "sure", "urgent"}
    assert found["suggestions"][0]["specialty"] == "orthopaedics"
    assert found["suggestions"][0]["title"] == "Orthopädie"
    assert 0.35 <= found["suggestions"][0]["score"] <= 1
    assert len(found["suggestions"]) <= 3
    assert (found["sure"], found["urgent"]) == (True, False)
    bare = await ask(api, "xyzzy")
    assert bare == {"suggestions": [], "sure": False, "urgent": False}


async def test_the_text_may_stand_in_the_address_too(api: Api) -> None:
    """GET answers what POST answers, and neither answer is to be kept."""
    query = {"text": "an itchy rash", "language": "ar"}
    got = await api.client.get(PATH, params=query)
    posted = await api.client.post(PATH, json=query)
    assert got.json() == posted.json()
    assert got.json()["suggestions"][0]["title"] == "أمراض جلدية"
    for answer in (got, posted):
        assert "no-store" in answer.headers["cache-control"]


@pytest.mark.parametrize(
    "text", ["chest pain", "ich will nicht mehr leben", "لا أستطيع التنفس"]
)
async def test_words_of_danger_are_urgent(api: Api, text: str) -> None:
    """Whatever is suggested besides, and whether anything is."""
    assert (await ask(api, text))["urgent"] is True


async def test_a_name_of_a_specialty_comes_first(api: Api) -> None:
    """Titles and synonyms in every language are what they say."""
    found = await ask(api, "Hautarzt")
    assert found["suggestions"][0] == {
        "specialty": "dermatology",
        "title": "Dermatology",
        "score": 1.0,
    }


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"text": ""},
        {"text": "  "},
        {"text": "x" * 301},
        {"text": "knee", "language": "../en"},
        {"text": "knee", "patient_id": "pat_1"},
        {"text": 7},
    ],
)
async def test_other_bodies_are_refused(api: Api, body: dict[str, Any]) -> None:
    """422, and the refusal does not repeat the text."""
    answer = await api.client.post(PATH, json=body)
    assert answer.status_code == 422
    assert "xxx" not in answer.text


async def test_half_a_character_is_refused(api: Api) -> None:
    """A lone surrogate is no text; it neither breaks the answer nor the model."""
    broken = b'{"text": "knee \\ud800"}'
    headers = {"Content-Type": "application/json"}
    answer = await api.client.post(PATH, content=broken, headers=headers)
    assert answer.status_code == 422


async def test_callers_are_limited_as_elsewhere() -> None:
    """429 for an address in haste, though the route is public."""
    async with open_api(
        rate_limited=True, anonymous_rate_per_s=0.5, anonymous_rate_burst=2
    ) as api:
        body = {"text": "knee"}
        answers = [await api.client.post(PATH, json=body) for _ in range(3)]
    assert [one.status_code for one in answers] == [200, 200, 429]


async def test_no_text_is_logged_counted_or_kept(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Not by requests, refusals or failures; not under an idempotency key."""
    word = "zanzibarknee"
    model, key = ScriptedModel(), {"Idempotency-Key": "k-1"}
    caplog.set_level(logging.WARNING, "httpx")  # the test's own client
    with caplog.at_level(logging.DEBUG), capture_logs() as lines, running(model) as it:
        async with open_api(log_requests=True) as api:
            api.app.state.services.symptoms.model = it
            api.ports.registry.register(SymptomCollector(it))
            await loaded(it)
            for text in (f"my {word} hurts", f"no {word}", f"{word} " * 40):
                model.fails = text.startswith("my")
                await api.client.post(PATH, json={"text": text}, headers=key)
                await api.client.get(PATH, params={"text": text})
            answers = api.ports.answers
            assert isinstance(answers, MemoryAnswers)
            kept = repr(vars(answers)) + repr(vars(it))
            metrics = generate_latest(api.ports.registry).decode()
    assert {f"my {word} hurts", f"no {word}"} == set(model.texts)
    said = repr(lines) + caplog.text + "".join(capfd.readouterr())
    assert "the language model failed" in said
    assert len([line for line in lines if line["event"] == "request"]) == 6
    assert "slotcast_symptoms_texts_total" in metrics
    for place in (said, kept, metrics):
        assert word not in place


async def test_while_the_model_loads_words_answer() -> None:
    """The first request begins to load it, none waits, and it is loaded once."""
    model = ScriptedModel()
    model.go.clear()
    with running(model) as thread:
        service = SymptomService(SpecialtyIndex, thread)
        for _ in range(3):
            found = await service.suggest("itchy rash", 3)
            assert found[0].specialty_id == "dermatology"
        assert not thread.is_loaded
        model.go.set()
        await until(lambda: thread.is_loaded)
        assert (model.loads, thread.tally.unloaded) == (1, 3)
        found = await service.suggest("itchy rash", 3)
        assert found[0].specialty_id == "oncology"


async def test_a_busy_model_delays_no_request() -> None:
    """Once a request's time is over, words answer; at most so many texts wait, in one
    thread, and what was too late is remembered for the next request."""
    model = ScriptedModel()
    with running(model, _not_at_all) as thread:
        await loaded(thread)
        model.go.clear()
        service = SymptomService(SpecialtyIndex, thread)
        for number in range(3 * WAITING_MAX):
            found = await service.suggest(f"itchy rash {number}", 3)
            assert found[0].specialty_id == "dermatology"
            assert thread.inside <= WAITING_MAX
        assert thread.inside == WAITING_MAX
        tally = thread.tally
        assert (tally.late, tally.busy) == (WAITING_MAX, 2 * WAITING_MAX)
        await service.suggest("itchy rash 0", 3)
        assert thread.inside == WAITING_MAX, "the same text waits once"
        model.go.set()
        await until(lambda: thread.inside == 0)
        assert (len(model.threads), model.at_once_max) == (1, 1)
        assert threading.get_ident() not in model.threads
        asked = len(model.texts)
        found = await service.suggest("  Itchy   RASH 0 ", 3)
        assert found[0].specialty_id == "oncology"
        assert (len(model.texts), tally.kept) == (asked, 1)


async def test_the_memory_of_texts_is_bounded() -> None:
    """The oldest are forgotten, and none is there by its words."""
    model = ScriptedModel()
    with running(model) as thread:
        await loaded(thread)
        for number in range(KEPT_MAX + 5):
            assert await thread.scores(f"text {number}") is not None
        assert await thread.scores("text 0") is not None
        assert model.texts.count("text 0") == 2
        await thread.scores(f"text {KEPT_MAX}")
        assert model.texts.count(f"text {KEPT_MAX}") == 1


async def test_a_model_that_cannot_be_used_is_given_up() -> None:
    """It says so once, and words go on answering."""

    def load() -> PhraseModel:
        raise WeightsDiffer("weights.npz")

    thread = ModelThread(load, key=KEY)
    service = SymptomService(SpecialtyIndex, thread)
    with capture_logs() as lines:
        for _ in range(3):
            found = await service.suggest("itchy rash", 3)
            assert found[0].specialty_id == "dermatology"
            await until(lambda: bool(lines))
    service.close()
    assert len(lines) == 1
    assert "weights.npz" in lines[0]["error"]
    assert await service.suggest("itchy rash", 3), "also after the gateway stops"


async def test_a_specialty_of_the_site_is_suggested() -> None:
    """By its names, beside what the model says; and as soon as it is there."""
    reiki = Specialty("reiki", {"en": SpecialtyNames("Reiki", ("healing hands",))})
    model, indexes = ScriptedModel(), [SpecialtyIndex()]
    with running(model) as thread:
        await loaded(thread)
        service = SymptomService(lambda: indexes[-1], thread)
        before = await service.suggest("someone with healing hands", 3)
        assert "reiki" not in {one.specialty_id for one in before}
        indexes.append(SpecialtyIndex([reiki]))
        found = await service.suggest("someone with healing hands", 3)
        assert "reiki" in {one.specialty_id for one in found}


@pytest.mark.parametrize("is_there", [True, False])
async def test_the_model_is_used_if_it_is_installed_and_wanted(
    monkeypatch: pytest.MonkeyPatch, *, is_there: bool
) -> None:
    """Not before a request needs it, and never on a site that turned it off."""
    monkeypatch.setattr("gateway.services.is_installed", lambda: is_there)
    async with open_api(symptom_model=True) as api:
        service = api.app.state.services.symptoms
        assert (service.model is not None) == is_there
        assert service.model is None or not service.model.is_loaded
        service.close()
    async with open_api(symptom_model=False) as api:
        assert api.app.state.services.symptoms.model is None
