"""What this gateway writes into the audit trail: reads by staff, and acts on accounts.

Changes of calendars are not written here: they come from the journal. What is written
is durable on the local disk before the answer leaves. If the disk refuses, reads by
staff are refused with it; what patients do with their own data goes on, with an alarm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Final

import structlog
from msgspec import Struct

from actors.domain.ids import Millis
from actors.errors import Unavailable
from actors.ports import Clock
from care.audit.entries import SITE_TENANT, Draft, address_hash
from care.audit.ports import AuditSpool
from gateway.access.tokens import Caller

IDS_MAX: Final = 20
"""Ids and names of fields that one entry may have."""

log = structlog.get_logger("slotcast.gateway")

handler_acted: ContextVar[bool] = ContextVar("handler_acted", default=False)
"""Whether this request's handler wrote its own entry, which says more than its route's.
Services that write do not have the request."""


class Act(Struct, frozen=True):
    """What was done on an account or a record, or was refused.

    ``actor``: the account, where no token says it. ``fields``: names, never values.
    """

    action: str
    outcome: str
    actor: str = ""
    person: str = ""
    tenant: str = SITE_TENANT
    address: str = ""
    ids: Mapping[str, str] = {}
    fields: Sequence[str] = ()


class AuditTrail:
    """Writes entries; one per gateway. ``spool``: None where nothing is audited."""

    def __init__(self, spool: AuditSpool | None, clock: Clock, key: bytes) -> None:
        self._spool = spool
        self._clock = clock
        self._key = key
        self.lost = 0
        """Entries that could not be written, of acts that went on."""

    @property
    def spool(self) -> AuditSpool | None:
        """Where entries go first."""
        return self._spool

    def is_own(self, caller: Caller, about: str) -> bool:
        """Whether a read is no access by another, or nothing is audited."""
        return self._spool is None or (
            caller.patient_id == about and not caller.is_proxy
        )

    async def read(
        self,
        caller: Caller,
        action: str,
        about: Sequence[str],
        *,
        tenant: str = SITE_TENANT,
        address: str = "",
        **ids: str,
    ) -> None:
        """A caller reads about these patients, or this provider's schedule.

        A patient's reads of what is theirs are no entries; those of a guardian are.

        Raises:
            Unavailable: it cannot be written; do not answer.
        """
        about = [one for one in about if not self.is_own(caller, one)]
        if self._spool is None or not about:
            return
        body = self._body(caller, address, "read", ids)
        drafts = [self._draft(caller, tenant, action, one, body) for one in about]
        await self._write(caller, drafts)

    async def acted(self, caller: Caller | None, act: Act) -> None:
        """Something was done or refused.

        Never raises for a disk that refuses: the act has had its effect.
        """
        if self._spool is None:
            return
        handler_acted.set(True)
        body = self._body(caller, act.address, act.outcome, act.ids)
        if act.fields:
            body["fields"] = sorted(act.fields)[:IDS_MAX]
        actor = act.actor if caller is None else caller.account or caller.subject
        draft = Draft(act.tenant, self._now(), actor, act.action, act.person, body)
        try:
            await self._spool.write([draft])
        except Unavailable as error:
            self._lose(act.action, str(error), 1)

    async def _write(self, caller: Caller, drafts: Sequence[Draft]) -> None:
        assert self._spool is not None
        try:
            await self._spool.write(drafts)
        except Unavailable:
            if caller.patient_id is None:
                raise Unavailable(
                    "the audit trail cannot be written, and what staff read of people "
                    "must be in it; ask the operator, or try again in a moment"
                ) from None
            self._lose(drafts[0].action, "the spool refuses", len(drafts))

    def _lose(self, action: str, reason: str, count: int) -> None:
        self.lost += count
        log.error("ALARM: an act was not audited", action=action, reason=reason)

    def _draft(
        self,
        caller: Caller,
        tenant: str,
        action: str,
        person: str,
        body: Mapping[str, Any],
    ) -> Draft:
        actor = caller.account or caller.subject
        return Draft(tenant, self._now(), actor, action, person, body)

    def _body(
        self,
        caller: Caller | None,
        address: str,
        outcome: str,
        ids: Mapping[str, str],
    ) -> dict[str, Any]:
        body: dict[str, Any] = {**dict(list(ids.items())[:IDS_MAX]), "outcome": outcome}
        if address:
            body["address"] = address_hash(self._key, address)
        if caller is not None:
            body["role"] = caller.role.value
            identity = caller.identity
            if identity is not None:
                body["session"] = identity.session
                if identity.grant:
                    body["grant"] = identity.grant
        return body

    def _now(self) -> Millis:
        return self._clock.now()
