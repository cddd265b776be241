"""Services of ordinary features, those whose stores a gateway was given."""

from __future__ import annotations

from fastapi import FastAPI

from gateway.access.ended_grants import EndedGrants
from gateway.accounts.needs import RandomIds
from gateway.bookings.series.service import SeriesService
from gateway.config import GatewayConfig, GatewayPorts
from gateway.directory.clinics.standing import ClinicStanding
from gateway.directory.photos import PhotoService
from gateway.directory.profiles import ProviderProfiles
from gateway.directory.reviews.service import ReviewService
from gateway.directory.service import DirectoryService
from gateway.grants.mails import GrantMails
from gateway.grants.service import GrantNeeds, GrantService
from gateway.patients.documents.service import DocumentService
from gateway.patients.privacy import PrivacyService
from gateway.patients.service import PatientService
from gateway.patients.waiting.service import WaitingService
from gateway.platform.reports.service import ReportService
from gateway.providers.leave.service import LeaveService
from gateway.services import Services


def add_services(
    app: FastAPI, ports: GatewayPorts, config: GatewayConfig, made: Services
) -> None:
    """What ordinary features work with, those whose stores this gateway was given."""
    app.state.services = made
    if ports.patients is not None:
        app.state.patients = PatientService(ports, made.access, made.known)
    if ports.documents is not None:
        app.state.documents = DocumentService(
            ports.documents, ports.clock, made.bookings, made.access, config.token_keys
        )
    if ports.waiting is not None:
        app.state.waiting = WaitingService(
            ports, ports.waiting, made.bookings, made.holds, made.access
        )
    if ports.entries is not None:
        app.state.directory = DirectoryService(
            ports.entries, ports.calendars, made.clinics, ports.directory
        )
        if ports.photos is not None:
            app.state.photos = PhotoService(
                app.state.directory, ports.photos, ports.tokens
            )
        app.state.profiles = ProviderProfiles(
            made.commands, ports.calendars, made.access
        )
        app.state.clinic_standing = ClinicStanding(
            ports.entries, ports.directory, made.commands, ports.calendars
        )
    _add_visit_services(app, ports, config, made)
    if ports.privacy is not None:
        app.state.privacy = PrivacyService(ports, made.shared.revoked)
    if ports.grants is not None and ports.patients is not None:
        ended = EndedGrants(ports.revocations, made.shared.revoked, ports.clock)
        app.state.ended_grants = ended
        app.state.grants = GrantService(
            GrantNeeds(
                stores=ports.grants,
                patients=ports.patients,
                access=made.access,
                ended=ended,
                clock=ports.clock,
                random=RandomIds(),
                mails=GrantMails(config.public_url or config.site_url),
            )
        )


def _add_visit_services(
    app: FastAPI, ports: GatewayPorts, config: GatewayConfig, made: Services
) -> None:
    """Features that place or move several visits, or look back on them."""
    if ports.series is not None:
        app.state.series = SeriesService(
            ports.series,
            ports,
            made.commands,
            made.access,
            made.commitments,
            made.bookings,
            made.whole,
            made.acquaintances.booked,
        )
    if ports.leave is not None:
        app.state.leave = LeaveService(
            ports, ports.leave, made.whole, made.access, made.hearing
        )
    if ports.reports is not None:
        app.state.reports = ReportService(
            ports.reports.reports,
            ports.directory,
            ports.calendars,
            ports.clock,
            config.cell_minutes,
        )
    if ports.reviews is not None:
        app.state.reviews = ReviewService(
            ports, ports.reviews, made.bookings, made.access
        )
