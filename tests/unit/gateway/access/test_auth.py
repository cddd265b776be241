"""Tokens: what is believed, and for how long."""

from __future__ import annotations

from typing import Any

import jwt
import pytest

from actors.domain.ids import Millis
from gateway.access.tokens import Authenticator, Role, issue_token
from gateway.config import GatewayConfig
from gateway.wire.errors import Unauthenticated
from tests.fakes.clocks import SteppedClock

KEY, OTHER = b"k" * 64, b"o" * 64
NOW = 1_800_000_000_000


def _authenticator(clock: SteppedClock | None = None, *keys: bytes) -> Authenticator:
    config = GatewayConfig(token_keys=keys or (KEY,))
    return Authenticator(config, clock or SteppedClock(NOW))


def _signed(algorithm: str = "HS256", key: bytes | None = KEY, **changes: Any) -> str:
    claims = {
        "iss": "slotcast",
        "aud": "slotcast",
        "sub": "pat_1",
        "role": "patient",
        "iat": NOW // 1000,
        "exp": NOW // 1000 + 60,
        "jti": "t",
    }
    kept = {k: v for k, v in (claims | changes).items() if v is not None}
    return jwt.encode(kept, key or "", algorithm=algorithm)


@pytest.mark.parametrize(
    ("role", "subject"),
    [
        (Role.PATIENT, "pat_1"),
        (Role.DOCTOR, "prv_1"),
        (Role.CLINIC_ADMIN, "cln_1"),
        (Role.ADMIN, "ada"),
    ],
)
def test_a_token_says_who_is_calling(role: Role, subject: str) -> None:
    """What was signed is what is read, for every role."""
    token = issue_token(KEY, role, subject, 60, Millis(NOW), "t")
    caller = _authenticator().caller(f"Bearer {token}")
    assert caller is not None
    assert (caller.role, caller.subject) == (role, subject)


def test_no_header_is_nobody() -> None:
    """Without a token there is no caller, and no error either."""
    assert _authenticator().caller(None) is None


def test_a_token_ends_by_our_clock_also_when_remembered() -> None:
    """A token that was believed once is not believed after its end and the leeway."""
    clock = SteppedClock(NOW)
    authenticator = _authenticator(clock)
    token = _signed()
    authenticator.verify(token)
    clock.step(64)
    authenticator.verify(token)
    clock.step(2)
    with pytest.raises(Unauthenticated):
        authenticator.verify(token)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "a.b.c",
        "é" * 10,
        "x" * 100_000,
        _signed(key=OTHER),
        _signed("HS384"),
        _signed("HS512"),
        _signed("none", None),
        _signed(iss="other"),
        _signed(aud="other"),
        _signed(aud=None),
        _signed(jti=None),
        _signed(iat=None),
        _signed(exp=None),
        _signed(sub=None),
        _signed(role=None),
        _signed(role="PATIENT"),
        _signed(role="root"),
        _signed(role="doctor"),
        _signed(sub="prv_1"),
        _signed(exp=NOW // 1000 + 86_401),
        _signed(exp=NOW // 1000 - 60, iat=NOW // 1000 - 90),
        _signed(iat=NOW // 1000 + 30),
        _signed(exp="soon"),
        _signed(nbf=NOW // 1000 + 30),
        _signed(nbf="now"),
        _signed(nbf=True),
        _signed() + "=",
        _signed() + "==",
        _signed().replace(".", "=.", 1),
        _signed() + "\n",
        " " + _signed(),
    ],
)
def test_what_is_not_quite_a_token_is_refused(token: str) -> None:
    """Other keys, algorithms, issuers, lives, roles and subjects are not believed."""
    with pytest.raises(Unauthenticated):
        _authenticator().verify(token)


def test_a_token_may_say_since_when_it_holds() -> None:
    """``nbf`` in the past, or within what clocks may differ by, is no obstacle."""
    for begins in (NOW // 1000 - 10, NOW // 1000 + 5):
        assert _authenticator().verify(_signed(nbf=begins)).subject == "pat_1"


def test_an_old_key_still_verifies_while_a_new_one_signs() -> None:
    """Keys can be replaced without ending a session."""
    caller = _authenticator(None, OTHER, KEY).verify(_signed())
    assert caller.subject == "pat_1"


@pytest.mark.parametrize("header", ["Basic abc", "Bearer", "Bearer ", "bearer x y"])
def test_other_schemes_are_refused(header: str) -> None:
    """An unusable Authorization header is an error, not an anonymous caller."""
    with pytest.raises(Unauthenticated):
        _authenticator().caller(header)


@pytest.mark.parametrize(
    ("key", "role", "subject", "ttl"),
    [
        (b"short", Role.ADMIN, "ada", 60),
        (KEY, Role.PATIENT, "prv_1", 60),
        (KEY, Role.DOCTOR, "pat_1", 60),
        (KEY, Role.ADMIN, "", 60),
        (KEY, Role.ADMIN, "a\nb", 60),
        (KEY, Role.PATIENT, "pat_1", 0),
        (KEY, Role.PATIENT, "pat_1", 86_401),
    ],
)
def test_no_token_is_signed_that_would_not_be_believed(
    key: bytes, role: Role, subject: str, ttl: int
) -> None:
    """Short keys, unfit subjects and long lives are refused at the signing."""
    with pytest.raises(ValueError, match=r"subject|token|key"):
        issue_token(key, role, subject, ttl, Millis(NOW), "t")


def test_a_gateway_without_a_good_key_does_not_start() -> None:
    """An empty or short key is a mistake of the operator, said at once."""
    for keys in ((), (b"short",)):
        with pytest.raises(ValueError, match="key"):
            Authenticator(GatewayConfig(token_keys=keys), SteppedClock(NOW))
