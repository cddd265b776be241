"""Bodies and answers of factors, and how services' values become them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from care.accounts.accounts import Delivery
from care.accounts.factors.values import LABEL_CHARACTERS_MAX, Factor, FactorKind
from gateway.accounts.factors.enrolment import Enrolled, StartedPasskey, StartedTotp
from gateway.accounts.needs import FactorAwaited, SignInResult
from gateway.accounts.schemas import ContextName, DeliveryField, SignedInAnswer
from gateway.http.features import Answer, Body
from gateway.wire.formats import millis_text

Code = Annotated[
    str, Field(min_length=6, max_length=24, description="As it is shown or was sent.")
]
Credential = Annotated[
    dict[str, Any],
    Field(description="What the browser's `PublicKeyCredential.toJSON()` gives."),
]
_EXAMPLE_CREDENTIAL = {"id": "AAAA", "rawId": "AAAA", "type": "public-key"}


def _example(**fields: Any) -> ConfigDict:
    return ConfigDict(json_schema_extra={"example": {**fields}})


class CodeBody(Body):
    """A code of an authenticator app, of a message, or from paper."""

    model_config = _example(code="123456")

    code: Code


class PasskeyBody(Body):
    """A browser's answer to the options of a passkey."""

    model_config = _example(credential=_EXAMPLE_CREDENTIAL)

    credential: Credential


class PasskeyBeginBody(Body):
    """Where a sign-in by passkey keeps its refresh token, and what it acts as."""

    model_config = _example(delivery="cookie")

    context: ContextName | None = None
    delivery: DeliveryField = Delivery.COOKIE
    remember: bool = True


class PasskeySignInBody(Body):
    """The flow of `passkey/options`, and the browser's answer."""

    model_config = _example(flow="Xa8k2LqPz0Xa8k2L", credential=_EXAMPLE_CREDENTIAL)

    flow: str = Field(min_length=16, max_length=128)
    credential: Credential


class PhoneBody(Body):
    """A mobile number with its country: `+49 151 1234567`."""

    model_config = _example(phone="+4915112345678")

    phone: str = Field(min_length=5, max_length=32)


class ConfirmBody(Body):
    """The proof that a new factor works: its code, or a passkey's credential."""

    model_config = _example(code="123456", label="My phone")

    code: str = Field("", max_length=24)
    credential: Credential | None = None
    label: str = Field("", max_length=LABEL_CHARACTERS_MAX)


class FactorAwaitedAnswer(Answer):
    """The password was right: go on below `/v1/auth/flows/{flow}`.

    `second_factor`: with one of `factors`. `enrol_second_factor`: add one of them.
    `phone`: the end of the number that codes can be sent to.
    """

    status: Literal["second_factor", "enrol_second_factor"]
    flow: str
    expires_at: str
    factors: list[str]
    phone: str | None

    @classmethod
    def of(cls, awaited: FactorAwaited) -> FactorAwaitedAnswer:
        """The answer of a sign-in that waits."""
        return cls(
            status="enrol_second_factor" if awaited.is_new else "second_factor",
            flow=awaited.flow,
            expires_at=millis_text(awaited.expires_at),
            factors=[one.value for one in awaited.factors],
            phone=awaited.phone or None,
        )


class SentAnswer(Answer):
    """A code was sent."""

    status: Literal["sent"] = "sent"


class PasskeyOptionsAnswer(Answer):
    """Options for the browser: `PublicKeyCredential.parseRequestOptionsFromJSON`."""

    flow: str
    options: dict[str, Any]


class TotpStartedAnswer(Answer):
    """A key for an authenticator app; shown once. `qr_svg` is `uri` as a picture."""

    factor_id: str
    secret: str
    uri: str
    qr_svg: str

    @classmethod
    def of(cls, started: StartedTotp) -> TotpStartedAnswer:
        """The answer of a key."""
        return cls(
            factor_id=started.factor_id,
            secret=started.secret,
            uri=started.uri,
            qr_svg=started.svg,
        )


class PasskeyStartedAnswer(Answer):
    """Options for the browser: `PublicKeyCredential.parseCreationOptionsFromJSON`."""

    factor_id: str
    options: dict[str, Any]

    @classmethod
    def of(cls, started: StartedPasskey) -> PasskeyStartedAnswer:
        """The answer of options."""
        return cls(factor_id=started.factor_id, options=started.options)


class SmsStartedAnswer(Answer):
    """A code was sent to the new phone."""

    factor_id: str


class FactorAnswer(Answer):
    """A factor. `phone`: the number that codes go to, of the kind `sms`."""

    factor_id: str
    kind: str
    label: str
    phone: str | None
    created_at: str
    used_at: str | None

    @classmethod
    def of(cls, factor: Factor) -> FactorAnswer:
        """The answer of a factor; its secret stays here."""
        used = factor.used_at
        return cls(
            factor_id=factor.factor_id,
            kind=factor.kind.value,
            label=factor.label,
            phone=factor.secret if factor.kind is FactorKind.SMS else None,
            created_at=millis_text(factor.created_at),
            used_at=None if used is None else millis_text(used),
        )


class FactorsAnswer(Answer):
    """The account's factors, the oldest first."""

    items: list[FactorAnswer]
    recovery_codes_left: int
    required: bool
    """Whether a role of the account needs one."""


class EnrolledAnswer(Answer):
    """The new factor. `recovery_codes` come with the first one, and only now."""

    factor: FactorAnswer
    recovery_codes: list[str]

    @classmethod
    def of(cls, enrolled: Enrolled) -> EnrolledAnswer:
        """The answer of a factor that was added."""
        return cls(
            factor=FactorAnswer.of(enrolled.factor),
            recovery_codes=list(enrolled.codes),
        )


class EnrolledSignedInAnswer(SignedInAnswer):
    """Tokens of a sign-in that added its first factor, and its recovery codes."""

    recovery_codes: list[str]

    @classmethod
    def with_codes(
        cls, signed: SignInResult, enrolled: Enrolled, *, in_body: bool
    ) -> EnrolledSignedInAnswer:
        """The answer of both."""
        tokens = SignedInAnswer.of(signed, in_body=in_body)
        return cls(**dict(tokens), recovery_codes=list(enrolled.codes))


class RecoveryCodesAnswer(Answer):
    """Ten codes, each good once; shown only now."""

    recovery_codes: list[str]
