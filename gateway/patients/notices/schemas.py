"""Bodies and answers of notices."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from actors.domain.ids import ProviderId, provider_of
from actors.domain.zone_data import zone_info
from care.notices.kinds import LANGUAGES, NoticeKind, Preferences, QuietHours
from care.notices.links import Stop
from care.notices.messages import Channel
from care.notices.ports import Notice
from gateway.http.features import Answer, Body
from gateway.wire.errors import FieldError, InvalidRequest
from gateway.wire.formats import millis_text, minute_text

CLOCK = r"^([01]\d|2[0-3]):[0-5]\d$"
Clock = Annotated[str, StringConstraints(pattern=CLOCK)]


class NoticeAnswer(Answer):
    """What a patient was told; the app words it in the reader's language."""

    notice_id: str
    kind: NoticeKind
    booking_id: str
    provider_id: str
    provider: str
    clinic: str
    address: str
    time_zone: str
    start: str
    end: str
    was_start: str | None = Field(description="Where the visit was before it moved.")
    created_at: str
    read_at: str | None

    @classmethod
    def of(cls, one: Notice) -> NoticeAnswer:
        """The answer for a notice."""
        visit = one.visit
        was, read = visit.was_start, one.read_at
        return cls(
            notice_id=one.notice_id,
            kind=one.kind,
            booking_id=visit.booking_id,
            provider_id=provider_of(visit.booking_id) or ProviderId(""),
            provider=visit.provider,
            clinic=visit.clinic,
            address=visit.address,
            time_zone=visit.time_zone,
            start=minute_text(visit.start),
            end=minute_text(visit.end),
            was_start=None if was is None else minute_text(was),
            created_at=millis_text(one.created_at),
            read_at=None if read is None else millis_text(read),
        )


def notice_body(one: Notice) -> bytes:
    """The same as JSON, for the live socket."""
    return NoticeAnswer.of(one).model_dump_json().encode()


class NoticesPage(Answer):
    """A patient's inbox, the newest first."""

    items: list[NoticeAnswer]
    unread: int = Field(description="Of all notices, not of this page.")
    next_cursor: str | None


class QuietBody(Body):
    """When phones stay silent, on the person's wall; equal times: never."""

    begins: Clock = QuietHours().begins
    ends: Clock = QuietHours().ends


class PreferencesBody(Body):
    """What to hear of; all of it is replaced.

    ``channels``: kind, then channel, then whether. What is left out is as it is for
    people who have not chosen.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "channels": {"reminder": {"mail": True, "sms": False}},
                "quiet": {"begins": "21:00", "ends": "08:00"},
                "time_zone": "Europe/Berlin",
                "language": "de",
                "version": 1,
            }
        }
    )

    channels: dict[NoticeKind, dict[Channel, bool]] = Field(default_factory=dict)
    quiet: QuietBody = QuietBody()
    time_zone: str = Field("", max_length=64, description="Empty: the visit's.")
    language: str = Field("", max_length=35, description="Empty: the profile's.")
    version: int | None = Field(
        None, ge=0, description="Refused if the choices have another version by now."
    )

    def chosen(self) -> Preferences:
        """The choices as they are kept. Raises InvalidRequest."""
        if self.time_zone and zone_info(self.time_zone) is None:
            message = "must be the name of a time zone, as Europe/Berlin, or empty"
            raise InvalidRequest("", FieldError("time_zone", message))
        if self.language and self.language not in LANGUAGES:
            message = f"must be empty, or one of {', '.join(LANGUAGES)}"
            raise InvalidRequest("", FieldError("language", message))
        return Preferences(
            {
                kind.value: {one.value: wanted for one, wanted in chosen.items()}
                for kind, chosen in self.channels.items()
                if chosen
            },
            QuietHours(self.quiet.begins, self.quiet.ends),
            self.time_zone,
            self.language,
        )


class QuietAnswer(Answer):
    """When phones stay silent."""

    begins: str
    ends: str


class PreferencesAnswer(Answer):
    """What a person hears of: each kind over each channel."""

    channels: dict[NoticeKind, dict[Channel, bool]]
    quiet: QuietAnswer
    time_zone: str
    language: str
    version: int

    @classmethod
    def of(cls, chosen: Preferences, version: int) -> PreferencesAnswer:
        """The answer for choices, with what was not chosen filled in."""
        return cls(
            channels={
                kind: {one: chosen.wants(kind, one) for one in Channel}
                for kind in NoticeKind
            },
            quiet=QuietAnswer(begins=chosen.quiet.begins, ends=chosen.quiet.ends),
            time_zone=chosen.time_zone,
            language=chosen.language,
            version=version,
        )


class StopAnswer(Answer):
    """What a link is about, and whether those messages are sent now."""

    kind: NoticeKind
    channel: Channel
    wanted: bool

    @classmethod
    def of(cls, stop: Stop, *, wanted: bool) -> StopAnswer:
        """The answer for a link."""
        return cls(kind=stop.kind, channel=stop.channel, wanted=wanted)
