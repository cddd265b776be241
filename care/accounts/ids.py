"""Ids of people: random, so that none can be guessed from another.

``acc_`` an account, ``ses_`` a session, ``mem_`` a membership, ``msg_`` a message that
goes out, ``pat_`` a patient (``actors.domain.ids.PatientId``).
"""

from __future__ import annotations

from typing import Final, NewType

AccountId = NewType("AccountId", str)
SessionId = NewType("SessionId", str)

RANDOM_BYTES: Final = 12
"""96 bits: ids of people must not be found by trying."""
