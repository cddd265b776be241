"""The demo region's providers: sixty invented people, five per clinic."""

from __future__ import annotations

from typing import NamedTuple


class Person(NamedTuple):
    """One provider: name, specialty and working pattern."""

    name: str
    specialty: str
    rota: str
    languages: tuple[str, ...]


_GP, _CHILD, _SKIN = "General practice", "Paediatrics", "Dermatology"
_HEART, _MOVE, _WOMEN = "Cardiology", "Physiotherapy", "Gynaecology"
_EYE, _EAR, _TEETH = "Ophthalmology", "Ear, nose and throat", "Dentistry"
_MIND, _BONE, _NURSE = "Psychotherapy", "Orthopaedics", "Practice nursing"

# One line per person; five lines per clinic, in the order of places.py.
_PEOPLE = (
    ("Dr Imogen Thackeray", _GP, "office", "en"),
    ("Dr Owain Pritchard", _GP, "early", "en cy"),
    ("Dr Nadia Rahimi", _CHILD, "split", "en fa"),
    ("Callum Ferrier", _MOVE, "split", "en"),
    ("Sister Agnes Boateng", _NURSE, "office", "en tw"),
    ("Dr. med. Jette Wohlgemuth", _GP, "split", "de en"),
    ("Dr. med. Kaspar Rosenow", _HEART, "office", "de en"),
    ("Dr. med. Selin Aydoğan", _SKIN, "two_places", "de tr"),
    ("Thea Morgenroth", _MIND, "late", "de en"),
    ("Dr. med. dent. Falk Ebeling", _TEETH, "early", "de"),
    ("Dra. Benedita Sarmento", _GP, "siesta", "pt es"),
    ("Dr. Tomé Vasques", _EYE, "office", "pt en"),
    ("Dra. Leonor Quintela", _WOMEN, "split", "pt fr"),
    ("Rui Carvalhais", _MOVE, "early", "pt"),
    ("Dra. Íris Monteverde", _CHILD, "saturday", "pt en"),
    ("Dr Kalliope Vrettou", _GP, "siesta", "el en"),
    ("Dr Stamatis Lykoudis", _BONE, "office", "el en"),
    ("Dr Danae Zervou", _SKIN, "late", "el"),
    ("Dr Petros Anagnos", _EAR, "siesta", "el de"),
    ("Marina Kefala", _NURSE, "early", "el en"),
    ("Dr. Lucille Hargrove", _GP, "office", "en"),
    ("Dr. Mateo Villaseñor", _CHILD, "early", "en es"),
    ("Dr. Priscilla Oyelaran", _HEART, "two_places", "en yo"),
    ("Dr. Wendell Stroud", _BONE, "split", "en"),
    ("Joanne Kowalczyk", _NURSE, "saturday", "en pl"),
    ("Dr. Fintan Mulrooney", _GP, "office", "en"),
    ("Dr. Odette Gaultois", _GP, "late", "en fr"),
    ("Dr. Bram Penney", _CHILD, "split", "en"),
    ("Shanadithe Paul", _NURSE, "early", "en"),
    ("Dr. Ewan Critch", _EAR, "weekend", "en"),
    ("Dra. Jurema Capistrano", _GP, "early", "pt"),
    ("Dr. Anselmo Itaparica", _HEART, "office", "pt es"),
    ("Dra. Cecília Moscoso", _WOMEN, "split", "pt"),
    ("Dr. Zeferino Brandão", _TEETH, "saturday", "pt"),
    ("Tainá Vasconcelos", _MIND, "late", "pt en"),
    ("Dr Wambui Karanja", _GP, "office", "en sw"),
    ("Dr Otieno Ochola", _GP, "night", "en sw"),
    ("Dr Amina Shariff", _WOMEN, "early", "en sw so"),
    ("Dr Kiprop Cheruiyot", _BONE, "office", "en sw"),
    ("Grace Nduta", _NURSE, "split", "en sw"),
    ("Dr Ketaki Deshmane", _GP, "split", "en mr hi"),
    ("Dr Farhan Merchant", _SKIN, "late", "en hi"),
    ("Dr Lalita Raghunath", _CHILD, "saturday", "en ta"),
    ("Dr Sameer Bhandarkar", _EYE, "two_places", "en mr"),
    ("Dr Ruhi Kapadia", _TEETH, "office", "en gu"),
    ("Dr Pasang Lhamu Sherpa", _GP, "early", "ne en"),
    ("Dr Bishwa Maharjan", _GP, "sunday_to_friday", "ne"),
    ("Dr Sarita Gurung", _WOMEN, "sunday_to_friday", "ne en"),
    ("Nirmal Thapa Magar", _MOVE, "office", "ne"),
    ("Dr Anju Pradhananga", _EAR, "sunday_to_friday", "ne hi"),
    ("Dr Harriet Lowood", _GP, "office", "en"),
    ("Dr Vikram Sandhu", _HEART, "split", "en pa"),
    ("Dr Mei-Lin Tran", _EYE, "late", "en vi"),
    ("Jarrah Whitford", _MOVE, "saturday", "en"),
    ("Dr Bridget Castellane", _MIND, "office", "en fr"),
    ("Dr Col Nichols-Wray", _GP, "office", "en"),
    ("Dr Tamsin Farrow", _GP, "weekend", "en"),
    ("Dr Ruben Aukino", _TEETH, "early", "en mi"),
    ("Pania Thorne", _NURSE, "split", "en mi"),
    ("Dr Elspeth Gower", _BONE, "late", "en"),
)


def people() -> tuple[Person, ...]:
    """The sixty, in the order of the clinics."""
    return tuple(
        Person(name, specialty, rota, tuple(languages.split()))
        for name, specialty, rota, languages in _PEOPLE
    )
