"""Parses clients' messages without a parser per connection.

Watchers send rarely, and an idle parser costs kilobytes. Between two messages a parser
has no state of its connection, so a few serve all: a connection borrows one for the
bytes that came, and keeps it only in the middle of a frame or of a fragmented message.
"""

from __future__ import annotations

import logging
from types import GeneratorType
from typing import Final, cast

from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side, State
from websockets.streams import StreamReader

try:
    from websockets.speedups import apply_mask
except ImportError:  # as websockets does where its extension was not compiled
    from websockets.utils import apply_mask

IDLE_MAX: Final = 16
"""Idle parsers kept in the pool."""
READ_BYTES_MAX: Final = 16 * 1024
"""Most bytes per read from one connection, so that others get their turn."""
PIECE_BYTES: Final = 256
"""Most bytes given to a parser at once, which is at most 42 frames."""
FRAMES_A_TURN: Final = 32
"""Most frames parsed of one connection before others get their turn."""
FRAMES_PER_S: Final = 2_000
"""Frames per second of one connection, of any kind; about 20 microseconds each."""
FRAMES_BURST_S: Final = 1.0
"""Seconds of unused allowance that a silent connection may use at once."""
FRAME_BYTES: Final = 1024
"""This many bytes count as one additional frame."""

_PONG: Final = 0x8A
_MASK_BYTES: Final = 6
"""Header and mask of a short frame."""
_WHOLE_TEXT: Final = 0x81
"""A frame's first byte: text, final, nothing reserved."""
_MASKED: Final = 128
"""Added to the length in the second byte of every frame of a client."""
_LENGTH_IN_TWO_BYTES: Final = 126

_QUIET: Final = logging.getLogger("slotcast.live.frames")
_QUIET.setLevel(logging.CRITICAL)  # a client's errors are answered, not logged


class ParserPool:
    """The parsers of one process. ``message_bytes_max``: of one message, else 4509."""

    def __init__(self, message_bytes_max: int) -> None:
        self.message_bytes_max = message_bytes_max
        self._idle: list[Protocol] = []

    def borrow(self) -> Protocol:
        """A parser at the beginning of a frame."""
        if self._idle:
            return self._idle.pop()
        return self._fresh()

    def _fresh(self) -> Protocol:
        return Protocol(
            Side.SERVER,
            state=State.OPEN,
            max_size=self.message_bytes_max,
            logger=_QUIET,
        )

    def give_back(self, parser: Protocol) -> bool:
        """Take a parser that is between two messages; False if it is not."""
        if not is_between_messages(parser):
            return False
        if len(self._idle) < IDLE_MAX:
            self._idle.append(parser)
        return True


def is_between_messages(parser: Protocol) -> bool:
    """Whether a parser could as well be a new one."""
    return (
        parser.state is State.OPEN
        and parser.parser_exc is None
        and parser.current_size is None
        and _is_at_a_frame(parser)
    )


def _is_at_a_frame(parser: Protocol) -> bool:
    """Whether the parser waits for a frame's first byte and not inside a frame."""
    waits = cast("GeneratorType[None, None, None]", parser.parser).gi_yieldfrom
    code = getattr(waits, "gi_code", None)
    return code is StreamReader.at_eof.__code__ and not parser.reader.buffer


def is_one_pong(data: bytes) -> bool:
    """Whether these bytes are exactly one pong, which is most of what watchers send."""
    return (
        len(data) >= _MASK_BYTES
        and data[0] == _PONG
        and len(data) == _MASK_BYTES + (data[1] & 127)
    )


def whole_text(data: bytes, at: int, bytes_max: int) -> tuple[str, int] | None:
    """The text message that is one whole frame at ``at``, and where the next begins.

    None for everything else, which the parser handles. Most messages of clients are
    such frames, and the parser takes several times as long for one.
    """
    body = at + _MASK_BYTES
    if len(data) < body or data[at] != _WHOLE_TEXT:
        return None
    length = data[at + 1] - _MASKED
    if not 0 <= length <= _LENGTH_IN_TWO_BYTES:
        return None
    if length == _LENGTH_IN_TWO_BYTES:
        length = data[at + 2] << 8 | data[at + 3]
        body += 2
    end = body + length
    if length > bytes_max or len(data) < end:
        return None
    try:
        text = apply_mask(data[body:end], data[body - 4 : body]).decode()
    except UnicodeDecodeError:
        return None
    return text, end


def is_data(frame: Frame) -> bool:
    """Whether a frame belongs to a message."""
    return frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)


def emptied_at(full_until: float, now: float, frames: int, size: int) -> float:
    """When a connection's leaky bucket will be empty, once this much was read.

    ``full_until`` is the previous result; it is the only state.
    """
    seconds = (frames + size / FRAME_BYTES) / FRAMES_PER_S
    return max(full_until, now) + seconds
