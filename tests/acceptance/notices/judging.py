"""What was sent of visits, judged by what receivers have and what callers were told.

Judges know the product by the ids on its messages alone: of which booking, kind and
version an id is, its records say; what the mails' own calendar files say must agree.
Each judge returns what is wrong, in words.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import icalendar

CHANNELS = ("mail", "sms", "push")
REMINDER, CANCELLED = "reminder", "cancelled"


@dataclass(frozen=True)
class Sent:
    """A message as its receiver has it; ``at`` is its place in its channel.

    ``body`` is all that can be read of it.
    """

    channel: str
    message_id: str
    to: str
    at: int
    body: str = ""
    calendar: str = ""


@dataclass(frozen=True)
class About:
    """What the records say that a message is about."""

    notice_id: str
    booking: str
    kind: str
    version: int


@dataclass
class Visit:
    """A visit as those who booked it know it.

    ``quiet_from``, of a cancelled one: by channel, how many messages had been taken
    before a worker began that knows nothing older than the cancellation.
    """

    booking: str
    start: datetime
    is_cancelled: bool = False
    quiet_from: dict[str, int] = field(default_factory=dict)


Known = Mapping[str, About]


def doubled(sent: Sequence[Sent], known: Known) -> Iterator[str]:
    """What reached a person twice.

    Mail programs show mails of one Message-ID once, and browsers messages of one tag.
    A phone shows whatever comes.
    """
    on_phones = set[tuple[str, str]]()
    ids: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for one in sent:
        about = known[one.message_id]
        which = about.notice_id if about.kind == REMINDER else str(about.version)
        ids[one.channel, one.to, about.booking, about.kind, which].add(one.message_id)
        if one.channel == "sms":
            if (one.to, one.message_id) in on_phones:
                yield f"{about.kind} of {about.booking} came twice to a phone"
            on_phones.add((one.to, one.message_id))
    for which_one, several in ids.items():
        if len(several) > 1:
            yield f"{which_one} came under {len(several)} ids"


def late(
    sent: Sequence[Sent], known: Known, visits: Mapping[str, Visit]
) -> Iterator[str]:
    """What came of a visit after its cancellation was acknowledged."""
    for one in sent:
        about = known[one.message_id]
        quiet = visits[about.booking].quiet_from.get(one.channel)
        if quiet is not None and about.kind != CANCELLED and one.at >= quiet:
            yield f"{about.kind} of the cancelled {about.booking} by {one.channel}"


def unordered(sent: Sequence[Sent], known: Known) -> Iterator[str]:
    """What came after what is newer, on one channel to one person."""
    newest: dict[tuple[str, str, str], int] = {}
    seen = set[tuple[str, str, str]]()
    for one in sorted(sent, key=lambda one: one.at):
        about = known[one.message_id]
        again = one.channel, one.to, one.message_id
        if again in seen:
            continue
        seen.add(again)
        key = one.channel, one.to, about.booking
        if about.version < newest.get(key, 0):
            yield f"{about.kind} of {about.booking} by {one.channel} came late"
        newest[key] = max(about.version, newest.get(key, 0))


def missing(
    sent: Sequence[Sent], known: Known, visits: Mapping[str, Visit]
) -> Iterator[str]:
    """Visits of which the last that a person heard is not how they are."""
    last: dict[tuple[str, str], tuple[int, Sent]] = {}
    for one in sent:
        about = known[one.message_id]
        key = about.booking, one.channel
        if about.kind != REMINDER and about.version >= last.get(key, (0,))[0]:
            last[key] = about.version, one
    for visit in visits.values():
        found = [last.get((visit.booking, channel)) for channel in CHANNELS]
        if not all(found):
            yield f"{visit.booking}: {[one is not None for one in found]}"
            continue
        newest = [one for _, one in filter(None, found)]
        if len({known[one.message_id].notice_id for one in newest}) > 1:
            yield f"{visit.booking}: channels end with different notices"
        event = event_of(newest[0])
        is_over = str(event.get("STATUS", "")) == "CANCELLED"
        if is_over != visit.is_cancelled:
            yield f"{visit.booking}: was told as cancelled: {is_over}"
        elif event.decoded("DTSTART") != visit.start:
            yield f"{visit.booking}: was told for {event.decoded('DTSTART')}"


def contradicted(sent: Sequence[Sent], known: Known) -> Iterator[str]:
    """Mails whose calendar files say something else than their ids."""
    told: dict[tuple[str, int], set[str]] = defaultdict(set)
    order: dict[str, dict[int, int]] = defaultdict(dict)
    for one in sent:
        if one.channel != "mail" or not one.calendar:
            continue
        about, event = known[one.message_id], event_of(one)
        sequence = int(event["SEQUENCE"])
        if str(event["UID"]).partition("@")[0] != about.booking:
            yield f"{event['UID']} in a mail about {about.booking}"
        told[about.booking, sequence].add(one.message_id)
        order[about.booking][about.version] = sequence
    for event_key, several in told.items():
        if len(several) > 1:
            yield f"{event_key} is in {len(several)} mails"
    for booking, versions in order.items():
        numbers = [versions[one] for one in sorted(versions)]
        if numbers != sorted(set(numbers)):
            yield f"{booking}: SEQUENCE {numbers}"


def leaked(sent: Sequence[Sent], words: Sequence[str]) -> Iterator[str]:
    """Words that no message may say."""
    for one in sent:
        text = f"{one.body}\n{one.calendar}".casefold()
        for word in words:
            if word.casefold() in text:
                yield f"{word} in {one.message_id} by {one.channel}"


def reminded(
    sent: Sequence[Sent], known: Known, channel: str
) -> Mapping[str, Sequence[str]]:
    """The reminders of each booking that came over a channel, each once."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for one in sent:
        about = known[one.message_id]
        if one.channel == channel and about.kind == REMINDER:
            found[about.booking][about.notice_id] = None
    return {booking: list(ids) for booking, ids in found.items()}


def event_of(mail: Sent) -> Any:
    """The event of a mail's calendar file."""
    (event,) = icalendar.Calendar.from_ical(mail.calendar).walk("VEVENT")
    return event


def judge(sent: Sequence[Sent], known: Known, visits: Mapping[str, Visit]) -> list[str]:
    """Everything that is wrong with what was sent."""
    return [
        *doubled(sent, known),
        *late(sent, known, visits),
        *unordered(sent, known),
        *missing(sent, known, visits),
        *contradicted(sent, known),
    ]
