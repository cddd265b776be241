"""The table of codes covers everything that can be refused."""

from __future__ import annotations

import json
from typing import Any, TypeVar

import pytest

from actors import errors as actor_errors
from actors.domain.messages.refusals import Refusal, RefusalCode
from gateway.wire import errors
from gateway.wire.problems import CODES, CloseCode, of_error, of_refusal

T = TypeVar("T")

_WIRE = {
    "slot_unavailable": 409,
    "slot_not_offered": 409,
    "hold_limit": 409,
    "hold_expired": 410,
    "forbidden": 403,
    "unauthenticated": 401,
    "invalid_request": 422,
    "idempotency_key_reused": 422,
    "too_many_requests": 429,
    "unavailable": 503,
    "provider_not_found": 404,
    "hold_not_found": 404,
    "booking_not_found": 404,
    "visit_type_not_found": 404,
    "time_off_not_found": 404,
}


def _all_subclasses(root: type[T]) -> list[type[T]]:
    found = [root]
    for kind in root.__subclasses__():
        found.extend(_all_subclasses(kind))
    return found


def test_the_codes_of_the_wire_have_their_statuses() -> None:
    """Outside clients rely on these pairs."""
    assert {code: CODES[code][0] for code in _WIRE} == _WIRE


@pytest.mark.parametrize("code", list(RefusalCode))
def test_every_refusal_of_a_calendar_has_a_status(code: RefusalCode) -> None:
    """No calendar can say a no that the gateway does not know."""
    found = of_refusal(Refusal(code, "why"))
    body = json.loads(found.body())
    assert found.status == body["status"] == CODES[found.code][0]
    assert body["detail"] == "why"
    assert body["code"] in (code.value, "unavailable")


@pytest.mark.parametrize("kind", _all_subclasses(errors.RequestError))
def test_every_error_of_the_gateway_has_a_code_in_the_table(
    kind: type[errors.RequestError],
) -> None:
    """Each class of errors.py becomes a problem with a title."""
    arguments: dict[str, tuple[Any, ...]] = {
        "ListLimit": (60.0,),
        "MethodNotAllowed": ("GET",),
        "SuccessorMissing": (["cln_1"],),
        "TooManyRequests": (1.5,),
        "VersionBehind": (b'"1"',),
    }
    made = kind(*arguments.get(kind.__name__, ()))
    assert of_error(made).code in CODES


@pytest.mark.parametrize(
    "kind",
    [
        kind
        for kind in _all_subclasses(actor_errors.SchedulingError)
        if kind.__module__ == actor_errors.__name__
    ],
)
def test_trouble_of_the_system_is_503_with_retry_after(
    kind: type[actor_errors.SchedulingError],
) -> None:
    """Whatever the shards raise, the client hears when to come again, and no more."""
    found = of_error(kind("a path /data/journal and a stack"))
    assert found.status == 503
    assert b"retry-after" in dict(found.headers)
    assert "/data" not in found.detail


def test_an_unforeseen_error_tells_nothing() -> None:
    """A bug is 500 without its text."""
    found = of_error(RuntimeError("secret"))
    assert (found.status, found.code) == (500, "internal")
    assert b"secret" not in found.body()


def test_close_codes_say_whether_to_come_back() -> None:
    """4000-4499 come back, 4500-4999 do not."""
    assert all(4000 <= code <= 4999 for code in CloseCode)
    assert {code for code in CloseCode if code.comes_back} == {
        4000,
        4005,
        4008,
        4012,
        4013,
    }
