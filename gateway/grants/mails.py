"""The texts of mails about grants. Links carry their secret behind ``#``."""

from __future__ import annotations

from typing import Final

from care.notices.messages import Message

_ROLES: Final = {
    "doctor": "a doctor",
    "staff": "a member of the reception",
    "clinic_admin": "an administrator",
    "guardian": "a guardian of a patient",
}


class GrantMails:
    """Writes them; ``site_url`` is where people find the site, without a path."""

    def __init__(self, site_url: str) -> None:
        self._url = site_url.rstrip("/")

    def invitation(self, email: str, role: str, clinic: str, secret: str) -> Message:
        """To an address that a role is offered to."""
        where = f" at {clinic}" if clinic else ""
        return Message(
            "invitation",
            email,
            f"You are invited{where}",
            f"You are invited to be {_ROLES[role]}{where}. Sign in with this address, "
            "or register it first, then accept:\n\n"
            f"{self._url}/#/invitation?token={secret}\n\n"
            "The link works for seven days. If you do not know what this is about, "
            "there is nothing to do.",
        )

    def glass(self, clinic_id: str) -> Message:
        """To those who review emergency access; the recipient is filled in."""
        return Message(
            "glass_broken",
            "",
            "Emergency access to a patient",
            "A patient's data was opened in an emergency. Who did it, for whom and why "
            f"is for you to review:\n\n{self._url}/#/clinics/{clinic_id}/glass",
        )
