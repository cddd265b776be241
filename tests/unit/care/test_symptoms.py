"""Plain words to specialties without a model, and words that call for help at once."""

from __future__ import annotations

import pytest

from care.directory.specialties import BUILT_IN, LANGUAGES, Specialty, SpecialtyNames
from care.directory.symptoms.danger import is_dangerous
from care.directory.symptoms.keywords import KeywordSymptoms
from care.directory.symptoms.phrases import PHRASES
from care.directory.symptoms.ports import SUGGESTIONS_MAX, SURE_SCORE
from care.directory.symptoms.ranking import ranked, score_of

WORDS = KeywordSymptoms(BUILT_IN)


def test_every_specialty_that_is_suggested_has_phrases_in_every_language() -> None:
    """Thirty and more, five to seven phrases each in English, three and more else."""
    assert len(PHRASES) >= 30
    assert set(PHRASES) <= {one.specialty_id for one in BUILT_IN}
    for specialty_id, by_language in PHRASES.items():
        assert set(by_language) == set(LANGUAGES)
        assert 5 <= len(by_language["en"]) <= 7, specialty_id
        for phrases in by_language.values():
            assert len(phrases) >= 3, specialty_id
            assert all(phrases)
            assert len(set(phrases)) == len(phrases), specialty_id


@pytest.mark.parametrize(
    ("text", "specialty_id"),
    [
        ("My KNEE hurts when I bend it!", "orthopaedics"),
        ("an itchy rash", "dermatology"),
        ("itching rashes on my arms", "dermatology"),
        ("tooth-ache", "dentistry"),
        ("ich habe starke Rückenschmerzen", "orthopaedics"),
        ("Meine Tochter hat Fieber", "paediatrics"),
        ("juckender Hautausschlag", "dermatology"),
        ("ضرسي يؤلمني", "dentistry"),
        ("ألم في الركبة", "orthopaedics"),
        ("dermatologist", "dermatology"),
    ],
)
async def test_words_of_three_languages_lead_to_a_specialty(
    text: str, specialty_id: str
) -> None:
    """Case, accents, endings, articles and German compounds make no difference."""
    found = await WORDS.suggest(text, 3)
    assert found[0].specialty_id == specialty_id
    assert found[0].score >= SURE_SCORE
    assert len(found) <= 3


async def test_words_that_no_phrase_has_suggest_nothing_or_little() -> None:
    """Nothing is made up, and one known word among strange ones is not sure."""
    assert await WORDS.suggest("xyzzy plugh", 3) == ()
    assert await WORDS.suggest("the and of", 3) == ()
    assert await WORDS.suggest("?!", 3) == ()
    found = await WORDS.suggest("quantum skin flibbert gromit zanzibar kettle", 3)
    assert found[0].score < SURE_SCORE


async def test_a_specialty_of_the_site_is_suggested_by_its_names() -> None:
    """Though it has no phrases of ours."""
    reiki = Specialty("reiki", {"en": SpecialtyNames("Reiki", ("healing hands",))})
    found = await KeywordSymptoms([*BUILT_IN, reiki]).suggest("healing hands", 3)
    assert found[0].specialty_id == "reiki"


def test_one_close_phrase_does_not_decide_alone() -> None:
    """0.8 of the best and 0.2 of the second; nothing is above 1 or below 0."""
    assert score_of([0.5, 1.0, 0.2]) == pytest.approx(0.9)
    assert score_of([0.5]) == pytest.approx(0.4)
    assert score_of([]) == 0
    assert score_of([-0.5, -0.1]) == 0
    assert score_of([1.5, 1.5]) == 1
    order = ranked({"b": 0.5, "a": 0.5, "c": 0.0, "d": 0.7})
    assert [one.specialty_id for one in order] == ["d", "a", "b"]
    assert len(ranked({str(n): 0.1 for n in range(99)})) == SUGGESTIONS_MAX


DANGER = (
    "I have chest pain",
    "pain in my chest and left arm",
    "my chest feels tight and heavy",
    "I think it's a heart attack",
    "I don't want to live any more",
    "I dont want to live anymore",
    "i want to die",
    "I am going to kill myself",
    "I want to end my life",
    "I feel suicidal",
    "I have lost the will to live",
    "there is no reason to live",
    "I would be better off dead",
    "signs of a stroke",
    "one side of his face is drooping",
    "slurred speech and confused",
    "suddenly I can't speak",
    "sudden numbness in my arm",
    "I can’t breathe",
    "he is not breathing",
    "she passed out and won't wake up",
    "my son swallowed a battery",
    "took an overdose",
    "I am coughing up blood",
    "it won't stop bleeding",
    "pregnant and bleeding",
    "worst headache of my life",
    "my tongue is swelling fast",
    "chset pain",
    "I feel suicdal",
    "ich bin bewustlos geworden",
    "Schmerzen in der Brust",
    "starker Druck auf der Brust",
    "Brustschmerzen seit heute morgen",
    "ich will nicht mehr leben",
    "ich möchte sterben",
    "ich will mich umbringen",
    "habe keinen Lebenswillen mehr",
    "Selbstmordgedanken",
    "Anzeichen für einen Schlaganfall",
    "der Mundwinkel hängt herunter",
    "plötzlich kann ich nicht sprechen",
    "ich bekomme keine Luft",
    "mein Mann ist bewusstlos",
    "ich spucke Blut",
    "die Wunde blutet stark und hört nicht auf",
    "mein Kind hat eine Batterie verschluckt",
    "ألم في الصدر",
    "صدري يؤلمني",
    "ضيق في صدري",
    "نوبة قلبية",
    "لا أريد أن أعيش",
    "أريد أن أموت",
    "أفكر في الانتحار",
    "فقدت الرغبة في الحياة",
    "سأقتل نفسي وأريد أن أقتل نفسي",
    "سكتة دماغية",
    "وجهه مائل ولا يستطيع الكلام فجأة",
    "لا أستطيع التنفس",
    "أغمي عليه",
    "نزيف شديد لا يتوقف",
    "أسعل دما، سعال مع دم",
)


@pytest.mark.parametrize("text", DANGER)
def test_words_of_danger_are_found(text: str) -> None:
    """Heart, stroke, breath, blood, poison and no will to live, in three languages."""
    assert is_dangerous(text)


HARMLESS = (
    "my knee hurts when I walk",
    "I have a cold and need a note for work",
    "I missed my period",
    "my back is killing me",
    "a mole on my chest changed its colour",
    "where do I live, in which district is the clinic",
    "my baby cries all night",
    "check-up for my heart",
    "blood test",
    "my hair is dying to be treated",
    "bad breath",
    "mein Knie tut weh",
    "Blutabnahme und Vorsorge",
    "ich bin schwanger",
    "ein Knoten in der Brust",
    "das Leben mit Diabetes",
    "Kribbeln in den Armen, ich schlafe nicht",
    "I play chess and my back has pain",
    "a spot of blood in my throat",
    "ركبتي تؤلمني",
    "أنا حامل",
    "فحص دم",
    "",
)


@pytest.mark.parametrize("text", HARMLESS)
def test_ordinary_complaints_raise_no_alarm(text: str) -> None:
    """A line that is always there is no longer read."""
    assert not is_dangerous(text)
