"""Every error code: its HTTP status and title, and the socket's close codes.

Statuses and close codes live in this file alone; a test proves that the tables cover
every refusal of a calendar and every error class. Answers are RFC 9457 problems:
``type`` points at the paragraph of ``/docs`` that explains the code.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from types import MappingProxyType
from typing import Final

from msgspec import Struct, json
from msgspec.structs import replace

from actors.domain.messages.refusals import SENTENCES, Refusal, RefusalCode
from actors.errors import SchedulingError, Unavailable, VersionNotReached
from gateway.wire.errors import FieldError, Refused, RequestError

Headers = tuple[tuple[bytes, bytes], ...]

CODES = MappingProxyType(
    {
        "slot_unavailable": (409, "This slot is taken"),
        "slot_not_offered": (409, "This slot is not offered"),
        "resource_unavailable": (409, "No room or equipment is free"),
        "hold_limit": (409, "Too many holds"),
        "booking_limit": (409, "Too many visits ahead"),
        "overlap": (409, "You have another visit at this time"),
        "hold_confirmed": (409, "The hold has been booked"),
        "wrong_status": (409, "The booking's status does not allow this"),
        "not_reviewable": (409, "This visit cannot be reviewed"),
        "review_exists": (409, "The visit has a review"),
        "review_not_found": (404, "No such review"),
        "already_settled": (409, "The visit is settled"),
        "clinic_retired": (409, "The clinic is retired"),
        "version_behind": (412, "There is a newer version"),
        "too_early": (409, "The visit's time has not come"),
        "too_late": (409, "It is too late for this"),
        "hold_expired": (410, "The hold has expired"),
        "provider_not_found": (404, "No such provider"),
        "clinic_not_found": (404, "No such clinic"),
        "hold_not_found": (404, "No such hold"),
        "booking_not_found": (404, "No such booking"),
        "visit_type_not_found": (404, "No such visit type"),
        "specialty_not_found": (404, "No such specialty"),
        "time_off_not_found": (404, "No such time off"),
        "session_not_found": (404, "No such session"),
        "patient_not_found": (404, "No such patient"),
        "account_not_found": (404, "No such account"),
        "api_client_not_found": (404, "No such API client"),
        "factor_not_found": (404, "No such factor"),
        "identity_not_found": (404, "No such identity"),
        "notice_not_found": (404, "No such notice"),
        "photo_not_found": (404, "No such photo"),
        "photo_not_supported": (415, "No picture of a supported kind"),
        "photo_too_large": (413, "The picture is too large"),
        "photo_damaged": (422, "The picture is damaged"),
        "document_not_found": (404, "No such document"),
        "document_limit": (409, "No room for more documents"),
        "document_offset": (409, "The upload stands at another byte"),
        "document_not_available": (409, "The document is not available"),
        "document_too_large": (413, "The document is too large"),
        "feed_not_found": (404, "No such feed"),
        "feed_limit": (409, "Too many feeds"),
        "waiting_not_found": (404, "No such entry of the waiting list"),
        "waiting_limit": (409, "Too many entries of the waiting list"),
        "not_found": (404, "Not found"),
        "bad_request": (400, "The request cannot be read"),
        "unauthenticated": (401, "Sign in first"),
        "invalid_credentials": (401, "Address or password is wrong"),
        "session_ended": (401, "The session has ended"),
        "forbidden": (403, "Not allowed"),
        "data_restricted": (403, "The patient restricted the use of their data"),
        "account_required": (403, "An account is needed"),
        "account_disabled": (403, "The account is disabled"),
        "verification_required": (403, "The address is not confirmed yet"),
        "reauthentication_required": (403, "Prove again who you are"),
        "second_factor_required": (403, "A second factor is needed"),
        "cross_origin": (403, "Not from this page"),
        "identity_refused": (403, "The provider's answer does not hold"),
        "email_missing": (403, "The provider told no address"),
        "link_required": (409, "Sign in, then link"),
        "identity_taken": (409, "Linked already"),
        "identity_required": (409, "The last way to sign in"),
        "factor_required": (409, "The account needs a factor"),
        "api_client_limit": (409, "Too many API clients"),
        "factor_limit": (409, "Too many factors"),
        "flow_ended": (410, "This sign-in has ended"),
        "link_expired": (410, "The link does not work any more"),
        "method_not_allowed": (405, "Method not allowed"),
        "request_timeout": (408, "The request did not come in time"),
        "payload_too_large": (413, "The body is too large"),
        "unsupported_media_type": (415, "The body must be JSON"),
        "uri_too_long": (414, "The address is too long"),
        "headers_too_large": (431, "The headers are too large"),
        "invalid_request": (422, "The request is not valid"),
        "report_too_large": (422, "The report takes too long"),
        "invalid_code": (422, "The code is wrong"),
        "application_not_found": (404, "No such application"),
        "application_decided": (409, "The application is decided"),
        "application_exists": (409, "There is such an application"),
        "too_many_applications": (409, "Too many applications are open"),
        "too_many_dependants": (409, "The account has too many dependants"),
        "licence_taken": (409, "Another doctor has this licence"),
        "member_not_found": (404, "No such member"),
        "invitation_not_found": (404, "No such invitation"),
        "guardianship_not_found": (404, "No such guardianship"),
        "glass_not_found": (404, "No such emergency access"),
        "last_admin": (409, "An administrator must stay"),
        "invitation_used": (409, "The invitation is not open"),
        "role_exists": (409, "The account has this role"),
        "already_reviewed": (409, "Not yours to review"),
        "patient_known": (409, "The clinic has this patient"),
        "number_taken": (409, "The number is taken"),
        "note_replaced": (409, "The note cannot be replaced"),
        "erasure_refused": (409, "The person cannot be erased now"),
        "request_not_found": (404, "No such request"),
        "password_refused": (422, "The password is refused"),
        "idempotency_key_reused": (422, "Idempotency key used for something else"),
        "misdirected": (421, "This server is called otherwise"),
        "upgrade_required": (426, "This address is for live sockets"),
        "too_many_requests": (429, "Too many requests"),
        "list_limit": (429, "Too many lists are watched"),
        "internal": (500, "Something broke on our side"),
        "unavailable": (503, "Not available just now"),
    }
)
"""Error code -> (HTTP status, title)."""

_REFUSAL_CODES = MappingProxyType(
    {code: code.value for code in RefusalCode}
    | {RefusalCode.DEADLINE_PASSED: "unavailable"}
)
"""Codes of temporary failures: the client may retry with the same key."""

_SENTENCES = MappingProxyType(
    {refusal.code.value: refusal.detail for refusal in SENTENCES}
    | {
        "not_found": "There is nothing at this address.",
        "clinic_not_found": "There is no such clinic.",
        "specialty_not_found": "The site has no such specialty of its own.",
        "session_not_found": "There is no such session.",
        "patient_not_found": "There is no such patient.",
        "account_not_found": "There is no such account.",
        "api_client_not_found": "The clinic has no such API client.",
        "factor_not_found": "The account has no such factor.",
        "request_not_found": "There is no such request.",
        "identity_not_found": "The account has no such identity.",
        "notice_not_found": "There is no such notice.",
        "feed_not_found": "There is no such feed; it may have been revoked.",
        "document_not_found": "There is no such document; it may have been removed.",
        "photo_not_found": "There is no such photo; it may have been replaced.",
        "waiting_not_found": "There is no such entry of the waiting list.",
    }
)
"""Code -> its default detail."""


_AGAIN = (
    "Nothing is lost; send the same request again, a write with the same "
    "Idempotency-Key."
)
_BEHIND = "The calendar has not reached the version of at_least yet: ask again soon."


class CloseCode(IntEnum):
    """Close codes of the live socket: 4000-4499 reconnect, 4500-4999 do not."""

    RESYNC = 4000
    TOKEN_EXPIRED = 4005
    TOO_SLOW = 4008
    DRAINING = 4012
    OVERLOADED = 4013
    BAD_FRAME = 4500
    UNAUTHENTICATED = 4501
    FORBIDDEN = 4503
    TOO_MANY_CONNECTIONS = 4504
    TOO_MANY_TOPICS = 4505
    TOO_LARGE = 4509

    @property
    def comes_back(self) -> bool:
        """Whether the client should connect again."""
        return self < CloseCode.BAD_FRAME


CLOSE_REASONS: Final = MappingProxyType[int, str](
    {
        CloseCode.RESYNC: "Connect again and subscribe with since.",
        CloseCode.TOKEN_EXPIRED: "Get a new token, connect again.",
        CloseCode.TOO_SLOW: "Took no bytes for 15 s, or read no answers.",
        CloseCode.DRAINING: "This server is shutting down; wait as bye.retry_ms says.",
        CloseCode.OVERLOADED: "Come back later.",
        CloseCode.BAD_FRAME: "Three unreadable frames, or an empty part of a message.",
        CloseCode.UNAUTHENTICATED: "Three bad tokens, or yours was revoked.",
        CloseCode.FORBIDDEN: "This origin or person may not connect.",
        CloseCode.TOO_MANY_CONNECTIONS: "Close some before you open more.",
        CloseCode.TOO_MANY_TOPICS: "Unsubscribe before you subscribe to more.",
        CloseCode.TOO_LARGE: "A message is larger than the server reads.",
    }
)
"""Close code -> reason, for the close frame and the AsyncAPI document."""


_ABOUT: Final = MappingProxyType({"hld": "hold_id", "bkg": "booking_id"})


class ProblemField(Struct, frozen=True):
    """One field that was not accepted."""

    field: str
    message: str


class ProblemBody(Struct, frozen=True, omit_defaults=True):
    """An error answer, RFC 9457. Programs switch on ``code``."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: tuple[ProblemField, ...] = ()
    hold_id: str | None = None
    """The caller's own hold that caused the refusal."""
    booking_id: str | None = None
    """The caller's own booking that caused the refusal."""


