"""Where a gateway learns the keys of people without a read, and forgets them."""

from __future__ import annotations

from base64 import urlsafe_b64decode

from actors.domain.ids import PatientId
from care.keys.ports import PersonKeys
from care.keys.sealing import SALT_BYTES
from gateway.access.revocations import RevokedTokens
from gateway.access.tokens import Authenticator, Caller


def learn_keys(
    authenticator: Authenticator, revoked: RevokedTokens, persons: PersonKeys
) -> None:
    """Learn salts from tokens as they are seen; forget people who are erased."""

    def learn(caller: Caller) -> None:
        identity, patient_id = caller.identity, caller.patient_id
        if identity is None or patient_id is None or not identity.salt:
            return
        salt = urlsafe_b64decode(identity.salt + "==")
        if len(salt) == SALT_BYTES:
            persons.learn(patient_id, salt)

    def forget(patient_id: str) -> None:
        persons.forget(PatientId(patient_id))

    authenticator.learned = learn
    revoked.erased.append(forget)
