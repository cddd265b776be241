"""Kinds of notices, what a person wants to hear of and when; pure.

A *notice* is what a person is to hear; it lies in their inbox. A *message* carries it
to them over one channel. What a person has not chosen is as ``WANTED`` says.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Final

from msgspec import Struct

from actors.domain.ids import Millis
from actors.domain.zone_data import zone_info
from care.notices.messages import Channel


class NoticeKind(StrEnum):
    """What a notice is about."""

    BOOKED = "booked"
    RESCHEDULED = "rescheduled"
    CANCELLED = "cancelled"
    REMINDER = "reminder"
    STRANDED = "stranded"
    """The provider's leave or new hours no longer cover the visit."""
    COVERED = "covered"
    """They cover it again."""
    OFFER = "offer"
    """The waiting list offers a slot, for a while."""
    FIRST_COME = "first_come"
    """A slot that is waited for is free to all, too near to be offered in turn."""
    UNRESOLVED = "unresolved"
    """A reminder that another time is to be chosen for it."""
    UNPLACED = "unplaced"
    """A visit of a series could not be booked when its time came."""


LANGUAGES: Final = ("en", "de", "ar")
"""Languages that notices are written in; the first is for all others."""
QUIET_FROM: Final = time(21)
QUIET_UNTIL: Final = time(8)
"""When phones stay silent unless their owner says otherwise."""
NEAR_MS: Final = 12 * 3_600_000
"""What is about a visit within this time disturbs the quiet, too."""

_PHONE: Final = frozenset(
    {
        NoticeKind.RESCHEDULED,
        NoticeKind.CANCELLED,
        NoticeKind.REMINDER,
        NoticeKind.STRANDED,
        NoticeKind.OFFER,
        NoticeKind.UNRESOLVED,
        NoticeKind.UNPLACED,
    }
)
WANTED: Final[Mapping[Channel, frozenset[NoticeKind]]] = {
    Channel.MAIL: frozenset(NoticeKind),
    Channel.SMS: _PHONE,
    Channel.PUSH: frozenset(NoticeKind),
}
"""What is sent over which channel to a person who has not chosen."""
AT_LEISURE: Final = frozenset({NoticeKind.OFFER, NoticeKind.FIRST_COME})
"""Kinds that wait for the end of quiet hours, however near the visit is."""
DISTURBING: Final = frozenset({Channel.SMS, Channel.PUSH})
"""Channels that quiet hours hold back; mails make no sound."""


class QuietHours(Struct, frozen=True):
    """When phones stay silent, ``HH:MM`` on the person's wall; equal times: never."""

    begins: str = QUIET_FROM.isoformat("minutes")
    ends: str = QUIET_UNTIL.isoformat("minutes")


class Preferences(Struct, frozen=True, omit_defaults=True):
    """What a person chose. Stored as JSON: new fields need defaults.

    ``channels``: kind -> channel -> whether; what is missing is as ``WANTED`` says.
    ``time_zone`` and ``language`` are empty for those of the visit and the profile.
    """

    channels: Mapping[str, Mapping[str, bool]] = {}
    quiet: QuietHours = QuietHours()
    time_zone: str = ""
    language: str = ""

    def wants(self, kind: NoticeKind, channel: Channel) -> bool:
        """Whether this kind is sent to the person over this channel."""
        chosen = self.channels.get(kind.value, {}).get(channel.value)
        return kind in WANTED[channel] if chosen is None else chosen

    def with_choice(
        self, kind: NoticeKind, channel: Channel, *, wanted: bool
    ) -> Preferences:
        """These preferences with one choice changed."""
        channels = {name: dict(chosen) for name, chosen in self.channels.items()}
        channels.setdefault(kind.value, {})[channel.value] = wanted
        return Preferences(channels, self.quiet, self.time_zone, self.language)


NOTHING: Final = Preferences(
    {kind.value: {channel.value: False for channel in Channel} for kind in NoticeKind}
)
"""Of a person who was erased: no message is sent to them."""


def language_of(*wanted: str) -> str:
    """The first of these that notices are written in; ``de-AT`` counts as ``de``."""
    for one in wanted:
        begins = one.replace("_", "-").partition("-")[0].lower()
        if begins in LANGUAGES:
            return begins
    return LANGUAGES[0]


def after_quiet(quiet: QuietHours, time_zone: str, now: Millis) -> Millis:
    """``now``, or the end of the quiet hours that it lies in."""
    begins, ends = time.fromisoformat(quiet.begins), time.fromisoformat(quiet.ends)
    place = zone_info(time_zone) or UTC
    wall = datetime.fromtimestamp(now / 1000, UTC).astimezone(place)
    if not _is_between(wall.time(), begins, ends):
        return now
    day = wall.date() + timedelta(days=wall.time() >= ends)
    until = datetime.combine(day, ends, place)
    if until.timestamp() * 1000 <= now:  # clocks were set back: the hour comes again
        until = until.replace(fold=1)
    return Millis(max(now, int(until.timestamp() * 1000)))


def _is_between(at: time, begins: time, ends: time) -> bool:
    if begins <= ends:
        return begins <= at < ends
    return at >= begins or at < ends


def due_at(
    preferences: Preferences,
    channel: Channel,
    zone_of_visit: str,
    *,
    now: Millis,
    start: Millis,
    kind: NoticeKind = NoticeKind.BOOKED,
) -> Millis:
    """When a message about a visit at ``start`` may go out over a channel."""
    is_near = start - now < NEAR_MS and kind not in AT_LEISURE
    if channel not in DISTURBING or is_near:
        return now
    place = preferences.time_zone or zone_of_visit
    return after_quiet(preferences.quiet, place, now)


def notice_id(*parts: str | int) -> str:
    """The id of what was told: the same parts give the same id in every process.

    It says nothing of the parts: a journal's position would tell how busy a site is.
    """
    named = "|".join(map(str, parts)).encode()
    return "ntc_" + urlsafe_b64encode(sha256(named).digest()[:18]).decode()
