"""What signing in refuses with, beyond what every request can."""

from __future__ import annotations

from care.accounts.passwords import ADVICE, Weakness
from gateway.wire.errors import FieldError, InvalidRequest, RequestError


class InvalidCredentials(RequestError):
    """Address or password is wrong."""

    code = "invalid_credentials"


class SessionEnded(RequestError):
    """The session has ended; sign in again."""

    code = "session_ended"


class VerificationRequired(RequestError):
    """Confirm your e-mail address first: open the link that was sent to it."""

    code = "verification_required"


class AccountDisabled(RequestError):
    """This account is disabled; ask the site's administration."""

    code = "account_disabled"


class CrossOrigin(RequestError):
    """This address answers pages of its own site only."""

    code = "cross_origin"


class InvalidCode(RequestError):
    """The code is wrong, was used before, or is too old; take the next one."""

    code = "invalid_code"


class FlowEnded(RequestError):
    """This sign-in took too long, or too many codes were wrong: begin again."""

    code = "flow_ended"


class FactorRequired(RequestError):
    """A role of this account needs a factor: add another before you remove this one."""

    code = "factor_required"


class FactorLimit(RequestError):
    """The account has as many factors as it may, or this passkey already."""

    code = "factor_limit"


class ClientLimit(RequestError):
    """The clinic has as many API clients as it may; end one that is not used."""

    code = "api_client_limit"


class IdentityRefused(RequestError):
    """What the provider answered does not hold; begin again, or sign in otherwise."""

    code = "identity_refused"


class LinkRequired(RequestError):
    """The address has an account: sign in to it, then link the provider there."""

    code = "link_required"


class EmailMissing(RequestError):
    """The provider did not tell an e-mail address: allow it, or register with one."""

    code = "email_missing"


class IdentityTaken(RequestError):
    """Another account has this identity, or this account another one: unlink that."""

    code = "identity_taken"


class IdentityRequired(RequestError):
    """You could not sign in any more: set a password or link another provider first."""

    code = "identity_required"


class LinkExpired(RequestError):
    """The link was used or has expired; ask for a new one."""

    code = "link_expired"


class PasswordRefused(InvalidRequest):
    """The password is refused; the field's message begins with the reason's word."""

    code = "password_refused"


def password_refused(weakness: Weakness) -> PasswordRefused:
    """The refusal of a weak password, with what to do."""
    message = f"{weakness.value}: it {ADVICE[weakness]}"
    detail = f"The password {ADVICE[weakness]}."
    return PasswordRefused(detail, FieldError("password", message))
