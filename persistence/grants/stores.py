"""All stores of grants, over the same records."""

from __future__ import annotations

from care.grants.ports import GrantStores
from persistence.grants.applications import SqlDoctorApplications
from persistence.grants.guardians import SqlGlasses, SqlGuardianships
from persistence.grants.members import (
    SqlClinicOptions,
    SqlInvitations,
    SqlMemberships,
)
from persistence.grants.platform import SqlPlatform
from persistence.grants.suspensions import SqlSuspensions
from persistence.keys.ring import KeyRing
from persistence.sql.records import Records


def grant_stores(records: Records, ring: KeyRing) -> GrantStores:
    """The stores of a site's grants."""
    return GrantStores(
        memberships=SqlMemberships(records, ring),
        invitations=SqlInvitations(records, ring),
        guardianships=SqlGuardianships(records, ring),
        glasses=SqlGlasses(records, ring),
        platform=SqlPlatform(records, ring),
        options=SqlClinicOptions(records),
        applications=SqlDoctorApplications(records, ring),
        suspensions=SqlSuspensions(records, ring),
    )
