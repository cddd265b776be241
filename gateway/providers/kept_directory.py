"""The directory as this gateway has just read it.

The first page of providers is what every visitor opens, and each read of it costs the
read model a millisecond or more. An answer of the directory is shown to all who ask the
same within ``believe_s``; those who ask while it is being read wait for it. Edits of
other gateways are therefore seen that much later at most. After an edit made here
nothing is believed until the projection has certainly followed: who made it must see it
as soon as the read model has it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable, Mapping, Sequence
from time import monotonic
from typing import Any, Final, TypeVar, cast

from actors.domain.ids import ClinicId, ProviderId
from actors.domain.rules import Clinic
from care.readmodel import Directory, ProviderListing, ProviderQuery
from gateway.access.believed import Believed

T = TypeVar("T")

ANSWERS_MAX: Final = 256
"""Answers kept; a page of a hundred listings takes some 200 KB, most a tenth of it."""
FOLLOWS_S: Final = 5.0
"""The projection is behind an edit by less than this, unless it stands still."""


class KeptDirectory:
    """``Directory``, whose answers are believed for ``believe_s``; 0: never."""

    def __init__(
        self,
        directory: Directory,
        believe_s: float,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._directory = directory
        self._believe_s = believe_s
        self._now = now
        self._answers = Believed[Hashable, asyncio.Task[Any]](
            believe_s, ANSWERS_MAX, now
        )
        self._edited_at = float("-inf")
        self.on_edit: Callable[[], None] = _nothing

    def edited(self) -> None:
        """Something was changed here that lists show."""
        self._edited_at = self._now()
        self._answers.clear()
        self.on_edit()

    async def find(
        self, query: ProviderQuery, *, after: str, limit: int
    ) -> tuple[Sequence[ProviderListing], str | None]:
        """A page of listings and the cursor of the next; see the port."""
        return await self._kept(
            ("find", query, after, limit),
            lambda: self._directory.find(query, after=after, limit=limit),
        )

    async def ids(self, query: ProviderQuery, *, limit: int) -> Sequence[ProviderId]:
        """All matching ids in the order of ``find``, at most ``limit``."""
        return await self._kept(
            ("ids", query, limit), lambda: self._directory.ids(query, limit=limit)
        )

    async def listings(
        self,
        provider_ids: Sequence[ProviderId],
        near: tuple[float, float] | None = None,
    ) -> Mapping[ProviderId, ProviderListing]:
        """These providers, those that exist; how far away, when ``near`` is given."""
        return await self._kept(
            ("listings", tuple(provider_ids), near),
            lambda: self._directory.listings(provider_ids, near),
        )

    async def clinics(
        self, clinic_ids: Sequence[ClinicId]
    ) -> Mapping[ClinicId, Clinic]:
        """These clinics, as they are now."""
        return await self._directory.clinics(clinic_ids)

    async def find_clinics(
        self, words: str, *, after: str, limit: int
    ) -> tuple[Sequence[Clinic], str | None]:
        """A page by name, then id, as it is now; see the port."""
        return await self._directory.find_clinics(words, after=after, limit=limit)

    async def keep_clinic(self, clinic: Clinic) -> Clinic:
        """The clinic of this id as it is known; added if it was not."""
        return await self._editing(self._directory.keep_clinic(clinic))

    async def replace_clinic(self, clinic: Clinic, read: Clinic) -> bool:
        """Put a record if the clinic still is as it was ``read``; False if not."""
        return await self._editing(self._directory.replace_clinic(clinic, read))

    async def put_clinics(self, clinics: Sequence[Clinic]) -> tuple[int, int, int]:
        """Add or update clinic records: how many were (new, changed, the same)."""
        return await self._editing(self._directory.put_clinics(clinics))

    async def clinic_count(self) -> int:
        """How many clinics there are."""
        return await self._directory.clinic_count()

    async def _editing(self, edit: Coroutine[Any, Any, T]) -> T:
        try:
            return await edit
        finally:
            self.edited()  # also when it failed: its outcome may be unknown

    async def _kept(
        self, question: Hashable, read: Callable[[], Coroutine[Any, Any, T]]
    ) -> T:
        if not self._believe_s or self._now() - self._edited_at < FOLLOWS_S:
            return await read()
        found = self._answers.get(question)
        if found is None or _failed(found):
            # A task of its own: who began the reading may leave before others do.
            found = asyncio.ensure_future(read())
            found.add_done_callback(_failed)  # an error is known then
            self._answers.put(question, found)
        return cast("T", await asyncio.shield(found))


def _nothing() -> None:
    """Nothing keeps a copy of the directory."""


def _failed(task: asyncio.Task[Any]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
