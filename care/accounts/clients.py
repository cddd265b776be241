"""API clients: programs of a clinic, which sign in with a secret of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NewType, Protocol

from msgspec import Struct

from actors.domain.ids import ClinicId, Millis
from care.accounts.accounts import DAY_MS

ClientId = NewType("ClientId", str)

CLIENTS_MAX: Final = 50
"""Living clients of one clinic."""
LIFE_DAYS_MAX: Final = 730
"""How long a client lives at most; then it is replaced by another."""
OVERLAP_MS: Final = DAY_MS
"""How long the secret before works once it was replaced."""


class ApiClient(Struct, frozen=True):
    """A program of a clinic. ``scopes`` are actions of the table of rights.

    ``old_until``: the secret before the present one works until then.
    """

    client_id: ClientId
    clinic_id: ClinicId
    name: str
    scopes: tuple[str, ...]
    created_by: str
    created_at: Millis
    expires_at: Millis
    old_until: Millis | None = None
    used_at: Millis | None = None
    revoked_at: Millis | None = None


class ApiClients(Protocol):
    """API clients; the store keeps hashes of their secrets alone.

    Every method may raise Unavailable.
    """

    async def add(self, client: ApiClient, secret: str) -> bool:
        """Store a client; False if its clinic has too many."""
        ...

    async def of_clinic(self, clinic_id: ClinicId) -> Sequence[ApiClient]:
        """A clinic's clients that were not revoked, the oldest first."""
        ...

    async def rotate(
        self,
        clinic_id: ClinicId,
        client_id: ClientId,
        secret: str,
        *,
        old_until: Millis,
        now: Millis,
    ) -> ApiClient | None:
        """Replace the secret; None if the clinic has no such client.

        The one before works until ``old_until``; one before that not any more.
        """
        ...

    async def revoke(
        self, clinic_id: ClinicId, client_id: ClientId, *, now: Millis
    ) -> bool:
        """End a client; False if the clinic has none with this id."""
        ...

    async def proved(
        self, client_id: ClientId, secret: str, *, now: Millis
    ) -> ApiClient | None:
        """The client whose secret this is; None if it is not, or the client ended."""
        ...
