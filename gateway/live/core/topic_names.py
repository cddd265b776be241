"""Topic names, and the provider or patient of each.

Four kinds: ``slots/<provider>/<visit type>/<ISO week>``, ``schedule/<provider>``,
``search/<id>``, whose id is a whole search (gateway/directory/lists/names.py), and
``me``, which means the caller. A subscription is membership in a set of these, never
a filter that runs per watcher and change.
"""

from __future__ import annotations

import re
from datetime import date
from enum import StrEnum
from typing import Final

from msgspec import Struct

from actors.domain.ids import PatientId, ProviderId, VisitTypeId, is_provider_id
from gateway.directory.lists.names import (
    NAME_CHARACTERS_MAX,
    BadListName,
    ListQuery,
    read_list_name,
)

_WEEK = re.compile(r"(\d{4})-W(\d{2})", re.ASCII)
_VISIT_TYPE = re.compile(r"[A-Za-z0-9_.\-]{1,64}", re.ASCII)
TOPIC_CHARACTERS_MAX: Final = NAME_CHARACTERS_MAX + 10


class Kind(StrEnum):
    """The kinds of topics."""

    SLOTS = "slots"
    SCHEDULE = "schedule"
    ME = "me"
    SEARCH = "search"

    @property
    def is_public(self) -> bool:
        """Whether no right is needed."""
        return self in (Kind.SLOTS, Kind.SEARCH)

    @property
    def is_whole(self) -> bool:
        """Whether what a fresh content lacks is gone, rather than out of its window."""
        return self in (Kind.SLOTS, Kind.SEARCH)

    @property
    def counts_itself(self) -> bool:
        """Whether its versions are counted here, as they are no calendar's."""
        return self in (Kind.ME, Kind.SEARCH)


class BadTopic(ValueError):
    """A malformed topic name; the message says what a name looks like."""


class TopicName(Struct, frozen=True):
    """A topic. ``wire`` is its name on the wire; ``key`` is unique in this process.

    The two differ for ``me``, which is another topic for every patient.
    """

    kind: Kind
    wire: str
    key: str
    provider_id: ProviderId = ProviderId("")
    visit_type: VisitTypeId = VisitTypeId("")
    week: str = ""
    patient_id: PatientId = PatientId("")
    proxy: bool = False
    """As people see it who act for the patient: another topic than the patient's."""
    query: ListQuery | None = None
    """What a watched list is a list of."""


def slots_topic(
    provider_id: ProviderId, visit_type: VisitTypeId, week: str
) -> TopicName:
    """Slots of one visit type that start in one ISO week."""
    text = f"slots/{provider_id}/{visit_type}/{week}"
    return TopicName(Kind.SLOTS, text, text, provider_id, visit_type, week)


def schedule_topic(provider_id: ProviderId) -> TopicName:
    """A provider's bookings with patients."""
    text = f"schedule/{provider_id}"
    return TopicName(Kind.SCHEDULE, text, text, provider_id)


def me_topic(subject: str, *, proxy: bool = False) -> TopicName:
    """The caller's own bookings, or of the patient whom they act for."""
    key = f"me~proxy/{subject}" if proxy else f"me/{subject}"
    patient_id = PatientId(subject)
    return TopicName(Kind.ME, "me", key, patient_id=patient_id, proxy=proxy)


def search_topic(name: str) -> TopicName:
    """A watched list of providers. Raises BadTopic: no list has this name."""
    try:
        query = read_list_name(name)
    except BadListName as error:
        raise BadTopic(str(error)) from None
    text = f"search/{name}"
    return TopicName(Kind.SEARCH, text, text, query=query)


def is_week(text: str) -> bool:
    """Whether this is an ISO week that exists, such as ``2026-W49``."""
    match = _WEEK.fullmatch(text)
    if match is None:
        return False
    try:
        date.fromisocalendar(int(match[1]), int(match[2]), 1)
    except ValueError:
        return False
    return True


def parse_topic(text: str, subject: str, *, proxy: bool = False) -> TopicName:
    """The topic of this name; ``subject`` is the caller's, "" without one.

    ``proxy``: the caller acts for the subject.

    Raises:
        BadTopic: the name is malformed.
    """
    parts = text.split("/") if len(text) <= TOPIC_CHARACTERS_MAX else []
    match parts:
        case ["slots", provider, visit_type, week]:
            _check(is_provider_id(provider), "the provider's id is malformed")
            _check(
                bool(_VISIT_TYPE.fullmatch(visit_type)), "the visit type is malformed"
            )
            _check(is_week(week), "the week must be an ISO week such as 2026-W49")
            return slots_topic(ProviderId(provider), VisitTypeId(visit_type), week)
        case ["schedule", provider]:
            _check(is_provider_id(provider), "the provider's id is malformed")
            return schedule_topic(ProviderId(provider))
        case ["me"]:
            return me_topic(subject, proxy=proxy)
        case ["search", name]:
            return search_topic(name)
        case _:
            raise BadTopic(
                "a topic is slots/<provider_id>/<visit_type>/<ISO week>, "
                "schedule/<provider_id>, search/<id> or me"
            )


def _check(holds: bool, message: str) -> None:  # noqa: FBT001 - an assertion
    if not holds:
        raise BadTopic(message)
