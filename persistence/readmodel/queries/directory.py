"""The directory in SQL: search for providers and clinics.

Words are found by prefix in tables of search words, so that no query scans all
providers' texts. The nearest are searched in growing rings by bounding box, and ordered
by exact distance here. One file because it implements one port.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from heapq import nsmallest
from itertools import chain
from typing import Any

from msgspec import structs
from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select, union
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from actors.domain.ids import ClinicId, ProviderId
from actors.domain.rules import Clinic, Profile, Resource, ResourceKind, VisitType
from care.directory.words import Point, after_prefix, distance_km, query_words, sort_key
from care.readmodel import ProviderListing, ProviderQuery
from persistence.readmodel import tables as t
from persistence.readmodel.projection.sql_profiles import (
    Stamped,
    clinic_of,
    clinic_rows,
    save_clinics,
)
from persistence.readmodel.search_words import (
    RINGS_KM,
    UNKNOWN_KM,
    box,
    placed,
    read_cursor,
    write_cursor,
)
from persistence.sql.engine import reading, writing
from persistence.sql.statements import IDS_PER_STATEMENT

RARE_MAX = 500
"""A word with fewer hits than this counts as rare."""
ROWS_AT_ONCE = 2_000
"""Maximum rows in memory during a search near a location."""
PLACES_MAX = 10_000
"""Locations whose distance is cached during one search."""

_RECORD: dict[str, Any] = {"imported": True, "registered_at": 0, "registered_by": ""}
"""The stamp of a clinic that is a record of its own; see tables.clinic."""

Found = list[tuple[ProviderId, float | str]]
"""Ids with their sort key: a distance or a name."""

_FROM = t.provider.join(t.clinic, t.provider.c.clinic_id == t.clinic.c.clinic_id)
# Rules without a column are the calendar's alone: lists show none of them.
_VISIT_TYPE_FIELDS = [
    field
    for field in VisitType.__struct_fields__
    if field in t.visit_type.c and field != "locations"
]


class SqlDirectory:
    """``Directory`` on a pool of readers and, for imports, a writer."""

    def __init__(self, readers: AsyncEngine, writer: AsyncEngine | None = None) -> None:
        self._readers = readers
        self._writer = writer

    async def find(
        self, query: ProviderQuery, *, after: str, limit: int
    ) -> tuple[Sequence[ProviderListing], str | None]:
        """A page of listings and the cursor of the next; see the port."""
        kind, key_type = ("d", float) if query.near else ("n", str)
        start = read_cursor(kind, after, (key_type, str)) if after else None
        async with reading(self._readers) as connection:
            found = await _search(connection, query, start, limit + 1)
            page = found[:limit]
            known = await _listings(connection, [one[0] for one in page])
        items = [_placed(known[i], key) for i, key in page if i in known]
        more = len(found) > limit and bool(page)
        cursor = write_cursor(kind, page[-1][1], page[-1][0]) if more else None
        return items, cursor

    async def ids(self, query: ProviderQuery, *, limit: int) -> Sequence[ProviderId]:
        """All matching ids in the order of ``find``, at most ``limit``."""
        async with reading(self._readers) as connection:
            found = await _search(connection, query, None, limit)
        return [provider_id for provider_id, _ in found[:limit]]

    async def listings(
        self, provider_ids: Sequence[ProviderId], near: Point | None = None
    ) -> Mapping[ProviderId, ProviderListing]:
        """The existing ones of these providers; with ``near``, their distances."""
        async with reading(self._readers) as connection:
            found = await _listings(connection, provider_ids)
        return {key: placed(listing, near) for key, listing in found.items()}

    async def clinics(
        self, clinic_ids: Sequence[ClinicId]
    ) -> Mapping[ClinicId, Clinic]:
        """The existing ones of these clinics."""
        mine = t.clinic.c.clinic_id
        async with reading(self._readers) as connection:
            query = select(t.clinic).where(mine.in_(clinic_ids))
            rows = (await connection.execute(query)).mappings().all()
        return {ClinicId(row["clinic_id"]): clinic_of(row) for row in rows}

    async def find_clinics(
        self, words: str, *, after: str, limit: int
    ) -> tuple[Sequence[Clinic], str | None]:
        """A page by name, then id, and the cursor of the next; see the port."""
        start = read_cursor("c", after, (str, str)) if after else None
        name, clinic_id, word = t.clinic.c.name, t.clinic.c.clinic_id, t.clinic_word.c
        wanted = query_words(words)
        if words.strip() and not wanted:
            return [], None
        query = select(t.clinic).where(
            *(
                clinic_id.in_(select(word.clinic_id).where(_begins(word.word, one)))
                for one in wanted
            )
        )
        if start is not None:
            later = or_(name > start[0], clinic_id > start[1])
            query = query.where(and_(name >= start[0], later))
        query = query.order_by(name, clinic_id).limit(limit + 1)
        async with reading(self._readers) as connection:
            rows = (await connection.execute(query)).mappings().all()
        page = [clinic_of(row) for row in rows[:limit]]
        more = len(rows) > limit and bool(page)
        cursor = write_cursor("c", page[-1].name, page[-1].clinic_id) if more else None
        return page, cursor

    async def keep_clinic(self, clinic: Clinic) -> Clinic:
        """The stored clinic of this id; added if it is missing."""
        assert self._writer is not None, "this directory was opened for reading"
        async with writing(self._writer) as connection:
            rows = await connection.run_sync(clinic_rows, [clinic.clinic_id])
            row = rows.get(clinic.clinic_id)
            if row is not None:
                return clinic_of(row)
            await connection.run_sync(save_clinics, [(clinic, _RECORD)], [])
        return clinic

    async def replace_clinic(self, clinic: Clinic, read: Clinic) -> bool:
        """Replace a record that is still as it was ``read``; False if it is not."""
        assert self._writer is not None, "this directory was opened for reading"
        async with writing(self._writer) as connection:
            rows = await connection.run_sync(clinic_rows, [clinic.clinic_id])
            row = rows.get(clinic.clinic_id)
            if row is None or clinic_of(row) != read:
                return False
            await connection.run_sync(_put, [clinic])
        return True

    async def clinic_count(self) -> int:
        """Number of clinics."""
        async with reading(self._readers) as connection:
            query = select(func.count()).select_from(t.clinic)
            return int(await connection.scalar(query) or 0)

    async def put_clinics(self, clinics: Sequence[Clinic]) -> tuple[int, int, int]:
        """Add or update clinic records; returns the counts (new, changed, unchanged).

        A record takes precedence over the copies in registrations.
        """
        assert self._writer is not None, "this directory was opened for reading"
        new = changed = 0
        for start in range(0, len(clinics), IDS_PER_STATEMENT):
            some = clinics[start : start + IDS_PER_STATEMENT]
            async with writing(self._writer) as connection:
                added, altered = await connection.run_sync(_put, some)
            new, changed = new + added, changed + altered
        return new, changed, len(clinics) - new - changed


def _put(connection: Connection, clinics: Sequence[Clinic]) -> tuple[int, int]:
    rows = clinic_rows(connection, [clinic.clinic_id for clinic in clinics])
    before = {clinic_id: clinic_of(row) for clinic_id, row in rows.items()}
    now = dict(before)
    new = changed = 0
    for clinic in clinics:
        known = now.get(clinic.clinic_id)
        new += known is None
        changed += known is not None and known != clinic
        now[clinic.clinic_id] = clinic
    inserts: list[Stamped] = []
    updates: list[Stamped] = []
    for clinic_id, clinic in now.items():
        row = rows.get(clinic_id)
        if row is None:
            inserts.append((clinic, _RECORD))
        elif clinic != before[clinic_id] or not row["imported"]:
            stamp = {key: row[key] for key in ("registered_at", "registered_by")}
            updates.append((clinic, {**stamp, "imported": True}))
    save_clinics(connection, inserts, updates)
    return new, changed


async def _conditions(
    connection: AsyncConnection, query: ProviderQuery
) -> list[ColumnElement[bool]]:
    words = query_words(query.words)
    wanted: list[ColumnElement[bool]] = []
    kind = t.provider.c.resource_kind
    wanted.append(kind != "" if query.resources else kind == "")
    if not query.with_retired:
        wanted.append(t.provider.c.retired.is_(False))
    for word in words:
        rare = await _is_rare(connection, word)
        wanted.append(_is_listed(word) if rare else _has_word(word))
    if query.words.strip() and not words:
        wanted.append(t.provider.c.provider_id == "")  # no searchable word: no match
    if query.specialty:
        wanted.append(t.provider.c.specialty_key == sort_key(query.specialty))
    if query.clinic_id is not None:
        wanted.append(t.provider.c.clinic_id == query.clinic_id)
    return wanted


def _begins(column: ColumnElement[str], word: str) -> ColumnElement[bool]:
    return and_(column >= word, column < after_prefix(word))


async def _is_rare(connection: AsyncConnection, word: str) -> bool:
    """Whether the word is rare enough that listing its hits first is faster."""
    hits = 0
    for column in (t.provider_word.c.word, t.clinic_word.c.word):
        some = select(column).where(_begins(column, word)).limit(RARE_MAX).subquery()
        hits += await connection.scalar(select(func.count()).select_from(some)) or 0
    return hits < RARE_MAX


def _is_listed(word: str) -> ColumnElement[bool]:
    """Condition for rare words: the id is among the hits of the prefix ``word``."""
    own, clinics = t.provider_word.c, t.clinic_word.c
    by_own = select(own.provider_id).where(_begins(own.word, word))
    by_clinic = (
        select(t.provider.c.provider_id)
        .join(t.clinic_word, clinics.clinic_id == t.provider.c.clinic_id)
        .where(_begins(clinics.word, word))
    )
    either = union(by_own, by_clinic).subquery()
    return t.provider.c.provider_id.in_(select(either.c.provider_id))


def _has_word(word: str) -> ColumnElement[bool]:
    """Condition for frequent words: each row is checked for the prefix ``word``."""
    own, clinics, who = t.provider_word.c, t.clinic_word.c, t.provider.c
    mine, its = own.provider_id == who.provider_id, clinics.clinic_id == who.clinic_id
    return or_(
        exists().where(mine, _begins(own.word, word)),
        exists().where(its, _begins(clinics.word, word)),
    )


async def _search(
    connection: AsyncConnection,
    query: ProviderQuery,
    start: tuple[Any, ...] | None,
    limit: int,
) -> Found:
    if query.near is not None:
        return await _nearest(connection, query, start, limit)
    name, provider_id = t.provider.c.sort_name, t.provider.c.provider_id
    wanted = await _conditions(connection, query)
    statement = select(provider_id, name).where(*wanted)
    if start is not None:
        later = or_(name > start[0], provider_id > start[1])
        statement = statement.where(and_(name >= start[0], later))
    statement = statement.order_by(name, provider_id).limit(limit)
    rows = (await connection.execute(statement)).all()
    return [(ProviderId(row[0]), row[1]) for row in rows]


async def _nearest(
    connection: AsyncConnection,
    query: ProviderQuery,
    start: tuple[Any, ...] | None,
    limit: int,
) -> Found:
    """Matching providers by distance, those of unknown location last."""
    assert query.near is not None
    found: Found = []
    wanted = await _conditions(connection, query)
    for ring in _rings(query.within_km):
        asked = _within(wanted, query.near, ring)
        async with connection.stream(asked) as rows:
            parts = rows.partitions(ROWS_AT_ONCE)
            found = await closest(query.near, parts, ring, start, limit)
        if len(found) >= limit:
            break
    return found


async def closest(
    near: Point,
    parts: AsyncIterator[Sequence[Any]],
    ring: float | None,
    start: tuple[Any, ...] | None,
    limit: int,
) -> Found:
    """The closest ``limit`` of all rows, keeping few in memory at a time."""
    best: list[tuple[float, str]] = []
    known: dict[Point, float] = {}  # many providers share a clinic
    async for part in parts:
        if len(known) > PLACES_MAX:
            known.clear()
        measured = _measured(near, part, ring, start, known)
        best = nsmallest(limit, chain(best, measured))
    return [(ProviderId(provider_id), away) for away, provider_id in best]


def _rings(within_km: float | None) -> list[float | None]:
    if within_km is None:
        return [*RINGS_KM, None]
    return [*(ring for ring in RINGS_KM if ring < within_km), within_km]


def _within(
    wanted: Sequence[ColumnElement[bool]], near: Point, ring: float | None
) -> Select[tuple[str, float, float]]:
    place = t.clinic.c
    statement = (
        select(t.provider.c.provider_id, place.latitude, place.longitude)
        .select_from(_FROM)
        .where(*wanted)
    )
    if ring is None:
        return statement
    south, north, west, east = box(near, ring)
    return statement.where(
        place.latitude.between(south, north), place.longitude.between(west, east)
    )


def _measured(
    near: Point,
    rows: Sequence[Any],
    ring: float | None,
    start: tuple[Any, ...] | None,
    known: dict[Point, float],
) -> list[tuple[float, str]]:
    found: list[tuple[float, str]] = []
    for provider_id, latitude, longitude in rows:
        if latitude is None or longitude is None:
            found.append((UNKNOWN_KM, provider_id))
            continue
        there = (latitude, longitude)
        away = known.get(there)
        if away is None:
            away = known[there] = distance_km(near, there)
        if ring is None or away <= ring:
            found.append((away, provider_id))
    return found if start is None else [one for one in found if one > start]


def _placed(listing: ProviderListing, key: float | str) -> ProviderListing:
    if isinstance(key, str) or key >= UNKNOWN_KM:
        return listing
    return structs.replace(listing, distance_km=key)


async def _listings(
    connection: AsyncConnection, provider_ids: Sequence[ProviderId]
) -> dict[ProviderId, ProviderListing]:
    found: dict[ProviderId, ProviderListing] = {}
    for start in range(0, len(provider_ids), IDS_PER_STATEMENT):
        some = provider_ids[start : start + IDS_PER_STATEMENT]
        types = await visit_types_of(connection, some)
        mine = t.provider.c
        columns = (mine.provider_id, mine.specialty, mine.languages, mine.about)
        name = mine.name.label("provider_name")
        more = (mine.retired, mine.resource_kind, mine.resource_tags)
        query = select(*columns, *more, name, t.clinic).select_from(_FROM)
        rows = await connection.execute(query.where(mine.provider_id.in_(some)))
        for row in rows.mappings():
            profile = Profile(
                name=row["provider_name"],
                specialty=row["specialty"],
                clinic=clinic_of(row),
                languages=tuple(row["languages"]),
                about=row["about"],
                retired=bool(row["retired"]),
                resource=_resource(row["resource_kind"], row["resource_tags"]),
            )
            provider_id = ProviderId(row["provider_id"])
            offered = tuple(types.get(provider_id, ()))
            found[provider_id] = ProviderListing(provider_id, profile, offered)
    return found


def _resource(kind: str, tags: Sequence[str] | None) -> Resource | None:
    return Resource(ResourceKind(kind), tuple(tags or ())) if kind else None


async def visit_types_of(
    connection: AsyncConnection, provider_ids: Sequence[ProviderId]
) -> dict[ProviderId, list[VisitType]]:
    """The active visit types of each provider, in their order."""
    wanted = t.visit_type.c.provider_id.in_(provider_ids)
    return await visit_types_where(connection, wanted)


async def visit_types_where(
    connection: AsyncConnection, wanted: ColumnElement[bool]
) -> dict[ProviderId, list[VisitType]]:
    """The same of the providers that meet a condition."""
    mine = t.visit_type.c
    fields = (mine[field] for field in _VISIT_TYPE_FIELDS)
    query = (
        select(mine.provider_id, mine.locations, *fields)
        .where(wanted, mine.active)
        .order_by(mine.provider_id, mine.position)
    )
    found: dict[ProviderId, list[VisitType]] = {}
    # Many providers offer the same ones.
    known: dict[tuple[Any, ...], VisitType] = {}
    for provider_id, locations, *given in await connection.execute(query):
        key = (*given, *locations)
        kind = known.get(key)
        if kind is None:
            values = dict(zip(_VISIT_TYPE_FIELDS, given, strict=True))
            kind = known[key] = VisitType(**values, locations=tuple(locations))
        found.setdefault(provider_id, []).append(kind)
    return found
