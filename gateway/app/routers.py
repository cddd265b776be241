"""Routers of ordinary features, and the stores that each needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gateway.accounts.clients.client_routes import router as client_router
from gateway.accounts.clients.token_route import router as token_router
from gateway.accounts.demo_routes import router as demo_router
from gateway.accounts.factors.factor_routes import router as factor_router
from gateway.accounts.factors.flow_routes import router as flow_router
from gateway.accounts.providers.identity_routes import router as identity_router
from gateway.accounts.providers.provider_routes import router as oidc_router
from gateway.accounts.routes import router as auth_router
from gateway.accounts.session_routes import router as session_router
from gateway.bookings.series.routes import of_provider_router as provider_series_router
from gateway.bookings.series.routes import router as series_router
from gateway.config import GatewayConfig, GatewayPorts
from gateway.directory.clinics.standing_routes import router as clinic_standing_router
from gateway.directory.entry_routes import router as entry_router
from gateway.directory.photo_routes import router as photo_router
from gateway.directory.profile_routes import router as profile_router
from gateway.directory.resources.routes import router as resource_router
from gateway.directory.reviews.routes import router as review_router
from gateway.directory.specialty_routes import router as specialty_router
from gateway.directory.symptoms.routes import router as symptom_router
from gateway.grants.application_by_id_routes import router as application_by_id_router
from gateway.grants.application_routes import router as application_router
from gateway.grants.glass_routes import router as glass_router
from gateway.grants.guardian_routes import router as guardian_router
from gateway.grants.member_routes import router as member_router
from gateway.http.features import FeatureRouter
from gateway.patients.documents.routes import link_router as document_link_router
from gateway.patients.documents.routes import router as document_router
from gateway.patients.feeds.routes import public_router as feed_router
from gateway.patients.feeds.routes import router as feeds_router
from gateway.patients.notices.callback_routes import router as callback_router
from gateway.patients.notices.link_routes import router as link_router
from gateway.patients.notices.push_routes import router as push_router
from gateway.patients.notices.routes import router as notices_router
from gateway.patients.own_routes import router as own_patient_router
from gateway.patients.privacy_deciding import router as deciding_router
from gateway.patients.privacy_routes import of_patient_router
from gateway.patients.privacy_routes import router as privacy_router
from gateway.patients.routes import router as patients_router
from gateway.patients.waiting.routes import router as waiting_router
from gateway.patients.waiting.staff_routes import router as staff_waiting_router
from gateway.platform.account_routes import router as account_router
from gateway.platform.audit_routes import router as audit_router
from gateway.platform.jobs_routes import router as jobs_router
from gateway.platform.notice_routes import router as sample_router
from gateway.platform.reports.routes import router as report_router
from gateway.platform.role_routes import router as roles_router
from gateway.providers.busy_routes import router as busy_router
from gateway.providers.leave.choose_routes import link_router as choose_link_router
from gateway.providers.leave.choose_routes import router as choose_router
from gateway.providers.leave.staff_routes import router as leave_router
from gateway.system.cluster_routes import router as cluster_router
from gateway.system.site_routes import router as site_router

ACCOUNT_ROUTERS: Final = (
    auth_router,
    session_router,
    flow_router,
    client_router,
    token_router,
    factor_router,
    oidc_router,
    identity_router,
    roles_router,
)
"""Features that need accounts."""
NOTICE_ROUTERS: Final = (notices_router, link_router, callback_router)
"""Features that need notices, and outgoing messages."""
DOCUMENT_ROUTERS: Final = (document_router, document_link_router)
"""Features that need documents of patients."""
FEED_ROUTERS: Final = (feeds_router, feed_router)
"""Features that need feeds for calendar programs."""
WAITING_ROUTERS: Final = (waiting_router, staff_waiting_router)
"""Features that need the waiting list."""
PATIENT_ROUTERS: Final = (own_patient_router, patients_router)
"""Features that need patients."""
DIRECTORY_ROUTERS: Final = (
    entry_router,
    profile_router,
    specialty_router,
    clinic_standing_router,
)
"""Features that need the directory's entries."""
LEAVE_ROUTERS: Final = (leave_router, choose_router, choose_link_router)
"""Features that need the queue of visits that leave affects."""
PHOTO_ROUTERS: Final = (photo_router,)
"""Features that need photos, and the directory's entries."""
SERIES_ROUTERS: Final = (series_router, provider_series_router)
"""Features that need series of visits."""
GRANT_ROUTERS: Final = (
    member_router,
    guardian_router,
    glass_router,
    application_router,
    application_by_id_router,
    account_router,
)
"""Features that need grants, which need accounts and patients."""
EVERY_ROUTER: Final = (
    *ACCOUNT_ROUTERS,
    *PATIENT_ROUTERS,
    *DOCUMENT_ROUTERS,
    *NOTICE_ROUTERS,
    *FEED_ROUTERS,
    *WAITING_ROUTERS,
    *GRANT_ROUTERS,
    *DIRECTORY_ROUTERS,
    resource_router,
    review_router,
    symptom_router,
    *PHOTO_ROUTERS,
    *SERIES_ROUTERS,
    privacy_router,
    of_patient_router,
    deciding_router,
    audit_router,
    demo_router,
    jobs_router,
    report_router,
    sample_router,
    push_router,
    busy_router,
    *LEAVE_ROUTERS,
)
"""All ordinary features, whatever stores they need."""


def feature_routers(ports: GatewayPorts, config: GatewayConfig) -> list[FeatureRouter]:
    """Routers of ordinary features whose stores this gateway has."""
    needs: list[tuple[bool, Sequence[FeatureRouter]]] = [
        (True, (site_router, cluster_router, symptom_router)),
        (ports.jobs is not None and ports.answers is not None, (jobs_router,)),
        (ports.answers is not None, (resource_router,)),
        (ports.reviews is not None, (review_router,)),
        (ports.push is not None, (push_router,)),
        (ports.reports is not None, (report_router,)),
        (ports.busy is not None, (busy_router,)),
        (ports.series is not None, SERIES_ROUTERS),
        (ports.leave is not None, LEAVE_ROUTERS),
        (ports.samples is not None, (sample_router,)),
        (ports.patients is not None, PATIENT_ROUTERS),
        (ports.documents is not None, DOCUMENT_ROUTERS),
        (ports.entries is not None, DIRECTORY_ROUTERS),
        (ports.photos is not None and ports.entries is not None, PHOTO_ROUTERS),
        (ports.notices is not None and ports.outgoing is not None, NOTICE_ROUTERS),
        (ports.feeds is not None, FEED_ROUTERS),
        (ports.waiting is not None, WAITING_ROUTERS),
        (
            ports.privacy is not None,
            (privacy_router, of_patient_router, deciding_router),
        ),
        (ports.audit is not None, (audit_router,)),
        (ports.grants is not None, GRANT_ROUTERS),
        (ports.accounts is not None, ACCOUNT_ROUTERS),
        (
            config.demo and ports.accounts is not None and ports.outgoing is not None,
            (demo_router,),
        ),
    ]
    return [one for has_stores, routers in needs if has_stores for one in routers]
