"""E-mail addresses: which are accepted, and by what two are the same."""

from __future__ import annotations

from email_validator import EmailNotValidError, validate_email


class InvalidAddress(Exception):
    """This is no e-mail address; the message says why, for the person who typed it."""


def written_address(text: str) -> str:
    """An address as mail is sent to it.

    Nothing is looked up in the network: whether it exists, the confirming mail shows.

    Raises:
        InvalidAddress: no mail could be sent to it.
    """
    try:
        return validate_email(text, check_deliverability=False).normalized
    except EmailNotValidError as error:
        raise InvalidAddress(str(error)) from None


def compared_address(address: str) -> str:
    """What a written address is found by: one person has one account.

    RFC 5321 lets a server tell upper from lower case; no provider does, and a person
    types either.
    """
    return address.casefold()
