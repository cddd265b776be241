"""``/v1/clinics/{clinic_id}/api-clients``: a clinic's programs."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Response
from pydantic import ConfigDict, Field

from actors.domain.ids import ClinicId
from care.accounts.clients import LIFE_DAYS_MAX, ApiClient, ClientId
from gateway.access.rights import Action
from gateway.accounts.answers import AuthDep
from gateway.accounts.clients.service import NewClient
from gateway.http.features import Answer, Body, CallerDep, FeatureRouter
from gateway.wire.formats import millis_text

router = FeatureRouter(prefix="/v1/clinics", tags=["auth"])

ClinicPath = Annotated[str, Path(max_length=100, description="Which clinic.")]
ClientPath = Annotated[str, Path(max_length=100, description="Which client.")]


class ApiClientBody(Body):
    """A new client. `scopes`: what it may do, of what a service may."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "Patient portal",
                "scopes": ["read_slots", "book"],
                "days": 365,
            }
        }
    )

    name: str = Field(min_length=1, max_length=100)
    scopes: list[str] = Field(min_length=1, max_length=50)
    days: int = Field(365, ge=1, le=LIFE_DAYS_MAX)


class RotateBody(Body):
    """`at_once`: the secret before stops working now, not in a day."""

    model_config = ConfigDict(json_schema_extra={"example": {"at_once": False}})

    at_once: bool = False


class ApiClientAnswer(Answer):
    """A client. `old_secret_until`: the secret before works until then."""

    client_id: str
    name: str
    scopes: list[str]
    created_by: str
    created_at: str
    expires_at: str
    used_at: str | None
    old_secret_until: str | None

    @classmethod
    def of(cls, client: ApiClient) -> ApiClientAnswer:
        """The answer of a client."""
        used, old = client.used_at, client.old_until
        return cls(
            client_id=client.client_id,
            name=client.name,
            scopes=list(client.scopes),
            created_by=client.created_by,
            created_at=millis_text(client.created_at),
            expires_at=millis_text(client.expires_at),
            used_at=None if used is None else millis_text(used),
            old_secret_until=None if old is None else millis_text(old),
        )


class NewApiClientAnswer(Answer):
    """A client and its secret, shown only now."""

    client: ApiClientAnswer
    client_secret: str

    @classmethod
    def of(cls, made: NewClient) -> NewApiClientAnswer:
        """The answer of a client with a new secret."""
        return cls(client=ApiClientAnswer.of(made.client), client_secret=made.secret)


class ApiClientsAnswer(Answer):
    """A clinic's clients, the oldest first; at most 50."""

    items: list[ApiClientAnswer]


@router.get("/{clinic_id}/api-clients", right=Action.READ_API_CLIENTS)
async def list_api_clients(clinic_id: ClinicPath, auth: AuthDep) -> ApiClientsAnswer:
    """The clinic's API clients; their secrets are not shown again."""
    found = await auth.clients.of_clinic(ClinicId(clinic_id))
    return ApiClientsAnswer(items=[ApiClientAnswer.of(one) for one in found])


@router.post(
    "/{clinic_id}/api-clients",
    right=Action.MANAGE_API_CLIENTS,
    idempotent=False,
    status_code=201,
    refusals=["api_client_limit"],
)
async def make_api_client(
    clinic_id: ClinicPath,
    response: Response,
    body: ApiClientBody,
    caller: CallerDep,
    auth: AuthDep,
) -> NewApiClientAnswer:
    """Make an API client, which gets tokens at `/v1/oauth/token` for its secret."""
    response.headers["cache-control"] = "no-store"
    made = await auth.clients.make(
        ClinicId(clinic_id), caller.account, body.name, body.scopes, body.days
    )
    return NewApiClientAnswer.of(made)


@router.post(
    "/{clinic_id}/api-clients/{client_id}/rotate",
    right=Action.MANAGE_API_CLIENTS,
    idempotent=False,
    refusals=["api_client_not_found"],
)
async def rotate_api_client(
    clinic_id: ClinicPath,
    client_id: ClientPath,
    response: Response,
    body: RotateBody,
    auth: AuthDep,
) -> NewApiClientAnswer:
    """A new secret of an API client; the one before works for a day yet."""
    response.headers["cache-control"] = "no-store"
    made = await auth.clients.rotate(
        ClinicId(clinic_id), ClientId(client_id), at_once=body.at_once
    )
    return NewApiClientAnswer.of(made)


@router.delete(
    "/{clinic_id}/api-clients/{client_id}",
    right=Action.MANAGE_API_CLIENTS,
    status_code=204,
    refusals=["api_client_not_found"],
)
async def revoke_api_client(
    clinic_id: ClinicPath, client_id: ClientPath, auth: AuthDep
) -> None:
    """End an API client: its tokens are refused within a second."""
    await auth.clients.revoke(ClinicId(clinic_id), ClientId(client_id))
