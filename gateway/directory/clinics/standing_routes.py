"""``/v1/clinics/{clinic_id}/retire`` and ``…/reactivate``."""

from __future__ import annotations

from typing import Annotated, Self

from fastapi import Depends, Query, Request

from gateway.access.rights import Action
from gateway.directory.clinics.standing import ClinicStanding, ClinicStands
from gateway.directory.entry_routes import ClinicParam
from gateway.http.features import Answer, CallerDep, FeatureRouter
from gateway.wire.formats import minute_text

router = FeatureRouter(prefix="/v1/clinics", tags=["clinics"])

DryRun = Annotated[
    bool, Query(description="true: say what it would do, and change nothing.")
]


class VisitsAheadAnswer(Answer):
    """A doctor who is retired or reinstated along, and the visits that stay booked."""

    provider_id: str
    name: str
    visits: int
    next_start: str | None


class ClinicStandingAnswer(Answer):
    """Whether a clinic is retired; ``providers`` are those whom the request changes."""

    clinic_id: str
    retired: bool
    providers: list[VisitsAheadAnswer]

    @classmethod
    def of(cls, found: ClinicStands) -> Self:
        """The answer."""
        providers = [
            VisitsAheadAnswer(
                provider_id=one.provider_id,
                name=one.name,
                visits=one.visits,
                next_start=None
                if one.next_start is None
                else minute_text(one.next_start),
            )
            for one in found.providers
        ]
        return cls(
            clinic_id=found.clinic_id, retired=found.retired, providers=providers
        )


async def standing_of(request: Request) -> ClinicStanding:
    """This gateway's standing of clinics."""
    found: ClinicStanding = request.app.state.clinic_standing
    return found


StandingDep = Annotated[ClinicStanding, Depends(standing_of)]


@router.post(
    "/{clinic_id}/retire", right=Action.RETIRE_CLINIC, refusals=["clinic_not_found"]
)
async def retire_clinic(
    clinic_id: ClinicParam,
    caller: CallerDep,
    standing: StandingDep,
    dry_run: DryRun = False,  # noqa: FBT002 - a parameter of the query
) -> ClinicStandingAnswer:
    """Retire a clinic and its doctors: nothing is booked any more, bookings stay."""
    found = await standing.retire(caller, clinic_id, dry_run=dry_run)
    return ClinicStandingAnswer.of(found)


@router.post(
    "/{clinic_id}/reactivate",
    right=Action.REACTIVATE_CLINIC,
    refusals=["clinic_not_found"],
)
async def reactivate_clinic(
    clinic_id: ClinicParam,
    caller: CallerDep,
    standing: StandingDep,
    dry_run: DryRun = False,  # noqa: FBT002 - a parameter of the query
) -> ClinicStandingAnswer:
    """Reactivate a clinic, and the doctors who were retired along with it."""
    found = await standing.reactivate(caller, clinic_id, dry_run=dry_run)
    return ClinicStandingAnswer.of(found)
