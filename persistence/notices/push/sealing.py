"""Seals a message for one browser: RFC 8291 over RFC 8188, in one record."""

from __future__ import annotations

import secrets
from struct import pack
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDH,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from care.notices.push import PushSubscription, decoded

RECORD_BYTES: Final = 4_096
PLAIN_BYTES_MAX: Final = 3_993
"""What a push service must take (RFC 8030) leaves this much beside keys and tag."""
_SALT_BYTES: Final = 16
_LAST: Final = b"\x02"


def sealed(subscription: PushSubscription, plain: bytes) -> bytes:
    """The body of a request (``aes128gcm``).

    Raises:
        ValueError: the subscription's keys are none, or the text is too long.
    """
    if len(plain) > PLAIN_BYTES_MAX:
        raise ValueError(f"more than {PLAIN_BYTES_MAX} bytes")
    theirs, secret = decoded(subscription.p256dh), decoded(subscription.auth)
    browser = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), theirs)
    key = generate_private_key(SECP256R1())
    ours = public_point(key)
    shared = key.exchange(ECDH(), browser)
    material = _derived(secret, shared, b"WebPush: info\0" + theirs + ours, 32)
    salt = secrets.token_bytes(_SALT_BYTES)
    content_key = _derived(salt, material, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _derived(salt, material, b"Content-Encoding: nonce\0", 12)
    head = salt + pack(">LB", RECORD_BYTES, len(ours)) + ours
    return head + AESGCM(content_key).encrypt(nonce, plain + _LAST, None)


def public_point(key: EllipticCurvePrivateKey) -> bytes:
    """The public key of a pair, uncompressed."""
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _derived(salt: bytes, material: bytes, info: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt, info).derive(material)
