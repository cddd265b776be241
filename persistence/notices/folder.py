"""Delivers into a folder: what a site without a mail server has."""

from __future__ import annotations

import asyncio
from pathlib import Path

from care.notices.messages import OutgoingMessage


class FolderCourier:
    """Writes each message to a file of its own, readable by its owner only.

    Implements MessageSender for every channel. A mail's page and its file for calendar
    programs lie beside its text. The name is the message's id, so that a
    message that is delivered twice is there once.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def deliver(self, outgoing: OutgoingMessage) -> str:
        """See MessageSender.deliver."""
        await asyncio.to_thread(self._write, outgoing)
        return ""

    def _write(self, outgoing: OutgoingMessage) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        message = outgoing.message
        head = f"To: {message.recipient}\nSubject: {message.subject}\n\n"
        self._put(f"{outgoing.message_id}.txt", f"{head}{message.text}\n")
        if message.html:
            self._put(f"{outgoing.message_id}.html", message.html)
        if message.calendar:
            self._put(f"{outgoing.message_id}.ics", message.calendar)

    def _put(self, name: str, text: str) -> None:
        path = self._folder / name
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8", newline="")
