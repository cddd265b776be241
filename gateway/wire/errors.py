"""Errors the gateway raises itself, before or instead of asking a calendar.

::

    RequestError                code of the wire; status and title in problems.py
    ├── InvalidRequest          a field is wrong: says which, and what to send
    ├── Unauthenticated         no token, or one that is not valid
    ├── Forbidden               this role may not do this here
    ├── NotFound                no such path or object, or not visible to the caller
    ├── MethodNotAllowed        the path exists, the method does not
    ├── TooLarge                body, address or headers beyond the limit
    ├── UnsupportedMedia        the body is no JSON
    ├── ReportRefused           the report takes too long to count
    ├── KeyReused               the idempotency key belongs to another request
    └── TooManyRequests         slow down; says for how long
        └── ListLimit           of lists that are kept current

A calendar's refusals are values (actors/domain/messages/refusals.py), and a temporary
failure is ``actors.errors.Unavailable``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from actors.domain.messages.refusals import Refusal, RefusalCode

T = TypeVar("T")


class FieldError(Exception):
    """One invalid field; raised by parsers, collected by callers.

    ``message`` continues after the field's name: "must be …", "is missing".
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field} {message}")
        self.field = field
        self.message = message


class RequestError(Exception):
    """The root; ``code`` is the wire's word, ``headers`` go with the answer."""

    code = "internal"

    def __init__(
        self, detail: str = "", *, headers: Sequence[tuple[bytes, bytes]] = ()
    ) -> None:
        super().__init__(detail or (type(self).__doc__ or "").splitlines()[0])
        self.headers = tuple(headers)

    @property
    def detail(self) -> str:
        """A sentence for a person, without personal data."""
        return str(self.args[0])

    @property
    def fields(self) -> tuple[tuple[str, str], ...]:
        """Pairs of field and message; only InvalidRequest has any."""
        return ()


class InvalidRequest(RequestError):
    """The request is not valid."""

    code = "invalid_request"

    def __init__(self, detail: str = "", *errors: FieldError) -> None:
        super().__init__(detail or "; ".join(str(error) for error in errors) + ".")
        self._fields = tuple((error.field, error.message) for error in errors)

    @property
    def fields(self) -> tuple[tuple[str, str], ...]:
        """Which fields are wrong, and what to send instead."""
        return self._fields


class Unauthenticated(RequestError):
    """Sign in first: send an Authorization header with a valid bearer token."""

    code = "unauthenticated"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail, headers=((b"www-authenticate", b"Bearer"),))


class Forbidden(RequestError):
    """Your role may not do this here."""

    code = "forbidden"


class AccountRequired(RequestError):
    """This needs an account: sign in; a demo token has none."""

    code = "account_required"


class ReauthenticationRequired(RequestError):
    """Prove again who you are: POST /v1/auth/reauthenticate, then repeat this."""

    code = "reauthentication_required"


class SecondFactorRequired(RequestError):
    """This needs a second factor: sign in with one, or add one to your account."""

    code = "second_factor_required"


class NotFound(RequestError):
    """There is nothing at this address, or no object with this id: ``code`` says."""

    def __init__(self, detail: str = "", *, code: str = "not_found") -> None:
        super().__init__(detail)
        self.code = code
        self._detail = detail

    @property
    def detail(self) -> str:
        """Mostly empty: a hidden object is answered like a missing one, by its code."""
        return self._detail


class ReportRefused(RequestError):
    """The report takes too long: choose a shorter period, or ask by something else."""

    code = "report_too_large"


class VersionBehind(RequestError):
    """What you changed was changed in the meantime. Read it again, and repeat it."""

    code = "version_behind"

    def __init__(self, etag: bytes = b"") -> None:
        super().__init__(headers=((b"etag", etag),) if etag else ())


class MethodNotAllowed(RequestError):
    """This address does not answer that method."""

    code = "method_not_allowed"

    def __init__(self, allowed: str) -> None:
        super().__init__(
            f"This address answers {allowed}.",
            headers=((b"allow", allowed.encode()),),
        )


class TooLarge(RequestError):
    """The request is larger than this server accepts."""

    code = "payload_too_large"

    def __init__(self, detail: str = "", *, code: str = "payload_too_large") -> None:
        super().__init__(detail)
        self.code = code


class UnsupportedMedia(RequestError):
    """Bodies are JSON in UTF-8: send Content-Type: application/json."""

    code = "unsupported_media_type"


class KeyReused(RequestError):
    """This Idempotency-Key was used for a different request; choose a new one."""

    code = "idempotency_key_reused"


class TooManyRequests(RequestError):
    """Too many requests; wait as long as Retry-After says."""

    code = "too_many_requests"

    def __init__(self, retry_after_s: float) -> None:
        self.retry_after_s = retry_after_s
        seconds = max(1, int(-(-retry_after_s // 1)))
        super().__init__(headers=((b"retry-after", str(seconds).encode()),))


class ListLimit(TooManyRequests):
    """Too many lists are watched; read this one with GET /v1/providers instead."""

    code = "list_limit"


class Refused(Exception):
    """Carries a calendar's refusal up to the endpoint, which answers with it."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


def accepted(reply: object, kind: type[T], *, absent: RefusalCode | None = None) -> T:
    """The reply, narrowed to the expected type.

    ``absent``: the code for an object whose calendar does not exist; the client
    asked for a hold or a booking, not for a provider.

    Raises:
        Refused: the calendar refuses.
    """
    if isinstance(reply, kind):
        return reply
    if isinstance(reply, Refusal):
        if absent is not None and reply.code is RefusalCode.PROVIDER_NOT_FOUND:
            reply = Refusal(absent)
        raise Refused(reply)
    raise TypeError(f"a calendar answered {type(reply).__name__}, not {kind.__name__}")
