"""Who is told: addresses, language and choices of one person."""

from __future__ import annotations

from msgspec import Struct

from actors.domain.ids import PatientId
from care.notices.kinds import NoticeKind, Preferences
from care.notices.messages import Channel


class Recipient(Struct, frozen=True):
    """A person who is told of a patient's visits: the patient, or a guardian of theirs.

    ``person`` is the id that their choices are kept under: the patient's, or that of
    the guardian's account.
    """

    person: str
    patient_id: PatientId
    name: str = ""
    of_whom: str = ""
    """The patient's name, if the person acts for them."""
    email: str = ""
    phone: str = ""
    language: str = ""
    preferences: Preferences = Preferences()
    pushes: tuple[str, ...] = ()
    """The browsers that show them notices, by their subscriptions' ids."""

    @property
    def is_guardian(self) -> bool:
        """Whether the person acts for the patient."""
        return self.person != self.patient_id

    def channels(self, kind: NoticeKind) -> list[tuple[Channel, str]]:
        """Over which channels they are told of this, and at which address."""
        browsers = ((Channel.PUSH, one) for one in self.pushes)
        reached = ((Channel.MAIL, self.email), (Channel.SMS, self.phone), *browsers)
        return [
            (channel, address)
            for channel, address in reached
            if address and self.preferences.wants(kind, channel)
        ]
