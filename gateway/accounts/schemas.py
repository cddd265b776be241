"""Bodies and answers of accounts, and how services' values become them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from care.accounts.accounts import Account, Delivery, Session, SignInContext
from gateway.accounts.needs import SignInResult
from gateway.http.features import Answer, Body
from gateway.wire.formats import millis_text

Email = Annotated[str, Field(min_length=3, max_length=254, description="An address.")]
Password = Annotated[
    str,
    StringConstraints(strip_whitespace=False, min_length=1),
    Field(description="8 characters or more; spaces count."),
]
LinkToken = Annotated[
    str, Field(min_length=16, max_length=128, description="From the link of a mail.")
]
ContextName = Annotated[
    str,
    Field(max_length=200, description="Role and subject, like `patient pat_1`."),
]
DeliveryField = Annotated[
    Delivery,
    Field(description="Where the refresh token goes: pages take a cookie."),
]
_EXAMPLE_EMAIL = "mira@example.org"
_EXAMPLE_PASSWORD = "violet kettle runs"  # noqa: S105 - an example
_EXAMPLE_TOKEN = "Xa8k2LqPz0Xa8k2LqPz0Xa8k2LqPz0"  # noqa: S105 - an example


def _example(**fields: str | bool) -> ConfigDict:
    return ConfigDict(json_schema_extra={"example": {**fields}})


class RegisterBody(Body):
    """Someone who registers. ``terms``: they accept the site's terms."""

    model_config = _example(
        email=_EXAMPLE_EMAIL, password=_EXAMPLE_PASSWORD, language="en", terms=True
    )

    email: Email
    password: Password
    language: str = Field("en", pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$")
    terms: Literal[True]


class VerifyEmailBody(Body):
    """The token of a confirming mail."""

    model_config = _example(token=_EXAMPLE_TOKEN)

    token: LinkToken


class LoginBody(Body):
    """Address and password. ``remember`` false: until the browser is closed."""

    model_config = _example(
        email=_EXAMPLE_EMAIL, password=_EXAMPLE_PASSWORD, delivery="cookie"
    )

    email: Email
    password: Password
    context: ContextName | None = None
    delivery: DeliveryField = Delivery.COOKIE
    remember: bool = True


class RefreshBody(Body):
    """``active``: whether the person did anything since the last refresh."""

    model_config = _example(active=True)

    active: bool
    context: ContextName | None = None
    refresh_token: str | None = Field(
        None, max_length=200, description="Of programs; pages have the cookie."
    )


class ContextBody(Body):
    """The context to act in from now on."""

    model_config = _example(context="patient pat_1")

    context: ContextName


class LogoutBody(Body):
    """``everywhere``: on all devices. Programs give their refresh token."""

    model_config = _example(everywhere=False)

    everywhere: bool = False
    refresh_token: str | None = Field(None, max_length=200)


class ReauthenticateBody(Body):
    """The caller's password once more, or a code of their authenticator app."""

    model_config = _example(password=_EXAMPLE_PASSWORD)

    password: Password | None = None
    code: str | None = Field(None, min_length=6, max_length=24)

    @model_validator(mode="after")
    def _one_of_them(self) -> ReauthenticateBody:
        if (self.password is None) == (self.code is None):
            raise ValueError("send either password or code")
        return self


class EmailChangeBody(Body):
    """The new address."""

    model_config = _example(email="mira.new@example.org")

    email: Email


class ForgotBody(Body):
    """Where to send the link for a new password."""

    model_config = _example(email=_EXAMPLE_EMAIL)

    email: Email


class ResetBody(Body):
    """The token of the mail, and the new password."""

    model_config = _example(token=_EXAMPLE_TOKEN, password=_EXAMPLE_PASSWORD)

    token: LinkToken
    password: Password


class ChangeBody(Body):
    """The new password."""

    model_config = _example(password=_EXAMPLE_PASSWORD)

    password: Password


class DemoBody(Body):
    """Whom to be on a demo site."""

    model_config = _example(persona="patient")

    persona: Literal[
        "patient",
        "guardian",
        "doctor",
        "staff",
        "clinic_admin",
        "admin",
        "auditor",
    ]
    delivery: DeliveryField = Delivery.COOKIE


class ContextAnswer(Answer):
    """A role of the account, for one subject."""

    role: str
    subject: str
    clinic_id: str | None

    @classmethod
    def of(cls, context: SignInContext) -> ContextAnswer:
        """The answer of a context."""
        return cls(
            role=context.role,
            subject=context.subject,
            clinic_id=context.clinic_id or None,
        )


class SignedInAnswer(Answer):
    """Tokens. ``refresh_token`` is null where a cookie has it, or it is unchanged."""

    status: Literal["signed_in"] = "signed_in"
    access_token: str
    expires_at: str
    context: ContextAnswer
    contexts: list[ContextAnswer]
    refresh_token: str | None

    @classmethod
    def of(cls, signed: SignInResult, *, in_body: bool) -> SignedInAnswer:
        """The answer of what a client gets."""
        return cls(
            access_token=signed.access,
            expires_at=millis_text(signed.expires_at),
            context=ContextAnswer.of(signed.context),
            contexts=[ContextAnswer.of(one) for one in signed.contexts],
            refresh_token=signed.refresh if in_body and signed.refresh else None,
        )


class AcceptedAnswer(Answer):
    """The same whatever becomes of the request: a mail tells its recipient."""

    status: Literal["accepted"] = "accepted"


class VerifiedAnswer(Answer):
    """The address is confirmed; sign in."""

    status: Literal["verified"] = "verified"


class SessionAnswer(Answer):
    """A signed-in device. ``current``: the one that asks."""

    session_id: str
    agent: str
    created_at: str
    active_at: str
    expires_at: str
    current: bool

    @classmethod
    def of(cls, session: Session, current: str) -> SessionAnswer:
        """The answer of a session."""
        return cls(
            session_id=session.session_id,
            agent=session.agent,
            created_at=millis_text(session.created_at),
            active_at=millis_text(session.active_at),
            expires_at=millis_text(session.ends_at),
            current=session.session_id == current,
        )


class SessionsAnswer(Answer):
    """The open sessions of an account, the newest first; at most 100."""

    items: list[SessionAnswer]


class SettingsAnswer(Answer):
    """What the person chose."""

    language: str


class MeAnswer(Answer):
    """The caller's account, what it can act as, and as what it does just now."""

    account_id: str
    email: str
    status: str
    created_at: str
    context: ContextAnswer
    contexts: list[ContextAnswer]
    settings: SettingsAnswer

    @classmethod
    def of(
        cls, account: Account, context: SignInContext, contexts: list[SignInContext]
    ) -> MeAnswer:
        """The answer of an account."""
        return cls(
            account_id=account.account_id,
            email=account.email,
            status=account.status.value,
            created_at=millis_text(account.created_at),
            context=ContextAnswer.of(context),
            contexts=[ContextAnswer.of(one) for one in contexts],
            settings=SettingsAnswer(language=account.language),
        )


class DemoMessageAnswer(Answer):
    """A message that a demo site sent, or is about to."""

    message_id: str
    channel: str
    kind: str
    recipient: str
    subject: str
    text: str
    html: str = Field(description="The same as a page; empty if there is none.")
    calendar: str = Field(
        description="A file for calendar programs; empty if there is none."
    )
    status: str = Field(description="sent, delivered, failed, superseded; else empty.")
    created_at: str
    sent_at: str | None


class DemoMessagesAnswer(Answer):
    """The newest messages, the newest first."""

    items: list[DemoMessageAnswer]
