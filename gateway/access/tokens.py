"""Who is calling: short-lived signed tokens (JWT, HS256), checked by our own clock.

The algorithm is pinned, issuer and audience must be ours, and no token lives longer
than a day. A verified token is remembered until it expires, so that a busy caller
costs one dictionary look-up per request.

One file because the claims that are written are those that are read.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import jwt

from actors.domain.ids import (
    ClinicId,
    Millis,
    PatientId,
    ProviderId,
    is_id,
    is_provider_id,
)
from actors.ports import Clock
from care.accounts.accounts import GLASS_SCOPE, context_name
from gateway.access.revocations import RevokedTokens
from gateway.config import GatewayConfig
from gateway.wire.errors import Unauthenticated

ISSUER: Final = "slotcast"
AUDIENCE: Final = "slotcast"
ALGORITHM: Final = "HS256"
LIFE_MAX_S: Final = 24 * 3600
KEY_BYTES_MIN: Final = 32
"""As long as the hash, RFC 7518 section 3.2."""
TOKEN_ID_CHARACTERS_MAX: Final = 128
_TOKEN_CHARACTERS_MAX: Final = 4096
"""A token that names every action as a scope fits."""
_REMEMBERED_MAX: Final = 20_000
_SUBJECT_CHARACTERS_MAX: Final = 100
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+){2}")
"""RFC 7515, section 2: base64url without padding. The library would take padding, and
one token would have several spellings."""
_BAD_TOKEN: Final = "The token is not valid; ask for a new one."  # noqa: S105 - a text


_EVER: Final = Millis(0)


class Role(StrEnum):
    """What a caller is; ``subject`` says which one."""

    PATIENT = "patient"
    GUARDIAN = "guardian"
    """Acts for a dependant, who is the subject."""
    DOCTOR = "doctor"
    STAFF = "staff"
    """Works at a clinic's reception."""
    CLINIC_ADMIN = "clinic_admin"
    ADMIN = "admin"
    """Administers the platform."""
    AUDITOR = "auditor"
    """Reads the audit trail of a tenant; the subject is a clinic or the platform."""
    SERVICE = "service"
    """A program of a clinic."""


CLINIC_ROLES: Final = frozenset({Role.STAFF, Role.CLINIC_ADMIN, Role.SERVICE})
"""Their subject is a clinic; what is its providers' is theirs."""
STAFF_ROLES: Final = CLINIC_ROLES | {Role.DOCTOR, Role.ADMIN}
"""They act on patients' holds and bookings. Named one by one: what is neither these
nor a patient acts on none."""
_PREFIXES: Final = {
    Role.PATIENT: "pat",
    Role.GUARDIAN: "pat",
    Role.DOCTOR: "prv",
    **dict.fromkeys(CLINIC_ROLES, "cln"),
}
SCOPES_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class Identity:
    """The account and session behind a token.

    ``grant``: what gave the account this role, empty for what it is by itself.
    ``generation``: of the refresh that issued it. ``level``: 1 if one factor was
    proved, 2 if two were, at ``proved_at``.
    """

    account: str
    session: str
    grant: str
    generation: int
    level: int
    proved_at: Millis
    methods: tuple[str, ...] = ()
    """How it was proved: the claim ``amr`` (RFC 8176)."""
    salt: str = ""
    """The salt of the patient's key in base64url, where the subject is a patient: it
    saves a read when they book. It opens nothing without the site's keys."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A person with a valid token; ``issued`` and ``expires`` are instants in ms."""

    role: Role
    subject: str
    expires: Millis
    issued: Millis = _EVER
    token_id: str = ""
    identity: Identity | None = None
    """None for demo tokens, which name a role and a subject and no account."""
    scopes: tuple[str, ...] = ()
    """What a guardian, a service or emergency access reaches; never beyond the role."""

    def is_same_person(self, other: Caller) -> bool:
        """Whether two tokens name the same person in the same role, alike far."""
        mine = (self.role, self.subject, self.account, self.scopes)
        return mine == (other.role, other.subject, other.account, other.scopes)

    @property
    def context(self) -> str:
        """The name of the context that they act in."""
        return context_name(self.role.value, self.subject, self.scopes)

    @property
    def person(self) -> str:
        """What limits and connections are counted by: a clinic has many accounts."""
        return self.account or f"{self.role}:{self.subject}"

    @property
    def account(self) -> str:
        """The account behind the token; empty without one."""
        return "" if self.identity is None else self.identity.account

    @property
    def key_owner(self) -> tuple[str, ...]:
        """Whose idempotency keys these are: an account's, apart in each of its roles.

        Keys are in journals, so what this is without an account never changes.
        """
        named = (self.role, self.subject)
        return (*named, self.account) if self.account else named

    @property
    def acting_as(self) -> str:
        """Who acts, for events and the audit trail: account and grant, or subject."""
        if self.identity is None:
            return self.subject
        grant = self.identity.grant
        return f"{self.identity.account} {grant}" if grant else self.identity.account

    @property
    def patient_id(self) -> PatientId | None:
        """The patient whom they act as: themself, or a guardian's dependant."""
        if self.role is Role.PATIENT or self.role is Role.GUARDIAN:
            return PatientId(self.subject)
        return None

    @property
    def is_proxy(self) -> bool:
        """Whether the caller acts as another person, who is a patient."""
        return self.role is Role.GUARDIAN

    @property
    def is_staff(self) -> bool:
        """Whether they act on the holds and bookings of patients."""
        return self.role in STAFF_ROLES

    @property
    def is_demo_admin(self) -> bool:
        """Whether all is theirs: an administrator of a demo, without an account."""
        return self.role is Role.ADMIN and self.identity is None

    @property
    def provider_id(self) -> ProviderId | None:
        """The provider they are, if they are one."""
        return ProviderId(self.subject) if self.role is Role.DOCTOR else None

    @property
    def clinic_id(self) -> ClinicId | None:
        """The clinic they act for, if that is their subject."""
        is_clinics = self.role in CLINIC_ROLES or self.role is Role.AUDITOR
        return ClinicId(self.subject) if is_clinics else None

    @property
    def glass_patient(self) -> PatientId | None:
        """The patient of their emergency access."""
        for one in self.scopes:
            if one.startswith(GLASS_SCOPE):
                return PatientId(one.removeprefix(GLASS_SCOPE))
        return None


