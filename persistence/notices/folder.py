"""Delivers into a folder: what a site without a mail server has."""

from __future__ import annotations

import asyncio
from pathlib import Path

from care.notices.messages import OutgoingMessage


class FolderCourier:
    """Writes each message to a file of its own, readable by its owner only.

    Implements MessageSender for every channel. The name is the message's id, so that a
    message that is delivered twice is there once.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def deliver(self, outgoing: OutgoingMessage) -> None:
        """See MessageSender.deliver."""
        await asyncio.to_thread(self._write, outgoing)

    def _write(self, outgoing: OutgoingMessage) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        message = outgoing.message
        path = self._folder / f"{outgoing.message_id}.txt"
        path.touch(mode=0o600)
        path.write_text(
            f"To: {message.recipient}\nSubject: {message.subject}\n\n{message.text}\n",
            encoding="utf-8",
        )
