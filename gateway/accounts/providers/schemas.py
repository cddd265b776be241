"""Bodies and answers of identity providers and linked identities."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from care.accounts.identities import LinkedIdentity
from gateway.http.features import Answer, Body
from gateway.wire.formats import millis_text


class DepartureQuery(BaseModel):
    """What a browser that leaves for a provider goes on with afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    return_to: str = Field("/", description="A path of this site to go on at.")
    language: str = Field(
        "en",
        pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$",
        description="Of the account, if it is new.",
    )
    remember: bool = Field(default=True, description="Whether a browser keeps it.")


class IdentityProviderAnswer(Answer):
    """A provider. `title` is for people; a browser goes to `/{name}/start`."""

    name: str
    title: str


class IdentityProvidersAnswer(Answer):
    """The providers of this site."""

    items: list[IdentityProviderAnswer]


class LinkBody(Body):
    """Where to go on afterwards: a path of this site."""

    model_config = ConfigDict(json_schema_extra={"example": {"return_to": "/"}})

    return_to: str = Field("/", max_length=500)


class LinkStartedAnswer(Answer):
    """Where to send the browser now; it comes back by itself."""

    url: str


class IdentityAnswer(Answer):
    """An identity. `label`: the address by which the provider knows the person."""

    identity_id: str
    provider: str
    label: str
    linked_at: str

    @classmethod
    def of(cls, identity: LinkedIdentity) -> IdentityAnswer:
        """The answer of an identity."""
        return cls(
            identity_id=identity.identity_id,
            provider=identity.provider,
            label=identity.label,
            linked_at=millis_text(identity.linked_at),
        )


class IdentitiesAnswer(Answer):
    """The identities of an account, the oldest first."""

    items: list[IdentityAnswer]
