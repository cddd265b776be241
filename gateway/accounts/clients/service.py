"""API clients of clinics, and the tokens that they get for their secrets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from actors.domain.ids import ClinicId, Millis
from care.accounts.accounts import ACCESS_MS, DAY_MS
from care.accounts.clients import OVERLAP_MS, ApiClient, ClientId
from care.accounts.ids import SessionId
from gateway.access.rights import NEEDS_ACCOUNT, PERMISSIONS, Action, Relation
from gateway.access.tokens import Caller, Identity, Role, issue_access_token
from gateway.accounts.needs import AuthNeeds
from gateway.accounts.refusals import ClientLimit
from gateway.accounts.service import SignIn
from gateway.wire.errors import FieldError, InvalidRequest, NotFound

SCOPES: Final = tuple(
    action.value
    for action in Action
    if action not in NEEDS_ACCOUNT
    and PERMISSIONS[action, Role.SERVICE, Relation.OWN].allows
)
"""What a client may be allowed: actions that a service may do at its clinic."""
NOT_PROVED: Final = 0
"""The level of a program: no person has proved anything."""


class NewClient(Struct, frozen=True):
    """A client and its secret, which is shown once."""

    client: ApiClient
    secret: str


class ClientToken(Struct, frozen=True):
    """An access token of a client."""

    access: str
    expires_in_s: int
    scopes: Sequence[str]


class ScopeRefused(Exception):
    """A client asked for a scope that it does not have."""


class ApiClientService:
    """Makes, rotates and ends clients, and gives them tokens. One per gateway."""

    def __init__(self, needs: AuthNeeds, sign_in: SignIn) -> None:
        self._it = needs
        self._sign_in = sign_in
        self._clients = needs.stores.clients

    async def of_clinic(self, clinic_id: ClinicId) -> Sequence[ApiClient]:
        """A clinic's clients, the oldest first."""
        return await self._clients.of_clinic(clinic_id)

    async def make(
        self,
        clinic_id: ClinicId,
        made_by: str,
        name: str,
        scopes: Sequence[str],
        days: int,
    ) -> NewClient:
        """Make a client that lives for these days.

        Raises:
            InvalidRequest: a scope is none that a client can have.
            ClientLimit: the clinic has too many.
        """
        for scope in scopes:
            if scope not in SCOPES:
                message = f"has {scope!r}; take from: {', '.join(SCOPES)}"
                raise InvalidRequest("", FieldError("scopes", message))
        now, secret = self._it.clock.now(), self._it.random.secret()
        client = ApiClient(
            client_id=ClientId(self._it.random.id("cli")),
            clinic_id=clinic_id,
            name=name,
            scopes=tuple(dict.fromkeys(scopes)),
            created_by=made_by,
            created_at=now,
            expires_at=Millis(now + days * DAY_MS),
        )
        if not await self._clients.add(client, secret):
            raise ClientLimit
        return NewClient(client, secret)

    async def rotate(
        self, clinic_id: ClinicId, client_id: ClientId, *, at_once: bool
    ) -> NewClient:
        """A new secret; the one before works for a day, or not any more.

        Raises:
            NotFound: the clinic has no such client.
        """
        now, secret = self._it.clock.now(), self._it.random.secret()
        old_until = Millis(now if at_once else now + OVERLAP_MS)
        client = await self._clients.rotate(
            clinic_id, client_id, secret, old_until=old_until, now=now
        )
        if client is None:
            raise NotFound(code="api_client_not_found")
        return NewClient(client, secret)

    async def revoke(self, clinic_id: ClinicId, client_id: ClientId) -> None:
        """End a client: its tokens are refused everywhere within a second.

        Its tokens end first: if either step fails, repeating it does both.

        Raises:
            NotFound: the clinic has no such client.
        """
        now = self._it.clock.now()
        living = await self._clients.of_clinic(clinic_id)
        if client_id not in {one.client_id for one in living}:
            raise NotFound(code="api_client_not_found")
        await self._sign_in.revoke_tokens_of(SessionId(client_id))
        if not await self._clients.revoke(clinic_id, client_id, now=now):
            raise NotFound(code="api_client_not_found")

    async def token(
        self, client_id: ClientId, secret: str, scopes: Sequence[str]
    ) -> tuple[ApiClient, ClientToken] | None:
        """A token of the client whose secret this is; None if there is none.

        ``scopes`` are those that it asks for; empty for all that it has.

        Raises:
            ScopeRefused: it does not have one of them.
        """
        now = self._it.clock.now()
        client = await self._clients.proved(client_id, secret, now=now)
        if client is None:
            return None
        if not set(scopes) <= set(client.scopes):
            raise ScopeRefused
        granted = tuple(scopes) or client.scopes
        until = min(now + ACCESS_MS, client.expires_at)
        expires_at = Millis(until // 1000 * 1000)
        identity = Identity(
            account=client_id,
            session=client_id,
            grant=client_id,
            generation=0,
            level=NOT_PROVED,
            proved_at=now,
        )
        caller = Caller(
            Role.SERVICE,
            client.clinic_id,
            expires_at,
            now,
            self._it.random.id("tok"),
            identity,
            granted,
        )
        access = issue_access_token(self._it.keys[0], caller)
        return client, ClientToken(access, (expires_at - now) // 1000, granted)
