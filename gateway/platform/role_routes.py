"""``/v1/roles``: the roles, and what each may do: the table of rights as data."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from gateway.access.rights import OF, PERMISSIONS, Action, Relation
from gateway.access.tokens import Role
from gateway.http.features import Answer, FeatureRouter

router = FeatureRouter(prefix="/v1/roles", tags=["platform"])

DESCRIPTIONS: Final = {
    Role.PATIENT: "Books visits for themself.",
    Role.GUARDIAN: "Acts for a dependant, as far as the guardianship's scope goes.",
    Role.DOCTOR: "Has a calendar at one clinic; sees patients whom the clinic knows.",
    Role.STAFF: "Works at a clinic's reception: its calendars, its patients.",
    Role.CLINIC_ADMIN: "Administers one clinic: its record, members and doctors.",
    Role.ADMIN: "Administers the platform; no patients but by emergency access.",
    Role.AUDITOR: "Reads the audit trail of a tenant, and reviews emergency access.",
    Role.SERVICE: "A program of a clinic, within the scopes it was given.",
}


class RightAnswer(Answer):
    """What a role may do on what is its own, and on anything else.

    ``no`` is answered with 403, ``hide`` with 404.
    """

    action: str
    of: str = Field(description="What the action is done to.")
    own: str = Field(
        description="yes, no, hide, not_confidential (yes, but for confidential "
        "bookings), second_factor (yes, with two factors), fresh (yes, soon after a "
        "proof of identity) or both."
    )
    other: str


class RoleAnswer(Answer):
    """A role. Roles are assigned; what each may do is fixed."""

    role: str
    description: str
    rights: list[RightAnswer]


class RolesAnswer(Answer):
    """All roles."""

    items: list[RoleAnswer]


@router.get("", right=Action.READ_ROLES)
async def list_roles() -> RolesAnswer:
    """All roles, and what each of them may do."""
    return RolesAnswer(items=[_role(role) for role in Role])


def _role(role: Role) -> RoleAnswer:
    rights = [
        RightAnswer(
            action=action.value,
            of=of.value,
            own=PERMISSIONS[action, role, Relation.OWN].name.lower(),
            other=PERMISSIONS[action, role, Relation.OTHER].name.lower(),
        )
        for action, of in OF.items()
    ]
    return RoleAnswer(role=role.value, description=DESCRIPTIONS[role], rights=rights)