def glass_scope(patient_id: PatientId) -> str:
    """The scope of emergency access to this patient."""
    return GLASS_SCOPE + patient_id


def subject_fits(role: Role, subject: str) -> bool:
    """Whether a subject can have this role: patients are ``pat_…``, and so on."""
    if role is Role.DOCTOR:
        return is_provider_id(subject)
    prefix = _PREFIXES.get(role)
    if prefix is not None:
        return is_id(subject, prefix)
    return (
        0 < len(subject) <= _SUBJECT_CHARACTERS_MAX
        and subject.isascii()
        and subject.isprintable()
    )


def issue_token(
    key: bytes,
    role: Role,
    subject: str,
    ttl_s: int,
    now: Millis,
    jti: str,
) -> str:
    """A signed token that lives ``ttl_s`` seconds from ``now``.

    Raises:
        ValueError: the subject does not fit the role, the life is not 1 s to 24 h,
            or the key is shorter than 32 bytes.
    """
    if not subject_fits(role, subject):
        wanted = _PREFIXES.get(role, "any") + "_…"
        raise ValueError(f"the subject of a {role.value} is {wanted}, not {subject!r}")
    if not 0 < ttl_s <= LIFE_MAX_S:
        raise ValueError(f"a token lives 1 to {LIFE_MAX_S} seconds, not {ttl_s}")
    if len(key) < KEY_BYTES_MIN:
        raise ValueError(f"the signing key needs {KEY_BYTES_MIN} bytes or more")
    expires = Millis((now // 1000 + ttl_s) * 1000)
    claims = _claims_of(Caller(role, subject, expires, now, jti))
    return jwt.encode(claims, key, algorithm=ALGORITHM)


def issue_access_token(key: bytes, caller: Caller) -> str:
    """A signed token of an account in one role; ``caller`` is what it is read as.

    Raises:
        ValueError: the caller has no identity.
    """
    if caller.identity is None:
        raise ValueError("an access token needs an account")
    claims = _claims_of(caller) | {
        name: getattr(caller.identity, field) for name, field, _ in _IDENTITY
    }
    claims[_METHODS] = list(caller.identity.methods)
    if caller.identity.salt:
        claims[_SALT] = caller.identity.salt
    return jwt.encode(claims, key, algorithm=ALGORITHM)


def _claims_of(caller: Caller) -> dict[str, Any]:
    scopes = {"scp": " ".join(caller.scopes)} if caller.scopes else {}
    return scopes | {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": caller.subject,
        "role": caller.role.value,
        "iat": caller.issued // 1000,
        "iat_ms": caller.issued,
        "exp": caller.expires // 1000,
        "jti": caller.token_id,
    }


_IDENTITY: Final = (
    ("acc", "account", str),
    ("sid", "session", str),
    ("gid", "grant", str),
    ("gen", "generation", int),
    ("acr", "level", int),
    ("aat", "proved_at", int),
)
"""Claims of an access token: name, field of Identity, type. All of them or none."""


_METHODS: Final = "amr"
_SALT: Final = "slt"


def _identity_of(claims: dict[str, Any]) -> Identity | None:
    """The identity that claims name; None without one. Raises Unauthenticated."""
    if not any(name in claims for name, _, _ in _IDENTITY):
        return None
    for name, _, kind in _IDENTITY:
        if type(claims.get(name)) is not kind:
            raise Unauthenticated(_BAD_TOKEN)
    methods = claims.get(_METHODS, [])
    if type(methods) is not list or not all(type(one) is str for one in methods):
        raise Unauthenticated(_BAD_TOKEN)
    salt = claims.get(_SALT, "")
    if type(salt) is not str:
        raise Unauthenticated(_BAD_TOKEN)
    known = {field: claims[name] for name, field, _ in _IDENTITY}
    return Identity(**known, methods=tuple(methods), salt=salt)


class Authenticator:
    """Turns bearer tokens into callers. One per gateway process."""

    def __init__(
        self,
        config: GatewayConfig,
        clock: Clock,
        revoked: RevokedTokens | None = None,
    ) -> None:
        if not config.token_keys:
            raise ValueError("token_keys must not be empty")
        if min(map(len, config.token_keys)) < KEY_BYTES_MIN:
            raise ValueError(f"every token key needs {KEY_BYTES_MIN} bytes or more")
        self._keys = config.token_keys
        self.leeway_ms = config.token_leeway_s * 1000
        self._clock = clock
        self.revoked = RevokedTokens(clock) if revoked is None else revoked
        self._known: OrderedDict[str, Caller] = OrderedDict()
        self._takes_demo = config.demo_tokens
        self.saw: Callable[[Identity], None] | None = None
        """Called when a token of an account is seen here for the first time."""
        self.learned: Callable[[Caller], None] | None = None
        """The same, with whom the token is for."""

    def caller(self, authorization: str | None) -> Caller | None:
        """Who an Authorization header names; None without one.

        Raises:
            Unauthenticated: there is one, and it does not hold.
        """
        if authorization is None:
            return None
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated("Send the token as: Authorization: Bearer <token>.")
        return self.verify(token.strip())

    def verify(self, token: str) -> Caller:
        """Who a token names.

        Raises:
            Unauthenticated: it is not ours, damaged, over, or revoked.
        """
        caller = self._known.get(token)
        if caller is None:
            caller = self._decode(token)
            self._known[token] = caller
            if caller.identity is not None and self.saw is not None:
                self.saw(caller.identity)
            if caller.identity is not None and self.learned is not None:
                self.learned(caller)
            if len(self._known) > _REMEMBERED_MAX:
                self._known.popitem(last=False)
        if self._clock.now() >= caller.expires + self.leeway_ms:
            self._known.pop(token, None)
            raise Unauthenticated("The token has expired; ask for a new one.")
        self.check_holds(caller)
        return caller

    def check_holds(self, caller: Caller) -> None:
        """Return unless the caller's token has been revoked since it was accepted.

        Raises:
            Unauthenticated: it has.
        """
        if self.revoked.covers(caller):
            raise Unauthenticated("The token was revoked; sign in again.")

    def _decode(self, token: str) -> Caller:
        if len(token) > _TOKEN_CHARACTERS_MAX or not _TOKEN.fullmatch(token):
            raise Unauthenticated(_BAD_TOKEN)
        for key in self._keys:
            try:
                claims = jwt.decode(
                    token,
                    key,
                    algorithms=[ALGORITHM],
                    audience=AUDIENCE,
                    issuer=ISSUER,
                    options={
                        "require": ["iss", "aud", "sub", "iat", "exp", "jti"],
                        # Time comes from the Clock port: see _caller_of and verify.
                        "verify_exp": False,
                        "verify_iat": False,
                        "verify_nbf": False,
                    },
                )
            except (jwt.PyJWTError, ValueError):
                continue
            return self._caller_of(claims)
        raise Unauthenticated(_BAD_TOKEN)

    def _caller_of(self, claims: dict[str, Any]) -> Caller:
        issued, expires = claims["iat"], claims["exp"]
        issued_ms = claims.get("iat_ms", issued * 1000 if type(issued) is int else 0)
        begins = claims.get("nbf", issued)
        role = Role.__members__.get(str(claims.get("role", "")).upper())
        now_s = self._clock.now() // 1000
        if (
            role is None
            or role.value != claims["role"]
            or not subject_fits(role, claims["sub"])
            or type(issued) is not int
            or type(expires) is not int
            or type(issued_ms) is not int
            or issued_ms // 1000 != issued
            or type(begins) is not int
            or not 0 < len(claims["jti"]) <= TOKEN_ID_CHARACTERS_MAX
            or not 0 < expires - issued <= LIFE_MAX_S
            or max(issued, begins) > now_s + self.leeway_ms // 1000
            or type(claims.get("scp", "")) is not str
        ):
            raise Unauthenticated(_BAD_TOKEN)
        identity = _identity_of(claims)
        if identity is None and not self._takes_demo:
            raise Unauthenticated("This site takes tokens of accounts only; sign in.")
        return Caller(
            role,
            claims["sub"],
            Millis(expires * 1000),
            Millis(issued_ms),
            claims["jti"],
            identity,
            tuple(claims.get("scp", "").split()[:SCOPES_MAX]),
        )
