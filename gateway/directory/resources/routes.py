"""``/v1/clinics/{clinic_id}/resources``: a clinic's rooms and equipment."""

from __future__ import annotations

from typing import Annotated, Self

from fastapi import Depends, Path, Request
from pydantic import ConfigDict, Field, StringConstraints

from actors.domain.calendar.validation import NAME_MAX, TAG_MAX, TAGS_MAX
from actors.domain.rules import ResourceKind
from gateway.access.rights import Action
from gateway.directory.entry_routes import ClinicParam
from gateway.directory.resources.service import (
    ClinicResources,
    ListedResource,
    ResourceText,
)
from gateway.directory.schemas import TEXT
from gateway.http.features import Answer, Body, CallerDep, FeatureRouter
from gateway.http.idempotency import KeyHeader

router = FeatureRouter(prefix="/v1/clinics/{clinic_id}/resources", tags=["clinics"])

ResourceParam = Annotated[
    str, Path(description="Which room or piece of equipment.", max_length=100)
]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=TAG_MAX, pattern=TEXT)]


class ResourceBody(Body):
    """What is said of a room or piece of equipment; ``tags``: what it is fit for."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"name": "Room 2", "tags": ["ultrasound"]}}
    )

    name: Annotated[
        str, StringConstraints(min_length=1, max_length=NAME_MAX, pattern=TEXT)
    ]
    tags: Annotated[list[Tag], Field(max_length=TAGS_MAX)] = Field(default_factory=list)

    def text(self) -> ResourceText:
        """The value that is compared and stored."""
        return ResourceText(self.name, tuple(dict.fromkeys(self.tags)))


class NewResourceBody(ResourceBody):
    """A room or piece of equipment to be added; its kind stays."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"kind": "room", "name": "Room 2", "tags": ["ultrasound"]}
        }
    )

    kind: ResourceKind


class ResourceAnswer(Answer):
    """A room or piece of equipment.

    Its id is that of a calendar: hours, time off and retiring have the routes of
    providers.
    """

    resource_id: str
    kind: ResourceKind
    name: str
    tags: list[str]
    retired: bool

    @classmethod
    def of(cls, found: ListedResource) -> Self:
        """The answer."""
        return cls(
            resource_id=found.resource_id,
            kind=found.kind,
            name=found.text.name,
            tags=list(found.text.tags),
            retired=found.retired,
        )


class ResourceList(Answer):
    """All rooms of a clinic by name, then its equipment, retired ones included."""

    items: list[ResourceAnswer]


async def resources_of(request: Request) -> ClinicResources:
    """This gateway's rooms and equipment."""
    found: ClinicResources = request.app.state.services.resources
    return found


ResourcesDep = Annotated[ClinicResources, Depends(resources_of)]


@router.get("", right=Action.READ_RESOURCES, refusals=["clinic_not_found"])
async def list_resources(
    clinic_id: ClinicParam, resources: ResourcesDep
) -> ResourceList:
    """A clinic's rooms and equipment, for its people."""
    found = await resources.listed(clinic_id)
    return ResourceList(items=[ResourceAnswer.of(one) for one in found])


@router.post(
    "",
    right=Action.MANAGE_RESOURCES,
    status_code=201,
    refusals=["clinic_not_found", "clinic_retired"],
)
async def add_resource(
    clinic_id: ClinicParam,
    body: NewResourceBody,
    caller: CallerDep,
    resources: ResourcesDep,
    key: KeyHeader = None,
) -> ResourceAnswer:
    """Add a room or a piece of equipment. Without hours no visit takes it."""
    made = await resources.add(caller, key, clinic_id, body.kind, body.text())
    return ResourceAnswer.of(made)


@router.put(
    "/{resource_id}",
    right=Action.MANAGE_RESOURCES,
    refusals=["provider_not_found", "version_behind"],
)
async def put_resource(
    clinic_id: ClinicParam,
    resource_id: ResourceParam,
    body: ResourceBody,
    caller: CallerDep,
    resources: ResourcesDep,
) -> ResourceAnswer:
    """Rename a room or a piece of equipment, or replace its tags."""
    made = await resources.change(caller, clinic_id, resource_id, body.text())
    return ResourceAnswer.of(made)
