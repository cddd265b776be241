"""The services of one gateway, made once and shared by REST and the live socket.

Sharing matters: keys that were used over the socket are known to REST, and a patient's
own changes are seen on either.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from random import SystemRandom

from actors.domain.messages.commands import (
    BookMany,
    BookSlot,
    Command,
    ConfirmHold,
    ExtendHold,
    PlaceHold,
    RegisterProvider,
    SetAvailability,
    SetRetired,
    SetSuspended,
)
from care.directory.specialties import SpecialtyIndex
from care.resources.settling import Settling
from gateway.access.known_patients import KnownPatients
from gateway.access.options import OptionsOfClinics
from gateway.access.person_keys import learn_keys
from gateway.access.restricted_patients import RestrictedPatients
from gateway.access.rights import Access
from gateway.access.tokens import Authenticator
from gateway.access.trail import AuditTrail
from gateway.bookings.acquaintances import Acquaintances
from gateway.bookings.listing import Bookings
from gateway.bookings.names import PatientNames
from gateway.bookings.service import BookingService
from gateway.bookings.sessions import SessionService
from gateway.calendars.commands import Commands
from gateway.calendars.commitments import Commitments
from gateway.calendars.members.booking import GroupBookings
from gateway.calendars.members.candidates import Candidates
from gateway.calendars.members.following import FollowedGroups
from gateway.calendars.members.slots import MemberSlots
from gateway.calendars.members.whole import WholeVisits
from gateway.config import GatewayConfig, GatewayPorts
from gateway.directory.clinics.service import ClinicService
from gateway.directory.lists.watched import WatchedLists
from gateway.directory.resources.service import ClinicResources
from gateway.directory.roster.following import LiveRoster
from gateway.directory.roster.hearing import Hearing
from gateway.directory.roster.soonest import Finder
from gateway.directory.symptoms.encoder import is_installed, load_model
from gateway.directory.symptoms.metrics import SymptomCollector
from gateway.directory.symptoms.model_thread import ModelThread
from gateway.directory.symptoms.service import SymptomService
from gateway.holds.service import HoldService
from gateway.http.limits import RateLimits
from gateway.metrics.metrics import GatewayMetrics
from gateway.providers.kept_directory import KeptDirectory
from gateway.providers.next_free import NextFree
from gateway.providers.search import ProviderSearch
from gateway.providers.service import ProviderService
from gateway.providers.standing import ProviderStanding
from gateway.providers.watching import ShownLists
from gateway.shared_state import Shared

_CHANCE = SystemRandom()
TAKING = (PlaceHold, ExtendHold, ConfirmHold, BookSlot, BookMany)
"""Commands that make no start sooner."""
LISTED = (RegisterProvider, SetAvailability, SetRetired, SetSuspended)
"""Commands that change what lists show, beside the next free start."""
REGISTERED = (RegisterProvider, SetRetired, SetSuspended)
"""Commands that change a profile."""


@dataclass(frozen=True, kw_only=True)
class Services:
    """The services behind both transports."""

    metrics: GatewayMetrics
    authenticator: Authenticator
    limits: RateLimits
    access: Access
    trail: AuditTrail
    known: KnownPatients
    acquaintances: Acquaintances
    shared: Shared
    commands: Commands
    commitments: Commitments
    holds: HoldService
    bookings: BookingService
    own_bookings: Bookings
    sessions: SessionService
    clinics: ClinicService
    providers: ProviderService
    standing: ProviderStanding
    search: ProviderSearch
    resources: ClinicResources
    members: MemberSlots
    groups: GroupBookings
    whole: WholeVisits
    followed: FollowedGroups
    hearing: Hearing | None
    """What keeps the search's roster; None without a source of it."""
    symptoms: SymptomService
    lists: ShownLists | None
    """Watched lists; None without a roster."""


