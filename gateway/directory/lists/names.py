"""The name of a watched list is the whole search, in one spelling.

So any gateway can keep a list of which it knows the name alone, as after a reconnect to
another one, and equal searches share one topic.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

import msgspec

from actors.domain.calendar.validation import LANGUAGE_MAX
from care.directory.entries import INSURANCE_CHARACTERS_MAX, PRICE_MAX
from care.directory.words import WORD_MAX, WORDS_MAX, plain
from gateway.directory.roster.matching import Order, Search

MEMBERS_MAX: Final = 100
"""Members of one list."""
NAME_CHARACTERS_MAX: Final = 700
TEXT_MAX: Final = 200
ID_MAX: Final = 128
KM_MAX: Final = 20_100
"""Half the Earth's circumference, in km."""
RATING: Final = (1.0, 5.0)


class BadListName(ValueError):
    """No list is called so; the message says what to do."""


class ListQuery(Search, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A search, its order, and how many of the first are members of the list."""

    order: Order = Order.SOONEST
    count: int = 20


_DECODER: Final = msgspec.json.Decoder(ListQuery)


def list_name(query: ListQuery) -> str:
    """The name of a search's list.

    Raises:
        BadListName: the search is too long for a name.
    """
    words = _in_one_spelling(query.words)
    encoded = msgspec.json.encode(msgspec.structs.replace(query, words=words))
    name = urlsafe_b64encode(encoded).rstrip(b"=").decode()
    if len(name) > NAME_CHARACTERS_MAX:
        raise BadListName("is too long to be watched")
    return name


def read_list_name(name: str) -> ListQuery:
    """The search that a name means.

    Raises:
        BadListName: it is not the name that the search of this text would have.
    """
    query = _decoded(name)
    if query is None or not _is_within_bounds(query):
        raise BadListName("get the list's topic from POST /v1/searches")
    return query


def _decoded(name: str) -> ListQuery | None:
    short = name[: NAME_CHARACTERS_MAX + 1]
    try:
        query = _DECODER.decode(urlsafe_b64decode(short + "=" * (-len(short) % 4)))
        return query if list_name(query) == name else None
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return None


def _in_one_spelling(words: str) -> str:
    """Words as a search compares them, each once; those that count."""
    asked = dict.fromkeys(word[:WORD_MAX] for word in plain(words).split())
    return " ".join(list(asked)[:WORDS_MAX])


def _is_within_bounds(query: ListQuery) -> bool:
    """Whether POST /v1/searches would accept it: a name may come from anywhere."""
    texts = (
        (query.specialty, TEXT_MAX),
        (query.clinic_id or "", ID_MAX),
        (query.visit_type or "", TEXT_MAX),
        (query.insurance, INSURANCE_CHARACTERS_MAX),
        (query.language, LANGUAGE_MAX),
    )
    near = query.near
    needs_near = query.within_km is not None or query.order is Order.DISTANCE
    return all(
        (
            all(len(text) <= most and "\0" not in text for text, most in texts),
            query.price_max is None or 0 <= query.price_max <= PRICE_MAX,
            query.rating_min is None or RATING[0] <= query.rating_min <= RATING[1],
            query.within_km is None or 0 <= query.within_km <= KM_MAX,
            near is None or (abs(near[0]) <= 90 and abs(near[1]) <= 180),  # noqa: PLR2004
            near is not None or not needs_near,
            1 <= query.count <= MEMBERS_MAX,
        )
    )