class Problem(Struct, frozen=True):
    """An error answer, for both transports."""

    status: int
    code: str
    detail: str
    fields: tuple[tuple[str, str], ...] = ()
    headers: Headers = ()
    about: str = ""
    """The id of the caller's own hold or booking that caused the refusal."""

    @property
    def reason(self) -> dict[str, str]:
        """That id under its name: ``hold_id`` or ``booking_id``; empty without one."""
        name = _ABOUT.get(self.about.partition("_")[0])
        return {} if name is None else {name: self.about}

    def body(self) -> bytes:
        """The problem+json document."""
        return json.encode(
            ProblemBody(
                type=f"/docs#{self.code}",
                title=CODES[self.code][1],
                status=self.status,
                detail=self.detail,
                code=self.code,
                errors=tuple(ProblemField(*pair) for pair in self.fields),
                **self.reason,
            )
        )


def status_of(code: str) -> int:
    """The HTTP status of a code of the wire."""
    return CODES[code][0]


def problem(
    code: str,
    detail: str = "",
    *,
    fields: Sequence[tuple[str, str]] = (),
    headers: Sequence[tuple[bytes, bytes]] = (),
) -> Problem:
    """An error with this code; without a ``detail`` the code's own sentence."""
    status, title = CODES[code]
    detail = detail or _SENTENCES.get(code) or title + "."
    return Problem(status, code, detail, tuple(fields), tuple(headers))


def of_refusal(refusal: Refusal) -> Problem:
    """The problem of a calendar's refusal."""
    code = _REFUSAL_CODES[refusal.code]
    headers = ((b"retry-after", b"1"),) if code == "unavailable" else ()
    found = problem(code, refusal.detail, headers=headers)
    return replace(found, about=refusal.about) if refusal.about else found


def of_error(error: Exception) -> Problem:
    """The problem of an exception; an unexpected one reveals no details."""
    if isinstance(error, Refused):
        return of_refusal(error.refusal)
    if isinstance(error, FieldError):
        pair = (error.field, error.message)
        return problem("invalid_request", str(error), fields=(pair,))
    if isinstance(error, RequestError):
        return problem(
            error.code, error.detail, fields=error.fields, headers=error.headers
        )
    if isinstance(error, Unavailable):
        seconds = max(1, round(error.retry_after_s))
        return problem(
            "unavailable",
            _BEHIND if isinstance(error, VersionNotReached) else _AGAIN,
            headers=((b"retry-after", str(seconds).encode()),),
        )
    if isinstance(error, SchedulingError):
        return problem("unavailable", headers=((b"retry-after", b"1"),))
    return problem(
        "internal", "Try again. If it happens again, report the X-Request-Id."
    )
