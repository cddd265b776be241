"""Phone numbers that codes may be sent to, by Google's metadata.

Premium numbers are refused: a message to one earns money for who owns it.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from typing import Final

SMS_CODE_DIGITS: Final = 6


class InvalidPhone(Exception):
    """No code is sent to this number; the message says why, for who typed it."""


def mobile_number(text: str, countries: Collection[str] = ()) -> str:
    """A number in the form of E.164: ``+491511234567``.

    ``countries``: regions of ISO 3166 that codes are sent to; empty for all.

    Raises:
        InvalidPhone: it is none, cannot get messages, or is of another country.
    """
    # Imported here: the metadata take a moment, and few requests need them.
    import phonenumbers as numbers

    try:
        parsed = numbers.parse(text, None)
    except numbers.NumberParseException:
        raise InvalidPhone("needs its country: +49 151 1234567") from None
    if not numbers.is_valid_number(parsed):
        raise InvalidPhone("is no phone number that exists")
    kinds = numbers.PhoneNumberType
    if numbers.number_type(parsed) not in {
        kinds.MOBILE,
        kinds.FIXED_LINE_OR_MOBILE,
    }:
        raise InvalidPhone("is no mobile number")
    if countries and numbers.region_code_for_number(parsed) not in countries:
        raise InvalidPhone("is of a country that this site sends no codes to")
    return numbers.format_number(parsed, numbers.PhoneNumberFormat.E164)


def shown_number(number: str) -> str:
    """A number as it is shown to its owner before they have proved who they are."""
    return f"…{number[-3:]}"


def new_sms_code() -> str:
    """A code to send: six digits."""
    return f"{secrets.randbelow(10**SMS_CODE_DIGITS):0{SMS_CODE_DIGITS}}"
