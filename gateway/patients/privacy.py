"""Privacy: what an export holds, and what an erasure does beyond the records."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from actors.domain.ids import Millis, Minute, PatientId, ProviderId
from actors.domain.messages.answers import (
    BookingStatus,
    BookingView,
    ProviderView,
    ScheduleView,
)
from actors.domain.messages.reads import ReadProvider, ReadSchedule
from care.accounts.accounts import ACCESS_MS
from care.accounts.ids import AccountId
from care.audit.entries import Entry
from care.audit.ports import AuditQuery
from care.grants.values import SITE
from care.privacy.ports import Privacy
from care.privacy.requests import (
    ErasureRefused,
    ErasureReport,
    PrivacyRequest,
    SuccessorNeeded,
)
from care.sharing import Revocation, RevocationKind
from gateway.access.restricted_patients import UNRESTRICTED_S
from gateway.access.revocations import RevokedTokens
from gateway.access.tokens import Caller
from gateway.bookings.schemas import booking_body
from gateway.config import GatewayPorts
from gateway.wire.errors import (
    Forbidden,
    NotFound,
    RequestError,
    TooManyRequests,
    accepted,
)
from gateway.wire.formats import millis_text

PAGE: Final = 200
AHEAD_MINUTES: Final = 400 * 24 * 60
"""How far visits of a calendar are looked for: beyond every horizon."""
TELL_MS: Final = 10_000
"""Between two restrictions of one patient that are told to all gateways."""
TOLD_MAX: Final = 10_000
_SLACK_MS: Final = 60_000
_AHEAD: Final = frozenset({BookingStatus.BOOKED, BookingStatus.ARRIVED})
_INSTANTS: Final = frozenset({"at", "since", "until"})


class ErasureNotNow(RequestError):
    """The person cannot be erased now."""

    code = "erasure_refused"


class SuccessorMissing(RequestError):
    """A clinic, or the platform, would be without an administrator."""

    code = "last_admin"

    def __init__(self, places: Sequence[str]) -> None:
        names = ", ".join("the platform" if one == SITE else one for one in places)
        super().__init__(
            f"The account is the last administrator of {names}, and nothing was done. "
            "Make another account an administrator there first, then repeat this: "
            "invite one to the clinic (POST /v1/clinics/{clinic_id}/invitations), or "
            "give one the role (PUT /v1/accounts/{account_id}/roles/admin)."
        )


class PrivacyService:
    """One per gateway."""

    def __init__(self, ports: GatewayPorts, revoked: RevokedTokens) -> None:
        assert ports.privacy is not None, "made only where there is a store"
        self.store: Privacy = ports.privacy
        self._ports = ports
        self._revoked = revoked
        self._told: OrderedDict[PatientId, Millis] = OrderedDict()

    def now(self) -> Millis:
        """The current instant."""
        return self._ports.clock.now()

    async def export(self, patient_id: PatientId) -> dict[str, Any]:
        """All of a person's data. Raises NotFound: there is no such person."""
        found = await self.store.export(patient_id)
        if found is None:
            raise NotFound(code="patient_not_found")
        views = await self._visits(patient_id)
        seen = await self.seen_by(patient_id, views, "", PAGE)
        return {
            **_readable(found),
            "visits": [msgspec.to_builtins(booking_body(view)) for view in views],
            "seen_by": [
                {"at": millis_text(one.at), "by": one.actor, "what": one.action}
                for one in seen[0]
            ],
        }

    async def export_account(self, account_id: str) -> dict[str, Any]:
        """What is held of an account, whatever its roles, and what it did last."""
        acts: Sequence[Entry] = ()
        if self._ports.audit is not None and account_id:
            mine = AuditQuery(actor=account_id)
            acts, _ = await self._ports.audit.search(mine, after="", limit=PAGE)
        return {
            **_readable(await self.store.export_account(account_id)),
            # Without the people it was done to: their data are not the account's.
            "acts": [{"at": millis_text(o.at), "what": o.action} for o in acts],
        }

    async def seen_by(
        self,
        patient_id: PatientId,
        views: Sequence[BookingView] | None,
        after: str,
        limit: int,
    ) -> tuple[Sequence[Any], str | None]:
        """Who read about a patient: about them, or schedules that they stand on."""
        audit = self._ports.audit
        if audit is None:
            return (), None
        if views is None:
            views = await self._visits(patient_id)
        about: dict[str, Millis] = {patient_id: Millis(0)}
        for view in views:
            known = about.get(view.provider_id, view.booked_at)
            about[view.provider_id] = min(known, view.booked_at)
        return await audit.accesses(about, after=after, limit=limit)

    async def erase(self, patient_id: PatientId, by: Caller) -> ErasureReport:
        """Erase a person everywhere. Raises ErasureNotNow, Unavailable."""
        now = self.now()
        views = await self._visits(patient_id)
        _check_visits(views, now)
        counts = Counter(view.status.value for view in views)
        actor = by.account or by.subject
        try:
            report = await self.store.erase(patient_id, actor, counts, now=now)
        except ErasureRefused as refused:
            raise ErasureNotNow(refused.reason) from None
        await self._revoke(report, now)
        return report

    async def ask_about_account(self, caller: Caller) -> PrivacyRequest:
        """Ask that the caller's account be erased, with all its roles.

        Raises:
            SuccessorMissing: it is the last administrator of something.
        """
        account_id = AccountId(caller.account)
        alone = (await self.store.holdings(account_id)).alone
        if alone:
            raise SuccessorMissing(alone)
        return await self.store.ask_about_account(account_id, now=self.now())

    async def erase_account(self, account_id: AccountId, by: Caller) -> ErasureReport:
        """Erase an account in all its roles, and its patient, everywhere.

        Raises:
            ErasureNotNow, SuccessorMissing, Unavailable: nothing was erased, or it may
                not be known everywhere; repeat it.
        """
        now = self.now()
        holdings = await self.store.holdings(account_id)
        counts = Counter[str]()
        if holdings.patient_id is not None:
            views = await self._visits(holdings.patient_id)
            _check_visits(views, now)
            counts = Counter(view.status.value for view in views)
        for provider_id in holdings.calendars:
            await self._check_calendar(provider_id, now)
        actor = by.account or by.subject
        try:
            report = await self.store.erase_account(account_id, actor, counts, now=now)
        except ErasureRefused as refused:
            raise ErasureNotNow(refused.reason) from None
        except SuccessorNeeded as needed:
            raise SuccessorMissing(needed.places) from None
        await self._revoke(report, now)
        return report

    async def _check_calendar(self, provider_id: ProviderId, now: Millis) -> None:
        """Raises ErasureNotNow: a calendar is open, or has visits ahead.

        A doctor's clinic decides who takes the visits over. A retired calendar gets no
        new ones.
        """
        calendars, minute = self._ports.calendars, Minute(now // 60_000)
        view = await calendars.ask(ReadProvider(provider_id))
        if not isinstance(view, ProviderView):
            return
        ahead = ReadSchedule(provider_id, minute, Minute(minute + AHEAD_MINUTES))
        schedule = accepted(await calendars.ask(ahead), ScheduleView)
        live = [one for one in schedule.bookings if one.status in _AHEAD]
        if live or not view.profile.retired:
            raise ErasureNotNow(
                f"The calendar {provider_id} is open or has visits ahead. Its clinic "
                "moves or cancels the visits and retires it first "
                f"(POST /v1/providers/{provider_id}/retire)."
            )

    async def restrict(self, caller: Caller, *, restricted: bool) -> None:
        """Restrict the use of the caller's data, or lift that; all gateways are told.

        Raises:
            NotFound: there is no such person.
            Unavailable: it may not be stored, or not known everywhere; repeat it.
        """
        patient_id, now = own_person(caller), self.now()
        if restricted and await self._is_told(patient_id, now):
            return
        done = await self.store.restrict(
            patient_id, caller.account, restricted=restricted, now=now
        )
        if not done:
            raise NotFound(code="patient_not_found")
        if not restricted:
            return  # a gateway remembers only who is not restricted
        until = Millis(now + round(UNRESTRICTED_S * 1000) + _SLACK_MS)
        news = Revocation(RevocationKind.RESTRICTION, patient_id, now, until)
        self._revoked.learn([news])
        if self._ports.revocations is not None:
            await self._ports.revocations.add(news)
        self._told[patient_id] = now
        self._told.move_to_end(patient_id)
        if len(self._told) > TOLD_MAX:
            self._told.popitem(last=False)

    async def _is_told(self, patient_id: PatientId, now: Millis) -> bool:
        """Whether a restriction that holds was told to all gateways just now.

        Raises:
            TooManyRequests: it was lifted since; the store of revocations is bounded.
        """
        wait_ms = self._told.get(patient_id, Millis(0)) + TELL_MS - now
        if wait_ms <= 0:
            return False
        patients = self._ports.patients
        if patients is not None and await patients.is_restricted(patient_id):
            return True
        raise TooManyRequests(wait_ms / 1000)

    async def _revoke(self, report: ErasureReport, now: Millis) -> None:
        until = Millis(now + ACCESS_MS + _SLACK_MS)
        gone = [
            Revocation(RevocationKind.SESSION, one, now, until)
            for one in report.sessions
        ]
        if report.patient_id:
            gone += [
                Revocation(kind, report.patient_id, now, until)
                for kind in (RevocationKind.PERSON, RevocationKind.SUBJECT)
            ]
        for one in gone:
            if self._ports.revocations is not None:
                await self._ports.revocations.add(one)
        self._revoked.learn(gone)

    async def _visits(self, patient_id: PatientId) -> list[BookingView]:
        """All visits of a patient that the read model has."""
        found: list[BookingView] = []
        after: str | None = ""
        while after is not None:
            views, after = await self._ports.history.of_patient(
                patient_id, first=None, last=None, status=None, after=after, limit=PAGE
            )
            found += views
        return found


def _check_visits(views: Sequence[BookingView], now: Millis) -> None:
    """Raises ErasureNotNow: a patient has visits ahead."""
    if any(v.status in _AHEAD and v.start * 60_000 > now for v in views):
        raise ErasureNotNow("There are visits ahead; cancel them first.")


def own_person(caller: Caller) -> PatientId:
    """The patient whom the caller is; guardians are others. Raises Forbidden."""
    patient_id = caller.patient_id
    if patient_id is None or caller.is_proxy:
        raise Forbidden("People do this for themselves, signed in as a patient.")
    return patient_id


def _readable(found: Mapping[str, Any]) -> dict[str, Any]:
    """Instants as text, wherever they stand."""
    return {name: _value(name, value) for name, value in found.items()}


def _value(name: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _value(key, one) for key, one in value.items()}
    if isinstance(value, list):
        return [_value(name, one) for one in value]
    is_instant = name.endswith("_at") or name in _INSTANTS
    if is_instant and type(value) is int:
        return millis_text(Millis(value))
    return value
