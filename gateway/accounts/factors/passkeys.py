"""WebAuthn: what browsers are asked, and whether their answers hold.

User verification is required, so that a passkey counts as both factors: the device has
checked its owner. The library compares challenge, origin, RP id and signature; whose
passkey it is, is compared here.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec import json

from care.accounts.factors.values import Factor, FactorKind
from gateway.accounts.refusals import InvalidCredentials

RP_NAME: Final = "Slotcast"
CHALLENGE_BYTES: Final = 32
USER_HANDLE_BYTES: Final = 32
CREDENTIAL_BYTES_MAX: Final = 1023
"""WebAuthn level 3, section 4."""
_TIMEOUT_MS: Final = 300_000


@dataclass(frozen=True)
class NewPasskey:
    """A passkey whose registration holds."""

    credential: bytes
    public_key: bytes
    sign_count: int


class Passkeys:
    """One site's: the RP id is the host of its address, without the port."""

    def __init__(self, site_url: str) -> None:
        parts = urlsplit(site_url)
        self.rp_id = parts.hostname or "localhost"
        self.origin = f"{parts.scheme}://{parts.netloc}".lower()

    async def ready(self) -> None:
        """Load the library, once: it takes a moment, which requests must not wait."""
        await asyncio.to_thread(import_module, "webauthn")

    def registration(
        self, challenge: bytes, user_handle: bytes, name: str, known: Sequence[Factor]
    ) -> dict[str, Any]:
        """Options for ``navigator.credentials.create``; ``known`` are left out."""
        from webauthn import generate_registration_options, options_to_json
        from webauthn.helpers.structs import (
            AuthenticatorSelectionCriteria,
            ResidentKeyRequirement,
            UserVerificationRequirement,
        )

        options = generate_registration_options(
            rp_id=self.rp_id,
            rp_name=RP_NAME,
            user_name=name,
            user_id=user_handle,
            challenge=challenge,
            timeout=_TIMEOUT_MS,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=_descriptors(known),
        )
        return _decoded(options_to_json(options))

    def authentication(
        self, challenge: bytes, known: Sequence[Factor] = ()
    ) -> dict[str, Any]:
        """Options for ``navigator.credentials.get``; without ``known`` any may come."""
        from webauthn import generate_authentication_options, options_to_json
        from webauthn.helpers.structs import UserVerificationRequirement

        options = generate_authentication_options(
            rp_id=self.rp_id,
            challenge=challenge,
            timeout=_TIMEOUT_MS,
            allow_credentials=_descriptors(known),
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return _decoded(options_to_json(options))

    def registered(self, answer: dict[str, Any], challenge: bytes) -> NewPasskey:
        """The passkey that a browser has made.

        Raises:
            InvalidCredentials: the answer does not hold.
        """
        from webauthn import verify_registration_response

        try:
            made = verify_registration_response(
                credential=answer,
                expected_challenge=challenge,
                expected_rp_id=self.rp_id,
                expected_origin=self.origin,
                require_user_verification=True,
            )
        except _damaged() as error:
            raise _refused() from error
        if len(made.credential_id) > CREDENTIAL_BYTES_MAX:
            raise _refused()
        return NewPasskey(
            made.credential_id, made.credential_public_key, made.sign_count
        )

    def proved(
        self,
        answer: dict[str, Any],
        challenge: bytes,
        factor: Factor,
        *,
        is_nameless: bool = False,
    ) -> int:
        """The count of signatures of an answer that this passkey has signed.

        ``is_nameless``: nothing but the passkey says whose sign-in it is, so that it
        must name the account (WebAuthn level 3, section 7.2, step 6).

        Raises:
            InvalidCredentials: it has not, or names another account.
        """
        from webauthn import verify_authentication_response

        try:
            found = verify_authentication_response(
                credential=answer,
                expected_challenge=challenge,
                expected_rp_id=self.rp_id,
                expected_origin=self.origin,
                credential_public_key=factor.public_key,
                credential_current_sign_count=factor.sign_count,
                require_user_verification=True,
            )
            named = _handle_of(answer)
        except _damaged() as error:
            raise _refused() from error
        # The library does not: a passkey that names another account proves neither.
        if not self.names(named, factor, is_nameless=is_nameless):
            raise _refused()
        return found.new_sign_count

    @staticmethod
    def names(handle: bytes, factor: Factor, *, is_nameless: bool) -> bool:
        """Whether a user handle is that of the passkey's account."""
        return handle == factor.user_handle or (not handle and not is_nameless)


def _damaged() -> tuple[type[Exception], ...]:
    """What the library raises for answers that do not hold, or are none."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from webauthn.helpers.exceptions import WebAuthnException

    return (
        WebAuthnException,
        UnsupportedAlgorithm,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        struct.error,
    )


def _handle_of(answer: dict[str, Any]) -> bytes:
    from webauthn.helpers import base64url_to_bytes

    handle = answer["response"].get("userHandle")
    return base64url_to_bytes(handle) if handle else b""


def credential_of(answer: dict[str, Any]) -> bytes:
    """The id of the passkey that a browser's answer names; empty if it is none."""
    from webauthn.helpers import base64url_to_bytes

    try:
        return base64url_to_bytes(str(answer["id"]))
    except (KeyError, ValueError):
        return b""


def _refused() -> InvalidCredentials:
    return InvalidCredentials("The passkey does not hold; begin again.")


def _descriptors(known: Sequence[Factor]) -> list[Any]:
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor

    return [
        PublicKeyCredentialDescriptor(id=one.credential)
        for one in known
        if one.kind is FactorKind.PASSKEY
    ]


def _decoded(text: str) -> dict[str, Any]:
    return json.decode(text, type=dict[str, Any])
