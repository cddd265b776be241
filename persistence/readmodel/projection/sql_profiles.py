"""Writes providers, visit types and clinics, whose rows are replaced as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import structs
from sqlalchemy import (
    Connection,
    RowMapping,
    bindparam,
    delete,
    insert,
    select,
    update,
)

from actors.domain.ids import ClinicId, ShardId
from actors.domain.rules import Clinic
from care.directory.words import sort_key
from persistence.readmodel import tables as t
from persistence.readmodel.projection.operations import (
    PutClinic,
    PutProvider,
    PutVisitTypes,
    newer,
)
from persistence.readmodel.projection.plan import Plan
from persistence.readmodel.search_words import clinic_words, provider_words
from persistence.sql.change_log import ChangeKind, note_changes
from persistence.sql.statements import portions

_CLINIC_FIELDS = Clinic.__struct_fields__


def write_profiles(connection: Connection, shard: ShardId, plan: Plan) -> None:
    """Write the providers, visit types and clinics of one batch."""
    if plan.clinics:
        _write_clinics(connection, list(plan.clinics.values()))
    if plan.providers:
        _write_providers(connection, shard, list(plan.providers.values()))
    if plan.visit_types:
        _write_visit_types(connection, list(plan.visit_types.values()))
    changed = {*plan.providers, *plan.visit_types}
    note_changes(connection, t.directory_change, ChangeKind.PROVIDER, changed)


def _write_providers(
    connection: Connection, shard: ShardId, puts: Sequence[PutProvider]
) -> None:
    ids = [{"of_provider": put.provider_id} for put in puts]
    for table in (t.provider, t.provider_word):
        mine = table.c.provider_id == bindparam("of_provider")
        connection.execute(delete(table).where(mine), ids)
    rows = [provider_row(shard, put) for put in puts]
    connection.execute(insert(t.provider), rows)
    words = [
        {"word": word, "provider_id": put.provider_id}
        for put in puts
        for word in sorted(provider_words(put.profile))
    ]
    if words:
        connection.execute(insert(t.provider_word), words)


def provider_row(shard: ShardId, put: PutProvider) -> dict[str, Any]:
    """A provider as a row."""
    profile = put.profile
    return {
        "provider_id": put.provider_id,
        "shard": shard,
        "seq": put.seq,
        "version": put.version,
        "name": profile.name,
        "sort_name": sort_key(profile.name),
        "specialty": profile.specialty,
        "specialty_key": sort_key(profile.specialty),
        "clinic_id": profile.clinic.clinic_id,
        "languages": list(profile.languages),
        "about": profile.about,
        # Neither is found; which of both it is, the calendar says.
        "retired": profile.retired or profile.suspended,
        "resource_kind": "" if profile.resource is None else profile.resource.kind,
        "resource_tags": None
        if profile.resource is None
        else list(profile.resource.tags),
    }


def _write_visit_types(connection: Connection, puts: Sequence[PutVisitTypes]) -> None:
    table = t.visit_type
    mine = table.c.provider_id == bindparam("of_provider")
    ids = [{"of_provider": put.provider_id} for put in puts]
    connection.execute(delete(table).where(mine), ids)
    rows = [
        {
            "provider_id": put.provider_id,
            "position": position,
            **{
                field: value
                for field, value in structs.asdict(visit_type).items()
                if field in table.c
            },
            "locations": list(visit_type.locations),
        }
        for put in puts
        for position, visit_type in enumerate(put.visit_types)
    ]
    if rows:
        connection.execute(insert(table), rows)


def _write_clinics(connection: Connection, puts: Sequence[PutClinic]) -> None:
    known = clinic_rows(connection, [put.clinic.clinic_id for put in puts])
    new, changed = [], []
    # Sorted, so that shards that insert the same clinics do not deadlock.
    for put in sorted(puts, key=lambda put: put.clinic.clinic_id):
        row = known.get(put.clinic.clinic_id)
        stamp = {"registered_at": put.at, "registered_by": put.provider_id}
        if row is None:
            new.append((put.clinic, {**stamp, "imported": False}))
        elif not row["imported"] and newer(
            put, row["registered_at"], row["registered_by"]
        ):
            changed.append((put.clinic, {**stamp, "imported": False}))
    save_clinics(connection, new, changed)


def clinic_rows(
    connection: Connection, ids: Sequence[str]
) -> Mapping[ClinicId, RowMapping]:
    """The existing rows of these clinics, locked until the transaction's end.

    Shards share clinics: no other transaction may write a row between this read and the
    later write. Locked in sorted order, so that two transactions do not deadlock.
    (SQLite has one writer anyway.)
    """
    found: dict[ClinicId, RowMapping] = {}
    for some in portions(sorted(ids)):
        mine = t.clinic.c.clinic_id
        query = select(t.clinic).where(mine.in_(some)).order_by(mine)
        query = query.with_for_update()
        for row in connection.execute(query).mappings():
            found[ClinicId(row["clinic_id"])] = row
    return found


def clinic_of(row: RowMapping) -> Clinic:
    """A row as a clinic."""
    return Clinic(**{field: row[field] for field in _CLINIC_FIELDS})


Stamped = tuple[Clinic, dict[str, Any]]
"""A clinic, and the event that its row comes from."""


def save_clinics(
    connection: Connection, new: Sequence[Stamped], changed: Sequence[Stamped]
) -> None:
    """Insert new clinics and update changed ones, with their search words."""
    table = t.clinic
    if new:
        rows = [{**structs.asdict(clinic), **stamp} for clinic, stamp in new]
        connection.execute(insert(table), rows)
    if changed:
        columns = [c.name for c in table.c if c.name != "clinic_id"]
        statement = (
            update(table)
            .where(table.c.clinic_id == bindparam("of_clinic"))
            .values({column: bindparam(f"new_{column}") for column in columns})
        )
        connection.execute(statement, [_update_row(*one) for one in changed])
        mine = t.clinic_word.c.clinic_id == bindparam("of_clinic")
        ids = [{"of_clinic": clinic.clinic_id} for clinic, _ in changed]
        connection.execute(delete(t.clinic_word).where(mine), ids)
    written = [clinic.clinic_id for clinic, _ in (*new, *changed)]
    note_changes(connection, t.directory_change, ChangeKind.CLINIC, written)
    words = _word_rows(clinic for clinic, _ in (*new, *changed))
    if words:
        connection.execute(insert(t.clinic_word), words)


def _update_row(clinic: Clinic, stamp: dict[str, Any]) -> dict[str, Any]:
    row = {**structs.asdict(clinic), **stamp}
    of_clinic = row.pop("clinic_id")
    return {"of_clinic": of_clinic, **{f"new_{k}": v for k, v in row.items()}}


def _word_rows(clinics: Iterable[Clinic]) -> list[dict[str, str]]:
    return [
        {"word": word, "clinic_id": clinic.clinic_id}
        for clinic in clinics
        for word in sorted(clinic_words(clinic))
    ]
