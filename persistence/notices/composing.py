"""Composes what a telling becomes: a notice, its messages, their jobs, as rows."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any, Final

from msgspec import Struct, json

from actors.domain.ids import Millis
from actors.domain.messages.answers import BookingView
from care.feeds.ics import CalendarEvent, CalendarMethod, Party, calendar_text
from care.keys.sealing import Place
from care.notices.kinds import NoticeKind, due_at, language_of, notice_id
from care.notices.links import ChooseLink
from care.notices.messages import Channel, Message, deliver_kind
from care.notices.people import Recipient
from care.notices.ports import REMIND, VisitPlace
from care.notices.visits import MINUTE_MS, Telling, reminders
from care.notices.wording import Letter, VisitFacts
from persistence.keys.ring import TenantKeys
from persistence.notices.links import NoticeLinks
from persistence.notices.outbox import message_row
from persistence.notices.writing import NoticeWriter

REMINDER_STEPS: Final = (24 * 60, 2 * 60)
"""Minutes before the start at which people are reminded, unless the site says."""
METHODS: Final = {
    NoticeKind.BOOKED: CalendarMethod.REQUEST,
    NoticeKind.RESCHEDULED: CalendarMethod.REQUEST,
    NoticeKind.CANCELLED: CalendarMethod.CANCEL,
}
"""What calendar programs are told with a mail; nothing with others."""
_ASKS: Final = frozenset({NoticeKind.STRANDED, NoticeKind.UNRESOLVED})
"""Kinds that ask for another time."""
LEAVE: Final = "leave"
"""Why those visits are stranded that have a queue (care/leave)."""
TITLE: Final = "Slotcast"
"""The title of what browsers show."""
Row = dict[str, Any]


class SiteVoice(Struct, frozen=True):
    """How a site speaks: where its links lead, who organises, when it reminds."""

    links: NoticeLinks
    organizer: str
    """The address in invitations that a calendar program would answer to."""
    steps: tuple[int, ...] = REMINDER_STEPS


class Rows(Struct):
    """Rows to insert; those whose key exists are left out."""

    notices: list[Row] = []
    messages: list[Row] = []
    jobs: list[Row] = []
    patients: dict[str, str] = {}
    """Whose each job is, by its key."""

    def without(self, patients: Container[str]) -> Rows:
        """These rows but those of some patients."""
        return Rows(
            [one for one in self.notices if one["patient_id"] not in patients],
            [one for one in self.messages if one["patient_id"] not in patients],
            [one for one in self.jobs if self.patients[one["key"]] not in patients],
            self.patients,
        )


class _Told(Struct, frozen=True):
    """A telling on its way: what it says, under which id."""

    telling: Telling
    facts: VisitFacts
    notice_id: str


class Composer:
    """Composes the tellings of one batch; ``rows`` are what they became."""

    def __init__(
        self, voice: SiteVoice, writer: NoticeWriter, keys: TenantKeys, now: Millis
    ) -> None:
        self.rows = Rows()
        self._voice = voice
        self._writer = writer
        self._keys = keys
        self._now = now

    def add(
        self,
        telling: Telling,
        place: VisitPlace,
        people: Sequence[Recipient],
        named: str = "",
    ) -> None:
        """Compose one; ``named``: the notice's id, if the telling does not give it."""
        view, kind = telling.view, telling.kind
        told_id = named or notice_id(kind.value, view.booking_id, telling.version)
        told = _Told(telling, facts_of(telling, place), told_id)
        text = json.encode(told.facts).decode()
        self.rows.notices.append(
            {
                "notice_id": told_id,
                "patient_id": view.patient_id,
                "kind": kind.value,
                "booking_id": view.booking_id,
                "version": telling.version,
                "confidential": view.confidential,
                "content": self._keys.seal(notice_place(told_id), text),
                "created_at": self._now,
            }
        )
        for person in people:
            if person.is_guardian and view.confidential:
                continue
            for channel, address in person.channels(kind):
                self._add_message(told, person, channel, address)
        self._plan_reminders(telling)

    def _add_message(
        self, told: _Told, person: Recipient, channel: Channel, address: str
    ) -> None:
        view = told.telling.view
        message = self._message(told, person, channel, address)
        to = person.person if person.is_guardian else ""
        if channel is Channel.PUSH:
            to = address  # a person may have several browsers
        named = notice_id(told.notice_id, channel.value, to).removeprefix("ntc_")
        message_id = f"{told.notice_id}.{named[:8]}"
        self.rows.messages.append(
            {
                **message_row(self._keys, message_id, message, self._now),
                "notice_id": told.notice_id,
                "patient_id": view.patient_id,
                "provider_id": view.provider_id,
                "booking_id": view.booking_id,
                "start_minute": view.start,
                "is_proxy": person.is_guardian,
            }
        )
        due = due_at(
            person.preferences,
            channel,
            told.facts.time_zone,
            now=self._now,
            start=Millis(view.start * MINUTE_MS),
            kind=told.telling.kind,
        )
        self._add_job(view, deliver_kind(channel), message_id, {}, due)

    def _message(
        self, told: _Told, person: Recipient, channel: Channel, address: str
    ) -> Message:
        links, kind = self._voice.links, told.telling.kind
        stop = links.stop(self._keys, person.person, kind, channel)
        letter = Letter(
            kind,
            told.facts,
            language_of(person.preferences.language, person.language),
            person.name,
            person.of_whom,
            visit_url=links.visits,
            choose_url=links.choices,
            stop_url=links.stop_page(stop),
            instead_url=self._instead(told, person),
        )
        written = self._writer.write(letter)
        if channel is Channel.PUSH:
            return Message(kind.value, address, TITLE, written.push, channel)
        if channel is not Channel.MAIL:
            text = f"{written.short} {letter.instead_url or links.visits}"
            return Message(kind.value, address, written.subject, text, channel)
        method = METHODS.get(kind, CalendarMethod.NONE)
        event = self._event(told, letter, person, method) if method else None
        return Message(
            kind.value,
            address,
            written.subject,
            written.text,
            channel,
            html=written.html,
            calendar=calendar_text([event], method=method) if event else "",
            calendar_method=method.value,
            unsubscribe=links.stop_post(stop),
        )

    def _instead(self, told: _Told, person: Recipient) -> str:
        """Where another time is chosen, of a visit that a leave took; else empty."""
        view, kind = told.telling.view, told.telling.kind
        if kind not in _ASKS or view.stranded != LEAVE:
            return ""
        link = ChooseLink(view.booking_id, view.start, person.is_guardian)
        return self._voice.links.choose_page(self._keys, link)

    def _event(
        self, told: _Told, letter: Letter, person: Recipient, method: CalendarMethod
    ) -> CalendarEvent:
        view, visit, voice = told.telling.view, told.facts, self._voice
        return CalendarEvent(
            uid=voice.links.event_uid(view.booking_id),
            sequence=told.telling.sequence,
            stamp=self._now,
            start=view.start,
            end=view.end,
            summary=self._writer.event_name(letter),
            location=visit.place,
            url=voice.links.visits,
            is_cancelled=method is CalendarMethod.CANCEL,
            organizer=Party(visit.clinic, voice.organizer),
            attendee=Party(person.name, person.email),
        )

    def _plan_reminders(self, telling: Telling) -> None:
        view = telling.view
        for step, at in reminders(telling, self._voice.steps, self._now):
            key = f"{view.booking_id}.{telling.version}.{step}"
            payload = {
                "booking_id": view.booking_id,
                "provider_id": view.provider_id,
                "start": view.start,
                "step": step,
            }
            self._add_job(view, REMIND, key, payload, at)

    def _add_job(
        self, view: BookingView, kind: str, key: str, payload: Row, due: Millis
    ) -> None:
        self.rows.patients[key] = view.patient_id
        self.rows.jobs.append(
            {
                "kind": kind,
                "key": key,
                "payload": payload,
                "created_at": self._now,
                "due_at": due,
                "attempts": 0,
            }
        )


def facts_of(telling: Telling, place: VisitPlace) -> VisitFacts:
    """What may be said of the visit."""
    view = telling.view
    return VisitFacts(
        view.booking_id,
        place.provider,
        place.clinic,
        place.address,
        place.phone,
        place.time_zone,
        view.start,
        view.end,
        telling.was_start,
    )


def notice_place(told_id: str) -> Place:
    """The place of a notice's sealed content."""
    return Place("notice", "content", told_id)
