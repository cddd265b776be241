"""What live connections share, and who listens to them."""

from __future__ import annotations

from typing import Final
from typing import Protocol as Interface

from gateway.live.transport.parsers import READ_BYTES_MAX, Incoming
from gateway.live.transport.write_scheduler import Flushes

CLOSE_S: Final = 10.0
"""For the closing handshake; who does not answer is cut off."""


class Listener(Interface):
    """Whose connection it is."""

    def heard(self, text: str | None) -> None:
        """A message came in; None: one that is no text."""
        ...

    def relieved(self) -> None:
        """The connection takes bytes again: what is owed is due."""
        ...

    def closed(self, code: int) -> None:
        """We close the connection with this code."""
        ...

    def ended(self) -> None:
        """The connection is gone."""
        ...


class Switchboard:
    """What the connections of one process share."""

    __slots__ = ("buffer", "close_s", "flushes", "incoming", "retry_ms")

    def __init__(self, message_bytes_max: int) -> None:
        self.flushes = Flushes()
        self.incoming = Incoming(message_bytes_max)
        self.buffer = bytearray(READ_BYTES_MAX)
        """What one connection has just received; see LiveConnection."""
        self.close_s = CLOSE_S
        self.retry_ms = (500, 15_000)
        """What the last frame says to a client that is sent away."""
