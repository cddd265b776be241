"""Refresh tokens: one row per session, and a token for each of its generations.

A token is ``ses_….generation.mac``. The mac is made with a key that the database does
not hold, so a stolen database mints nothing, and no token needs a row. Refreshing is a
compare-and-set on the generation. A token of the generation before still gets the
present one's successor, again, while

- the successor has not been used: the answer may have been lost; or
- the rotation is only just made: two tabs may have refreshed at once.

Any other old token ends the session: either its owner or a thief holds the newer one,
and nothing tells which.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64encode
from enum import StrEnum
from hashlib import sha256
from typing import Final

from msgspec import Struct

from actors.domain.ids import Millis
from care.accounts.accounts import EndedWhy, Session
from care.accounts.ids import SessionId

GRACE_MS: Final = 10_000
"""For how long a replaced token works although its successor has been used."""
MAC_CHARACTERS: Final = 32
"""192 bits of the mac."""
_TOKEN: Final = re.compile(
    r"(ses_[A-Za-z0-9_-]{1,64})\.([1-9][0-9]{0,9})\.([A-Za-z0-9_-]{32})"
)


class PresentedToken(Struct, frozen=True):
    """A refresh token taken apart; whether its mac holds is not yet known."""

    session_id: SessionId
    generation: int
    mac: str


class Judgement(StrEnum):
    """The action for a refresh token with a valid mac."""

    ROTATE = "rotate"
    REPEAT = "repeat"
    """Give the present generation's token once more."""
    END = "end"
    """End the session; see ``reason_to_end``."""
    ENDED = "ended"
    """The session has ended already."""


def refresh_token(key: bytes, session: Session, generation: int) -> str:
    """The token of one generation of a session."""
    mac = _mac(key, session.session_id, generation, session.salt)
    return f"{session.session_id}.{generation}.{mac}"


def parsed_token(text: str) -> PresentedToken | None:
    """A presented token taken apart; None if it is no refresh token."""
    match = _TOKEN.fullmatch(text)
    if match is None:
        return None
    return PresentedToken(SessionId(match[1]), int(match[2]), match[3])


def is_genuine(key: bytes, token: PresentedToken, session: Session) -> bool:
    """Whether this site made the token, for this session and generation."""
    mac = _mac(key, session.session_id, token.generation, session.salt)
    return hmac.compare_digest(mac, token.mac)


def judge(session: Session, generation: int, now: Millis) -> Judgement:
    """What a genuine token of this generation gets."""
    if session.ended_at is not None:
        return Judgement.ENDED
    if reason_of_time(session, now) is not None:
        return Judgement.END
    if generation == session.generation:
        return Judgement.ROTATE
    if generation != session.generation - 1:
        return Judgement.END
    is_unseen = session.seen_generation < session.generation
    is_recent = now - session.rotated_at < GRACE_MS
    return Judgement.REPEAT if is_unseen or is_recent else Judgement.END


def reason_to_end(session: Session, now: Millis) -> EndedWhy:
    """Why a session is ended by a refresh that was judged END."""
    return reason_of_time(session, now) or EndedWhy.REUSE


def reason_of_time(session: Session, now: Millis) -> EndedWhy | None:
    """Whether a session's time is up, and which of its two limits was passed."""
    if now >= session.ends_at:
        return EndedWhy.OVER
    return EndedWhy.IDLE if now >= session.idle_until else None


def _mac(key: bytes, session_id: SessionId, generation: int, salt: bytes) -> str:
    text = f"refresh|{session_id}|{generation}|".encode() + salt
    made = hmac.new(key, text, sha256).digest()
    return urlsafe_b64encode(made).decode()[:MAC_CHARACTERS]
