"""Shared compression: a frame is compressed once, whoever receives it.

Usually a connection that compresses keeps a compressor of its own, tens or hundreds of
kilobytes, and every frame is compressed for every receiver. Here a message never refers
to an earlier one (``server_no_context_takeover``), so that the same compressed bytes
are right on every connection that agreed to compression with our window, and nothing
is kept per connection in either direction: what a client sends stands alone too
(``client_no_context_takeover``), and is read by parsers that all share.

Each message says by one bit whether it is compressed (RFC 7692, section 6). Frames of
public topics are, from some size on. All else stays plain: it is small or for one
person, and where secrets are never compressed nothing can be guessed from a length.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Final

from websockets.exceptions import NegotiationError
from websockets.extensions.base import Extension
from websockets.extensions.permessage_deflate import (
    PerMessageDeflate,
    ServerPerMessageDeflateFactory,
)
from websockets.protocol import Protocol
from websockets.typing import ExtensionParameter

from gateway.live.core.frames import Frame, header_of
from gateway.live.transport.connection import JOINED_MAX, LiveConnection
from gateway.live.transport.parsers import Incoming, is_between_messages
from gateway.live.transport.write_scheduler import Switchboard

WINDOW_BITS: Final = 12
"""Four kilobytes, about a week of slots; a client needs as much to read it."""
WORTH_BYTES: Final = 256
"""A smaller frame stays plain: it fits a packet as it is."""
_CLIENT_WINDOW_BITS: Final = 15
"""What is written with any window can be read with the largest."""
_COMPRESSED: Final = 0x40
"""RSV1, in a frame's first byte."""
_TAIL: Final = b"\x00\x00\xff\xff"
"""What a flush ends with, and a message leaves out."""
_PUBLIC: Final = "slots/"


class _Offer(ServerPerMessageDeflateFactory):
    """Agrees with whoever can read our window; others get everything plain."""

    def process_request_params(
        self,
        params: Sequence[ExtensionParameter],
        accepted_extensions: Sequence[Extension],
    ) -> tuple[list[ExtensionParameter], PerMessageDeflate]:
        answer, found = super().process_request_params(params, accepted_extensions)
        if found.local_max_window_bits < WINDOW_BITS:
            raise NegotiationError("a window smaller than ours")
        return answer, found


def offer() -> ServerPerMessageDeflateFactory:
    """What is agreed with a client that asks for compression."""
    return _Offer(
        server_no_context_takeover=True,
        client_no_context_takeover=True,
        server_max_window_bits=WINDOW_BITS,
        client_max_window_bits=WINDOW_BITS,
    )


def is_shared(extensions: Sequence[object]) -> bool:
    """Whether this is our agreement, and with a window as large as ours."""
    return any(
        isinstance(one, PerMessageDeflate)
        and one.local_no_context_takeover
        and one.remote_no_context_takeover
        and one.local_max_window_bits >= WINDOW_BITS
        for one in extensions
    )


def deflated(frame: Frame) -> bytes:
    """The whole frame for those who agreed: compressed if it is worth it."""
    wire = frame.deflated
    if wire is None:
        wire = frame.deflated = _made(frame)
    return wire


def _made(frame: Frame) -> bytes:
    payload = frame.payload
    if len(payload) < WORTH_BYTES or not frame.topic.startswith(_PUBLIC):
        return frame.wire
    compressor = zlib.compressobj(wbits=-WINDOW_BITS)
    body = compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH)
    body = body.removesuffix(_TAIL)
    if len(body) >= len(payload):
        return frame.wire
    header = header_of(len(body))
    return bytes((header[0] | _COMPRESSED,)) + header[1:] + body


class InflatingParsers(Incoming):
    """Parsers of what those who agreed send; a message may be compressed or not."""

    def _fresh(self) -> Protocol:
        parser = super()._fresh()
        inflates = PerMessageDeflate(
            remote_no_context_takeover=True,
            local_no_context_takeover=True,
            remote_max_window_bits=_CLIENT_WINDOW_BITS,
            local_max_window_bits=WINDOW_BITS,
        )
        parser.extensions = [inflates]
        return parser

    def _may_serve_others(self, parser: Protocol) -> bool:
        return is_between_messages(parser) and all(
            isinstance(one, PerMessageDeflate)
            and one.remote_max_window_bits == _CLIENT_WINDOW_BITS
            for one in parser.extensions
        )


class DeflatedSwitchboard(Switchboard):
    """What connections with shared compression share, beside what all do."""

    __slots__ = ()

    def __init__(self, plain: Switchboard, message_bytes_max: int) -> None:
        super().__init__(message_bytes_max)
        self.flushes = plain.flushes
        self.close_s = plain.close_s
        self.retry_ms = plain.retry_ms
        self.incoming = InflatingParsers(message_bytes_max)


class DeflatedConnection(LiveConnection):
    """A connection that takes the compressed frames of topics."""

    __slots__ = ()

    @classmethod
    def reads_with(cls, extensions: Sequence[object]) -> bool:
        """Ours read all that is agreed with us, and nothing else."""
        return is_shared(extensions)

    def write(self, frame: Frame) -> None:
        """As for everybody, with other bytes."""
        row = self._row
        wire = frame.deflated or deflated(frame)
        if not row:
            self._flushes.add(self, frame)
        row.append(wire)
        self._bytes += len(wire)
        if self._bytes > JOINED_MAX:
            self._full()
