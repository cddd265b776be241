"""Entries of the audit trail and how they are chained; pure.

An entry says who did what to what, about which person, when and with what outcome. It
holds ids and names of fields, never values: an erased person's entries stay valid.

Entries of one tenant are chained: each hash is an HMAC over the hash before it and the
entry's canonical form, under a key that is not in the database in the clear.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from msgspec import Struct, json

from actors.domain.ids import Millis

SITE_TENANT: Final = "site"
"""The tenant of what belongs to no clinic: accounts, keys, the platform."""
FIRST_HASH: Final = ""
"""The hash before a tenant's first entry."""


class Draft(Struct, frozen=True):
    """An entry that has no place in the chain yet.

    ``actor``: the account that acted, or the subject of a token without one.
    ``person``: the patient that it is about, or the provider whose schedule was read,
    with all patients on it; empty if it is about neither.
    """

    tenant: str
    at: Millis
    actor: str
    action: str
    person: str = ""
    body: Mapping[str, Any] = {}


class Entry(Struct, frozen=True):
    """An entry at its place. ``body`` is canonical JSON, ``hash`` chains it."""

    tenant: str
    seq: int
    at: Millis
    actor: str
    person: str
    action: str
    body: str
    hash: str


class Head(Struct, frozen=True):
    """The end of a tenant's chain."""

    tenant: str
    seq: int
    hash: str
    at: Millis


def canonical(value: Any) -> bytes:
    """Canonical JSON: sorted keys, no spaces."""
    return _encode(value)


_encode: Final = json.Encoder(order="deterministic").encode


def tenant_key(site_key: bytes, tenant: str) -> bytes:
    """The key of a tenant's chain, from the site's audit key."""
    return hmac.digest(site_key, b"slotcast audit|" + tenant.encode(), sha256)


def chained(key: bytes, before: str, entry: Entry) -> str:
    """The hash of an entry that follows ``before``; its own ``hash`` is not read."""
    return _chained(
        key,
        before,
        entry.tenant,
        entry.seq,
        entry.at,
        entry.actor,
        entry.person,
        entry.action,
        entry.body,
    )


def _chained(key: bytes, before: str, *fields: str | int) -> str:
    """``fields`` are an entry's, in its order, up to the body."""
    made = hmac.digest(key, before.encode() + b"\n" + _encode(fields), sha256)
    return urlsafe_b64encode(made).decode().rstrip("=")


def next_entry(key: bytes, head: Head, draft: Draft) -> Entry:
    """A draft as the entry after ``head``."""
    fields = (
        draft.tenant,
        head.seq + 1,
        draft.at,
        draft.actor,
        draft.person,
        draft.action,
        _encode(draft.body).decode(),
    )
    return Entry(*fields, _chained(key, head.hash, *fields))


def no_head(tenant: str) -> Head:
    """The head of a chain without entries."""
    return Head(tenant, 0, FIRST_HASH, Millis(0))


def head_of(entry: Entry) -> Head:
    """The head of a chain that ends with this entry."""
    return Head(entry.tenant, entry.seq, entry.hash, entry.at)


def address_hash(key: bytes, address: str) -> str:
    """A keyed digest of a network address for an entry: equal for equal addresses."""
    if not address:
        return ""
    made = hmac.digest(key, b"address|" + address.encode(), sha256)
    return urlsafe_b64encode(made[:12]).decode()