def services(  # noqa: PLR0915 - one service after the other
    ports: GatewayPorts, config: GatewayConfig
) -> Services:
    """Create the services. Call once per gateway: metrics register themselves."""
    metrics = GatewayMetrics(ports.registry)
    known = KnownPatients(*((ports.patients, ports.history) if ports.patients else ()))
    access = Access(
        ports.calendars,
        believe_s=config.access_cache_s,
        known=known if ports.patients is not None else None,
        now=ports.clock.now,
    )
    trail = AuditTrail(ports.audit_spool, ports.clock, config.token_keys[0])
    access.trail = trail
    if ports.grants is not None:
        access.options = OptionsOfClinics(ports.grants.options)
    access.restricted = RestrictedPatients(ports.patients)
    names = PatientNames(ports.patients)
    acquaintances = Acquaintances(ports.patients, known, access, ports.clock)
    commands = Commands(
        ports.calendars,
        ports.clock,
        ports.tokens,
        timeout_s=config.command_timeout_s,
        key=config.token_keys[-1],
        observe=metrics.command,
    )
    shared = Shared(ports, config)
    shared.revoked.restricted.append(access.restricted.forget)
    commitments = Commitments(ports, config, commands.recent, shared.hold_exchange)
    commands.on_visit = commitments.note_visit
    commands.on_hold = commitments.note_hold
    directory = KeptDirectory(ports.directory, config.lists_believed_s)
    next_free = NextFree(ports.calendars, ports.links, config.lists_believed_s)

    hearing = _hearing(ports, config)
    candidates = Candidates(directory, access.facts)
    _follow(commands, directory, next_free, hearing, candidates)
    clinics = ClinicService(directory, access)
    clinics.entries = ports.entries
    authenticator = Authenticator(config, ports.clock, shared.revoked)
    if ports.persons is not None:
        learn_keys(authenticator, shared.revoked, ports.persons)
    providers = ProviderService(
        commands,
        ports.calendars,
        access,
        clinics,
        shared.last_shown,
        cell_minutes=config.cell_minutes,
    )
    providers.names = names
    providers.members = members = MemberSlots(ports.calendars, candidates)
    settling = Settling(ports.calendars, ports.clock.now)
    groups = GroupBookings(commands, members, settling)
    whole = WholeVisits(commands, members, groups)
    if hearing is not None:
        providers.photos_of = hearing.live.photos_of
    return Services(
        metrics=metrics,
        authenticator=authenticator,
        limits=RateLimits(config, settlement=shared.settlement),
        access=access,
        trail=trail,
        known=known,
        acquaintances=acquaintances,
        shared=shared,
        commands=commands,
        commitments=commitments,
        holds=HoldService(commands, ports.calendars, access, commitments, groups),
        bookings=BookingService(
            commands,
            access,
            ports.history,
            commitments,
            groups,
            acquaintances.booked,
        ),
        own_bookings=Bookings(ports.history, commands.recent, access.zone_of, names),
        sessions=SessionService(commands, ports.calendars, access),
        clinics=clinics,
        providers=providers,
        standing=ProviderStanding(
            commands,
            ports.calendars,
            access,
            None if ports.grants is None else ports.grants.suspensions,
            clinics,
            listed=candidates.note,
        ),
        search=ProviderSearch(
            directory,
            next_free,
            soonest_max=config.soonest_providers_max,
            finder=None if hearing is None else Finder(hearing),
        ),
        resources=ClinicResources(
            candidates, clinics, commands, ports.calendars, access
        ),
        members=members,
        groups=groups,
        whole=whole,
        followed=FollowedGroups(settling, ports.clock.now, _CHANCE),
        hearing=hearing,
        symptoms=_symptoms(ports, config, hearing),
        # Not from the kept directory: a listing is read when it has just changed.
        lists=None
        if hearing is None
        else ShownLists(WatchedLists(hearing), ports.directory),
    )


def _symptoms(
    ports: GatewayPorts, config: GatewayConfig, hearing: Hearing | None
) -> SymptomService:
    """Suggestions over the specialties of the search's roster, while there is one."""
    built_in = SpecialtyIndex()

    def specialties() -> SpecialtyIndex:
        roster = None if hearing is None else hearing.live.roster
        return built_in if roster is None else roster.specialties

    model = None
    if config.symptom_model and is_installed():
        model = ModelThread(load_model, key=secrets.token_bytes(32))
        ports.registry.register(SymptomCollector(model))
    return SymptomService(specialties, model)


def _hearing(ports: GatewayPorts, config: GatewayConfig) -> Hearing | None:
    if ports.roster is None:
        return None
    return Hearing(
        LiveRoster(ports.roster),
        ports.calendars,
        ports.links,
        ports.clock,
        config.lists_believed_s,
    )


def _follow(
    commands: Commands,
    directory: KeptDirectory,
    next_free: NextFree,
    hearing: Hearing | None,
    candidates: Candidates,
) -> None:
    """What was done here is in the next list."""

    def on_command(command: Command) -> None:
        next_free.changed(command.provider_id)
        if hearing is not None:
            may_free = not isinstance(command, TAKING)
            hearing.changed(command.provider_id, may_free=may_free)
        if isinstance(command, LISTED):
            directory.edited()
        if isinstance(command, REGISTERED):
            candidates.changed(command.provider_id)

    commands.on_command = on_command
    if hearing is not None:
        directory.on_edit = hearing.live.edited
