"""What ``slotcast doctor`` looks at: what is, and what to do about it."""

from __future__ import annotations

import asyncio
import ctypes
import shutil
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from actors.errors import Unavailable
from care.accounts.breached import BreachedPasswords
from cluster.site.settings import Settings
from cluster.site.site import Site
from cluster.terminal.obstacle import Obstacle
from cluster.wiring.blobs import open_blobs
from cluster.wiring.keys import check_keys
from persistence.files.documents.clamd import ClamdScanner
from persistence.grants.operating import administrators
from persistence.sql.engine import open_engine
from persistence.sql.records import Records

MIB: Final = 1024 * 1024
ANSWER_S: Final = 5.0
"""How long a service may take to answer."""
_OTHERS: Final = 0o077
_TIMEX_BYTES: Final = 256
"""Room for the kernel's struct timex, all zero: it asks and sets nothing."""
_UNSYNCHRONISED: Final = 5
"""TIME_ERROR of adjtimex(2)."""


class Diagnosis(Struct, frozen=True):
    """One finding. ``bad`` must be put right, ``warn`` should be looked at."""

    name: str
    level: Literal["ok", "warn", "bad"]
    said: str
    remedy: str = ""


async def examine(site: Site) -> list[Diagnosis]:
    """All findings about a site; changes nothing."""
    found = [*of_settings(site.settings), *of_secrets(site.folder.path)]
    found += [of_disk(site), of_clock(clock_state())]
    checks: tuple[Callable[[Site], Awaitable[Diagnosis]], ...] = (
        _keys,
        _database,
        _records,
        _administrator,
        _blobs,
        _clamd,
        _mail,
    )
    for check in checks:
        found.append(await check(site))
    return found


def of_settings(settings: Settings) -> Iterator[Diagnosis]:
    """What the settings alone show."""
    yield _demo(settings)
    yield _tls(settings)
    yield _proxy(settings)
    yield _breached(settings)
    if settings.audit_anchors is None and not settings.is_loopback:
        yield Diagnosis(
            "audit anchors",
            "warn",
            "are in the data folder, beside what they are to prove",
            "Set SLOTCAST_AUDIT_ANCHORS to a folder that only takes additions.",
        )
    if settings.journal_is_redis and not settings.blobs:
        yield Diagnosis(
            "photos",
            "warn",
            "are in this machine's data folder: other machines do not show them",
            "Set SLOTCAST_BLOBS to Azure Blob Storage, or to a folder that all share.",
        )
    if settings.metrics_token == "" and settings.behind_proxy:
        yield Diagnosis(
            "metrics",
            "ok",
            "only programs on this machine may read them",
        )


def _demo(settings: Settings) -> Diagnosis:
    if settings.is_loopback and not settings.public_url:
        return Diagnosis("demo tokens", "ok", "this machine alone reaches the server")
    if settings.demo == "off":
        return Diagnosis("demo tokens", "ok", "are refused")
    return Diagnosis(
        "demo tokens",
        "bad",
        "tokens of `slotcast token` name any role and are accepted, and others can "
        "reach this server",
        "Set SLOTCAST_DEMO=off.",
    )


def _tls(settings: Settings) -> Diagnosis:
    if settings.public_url.startswith("https://"):
        return Diagnosis("TLS", "ok", f"people use {settings.public_url}")
    if settings.is_loopback and not settings.public_url:
        return Diagnosis("TLS", "ok", "this machine alone reaches the server")
    return Diagnosis(
        "TLS",
        "bad",
        "passwords and health data travel unencrypted",
        "Put a proxy with TLS before it (cluster/deploy/nginx.conf) and set "
        "SLOTCAST_PUBLIC_URL=https://…",
    )


def _proxy(settings: Settings) -> Diagnosis:
    is_public = bool(settings.public_url)
    if is_public and settings.is_loopback and not settings.behind_proxy:
        return Diagnosis(
            "proxy",
            "bad",
            "all callers seem to have the proxy's address, and share its limits",
            "Set SLOTCAST_BEHIND_PROXY=true and SLOTCAST_TRUSTED_PROXIES.",
        )
    if settings.behind_proxy and settings.trusted_proxies.strip() in {"*", "0.0.0.0/0"}:
        return Diagnosis(
            "proxy",
            "bad",
            "every caller may say which address it has",
            "Set SLOTCAST_TRUSTED_PROXIES to the addresses of your proxies.",
        )
    return Diagnosis("proxy", "ok", "callers are known by their addresses")


def _breached(settings: Settings) -> Diagnosis:
    path = settings.breached_passwords
    if path is None:
        return Diagnosis(
            "stolen passwords",
            "warn",
            "there is no list; only common passwords are refused",
            "Download the list of haveibeenpwned.com, and set "
            "SLOTCAST_BREACHED_PASSWORDS.",
        )
    try:
        BreachedPasswords(path).close()
    except (OSError, ValueError) as error:
        return Diagnosis(
            "stolen passwords",
            "bad",
            f"{path} cannot be used: {error}",
            "Name a file with sorted lines SHA1:count.",
        )
    return Diagnosis("stolen passwords", "ok", f"are refused by {path}")


def of_secrets(folder: Path) -> Iterator[Diagnosis]:
    """Whether others on the machine can read secrets."""
    secrets = folder / "secrets"
    paths = [secrets, *sorted(secrets.rglob("*"))] if secrets.is_dir() else []
    loose = [path for path in paths if path.stat().st_mode & _OTHERS]
    for path in loose:
        mode = path.stat().st_mode & 0o777
        wanted = "700" if path.is_dir() else "600"
        yield Diagnosis(
            "secrets",
            "bad",
            f"{path} can be read by others (mode {mode:o})",
            f"chmod {wanted} {path}",
        )
    if not loose:
        yield Diagnosis("secrets", "ok", "only this user can read them")


def of_disk(site: Site) -> Diagnosis:
    """Whether there is room for a day of bookings."""
    free = shutil.disk_usage(site.folder.path).free // MIB
    least = site.settings.disk_free_mib_min
    if free < least:
        return Diagnosis(
            "disk",
            "bad",
            f"{free:,} MiB are free where {least:,} are needed",
            "Make room: at a full disk bookings stop.",
        )
    level: Literal["ok", "warn"] = "ok" if free >= 4 * least else "warn"
    remedy = "" if level == "ok" else "Make room soon."
    return Diagnosis("disk", level, f"{free:,} MiB are free", remedy)


def clock_state() -> int:
    """What the kernel says of its clock; see adjtimex(2)."""
    kernel = ctypes.CDLL(None)
    return int(kernel.adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES)))


def of_clock(state: int) -> Diagnosis:
    """Whether the clock is kept by a time server."""
    if state == _UNSYNCHRONISED:
        return Diagnosis(
            "clock",
            "warn",
            "no time server sets it; holds and tokens end by it",
            "Run chrony or systemd-timesyncd.",
        )
    return Diagnosis("clock", "ok", "is set by a time server")


async def _keys(site: Site) -> Diagnosis:
    try:
        await asyncio.wait_for(check_keys(site), ANSWER_S)
    except Obstacle as obstacle:
        return Diagnosis("keys", "bad", obstacle.wrong, obstacle.remedy)
    except TimeoutError:
        return Diagnosis("keys", "warn", "the records do not answer")
    if not site.settings.keys:
        return Diagnosis(
            "keys",
            "warn",
            "the key encryption key is in the data folder, with what it protects",
            "Keep a copy elsewhere; better, set SLOTCAST_KEYS from a secret store.",
        )
    return Diagnosis("keys", "ok", "all data keys can be unwrapped")


async def _database(site: Site) -> Diagnosis:
    return await _asked("read model", site.database_url)


async def _records(site: Site) -> Diagnosis:
    return await _asked("records", site.records_url)


async def _administrator(site: Site) -> Diagnosis:
    """Whether an account administers the platform; a demo's people may."""
    records = Records(site.records_url)
    try:
        async with asyncio.timeout(ANSWER_S):
            number = await administrators(records)
    except (DBAPIError, Unavailable, TimeoutError):
        return Diagnosis("administrator", "warn", "the records do not tell")
    finally:
        await records.close()
    if number:
        return Diagnosis("administrator", "ok", f"{number} can sign in")
    return Diagnosis(
        "administrator",
        "ok" if site.settings.is_demo else "warn",
        "no account administers the platform",
        "Register an address, confirm it, then: slotcast accounts make-admin ADDRESS.",
    )


async def _asked(name: str, url: str) -> Diagnosis:
    """Whether a database answers."""
    engine = open_engine(url, "reader")
    try:
        async with asyncio.timeout(ANSWER_S), engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
    except (DBAPIError, OSError, TimeoutError) as error:
        return Diagnosis(
            name,
            "bad",
            f"does not answer ({type(error).__name__})",
            "Start the database, or correct its address; bookings go on meanwhile.",
        )
    finally:
        await engine.dispose()
    return Diagnosis(name, "ok", "answers")


async def _blobs(site: Site) -> Diagnosis:
    """Whether the store of photos and documents answers."""
    remedy = "Correct SLOTCAST_BLOBS or its credentials; photos and documents need it."
    try:
        blobs = open_blobs(site)
    except Obstacle as obstacle:
        return Diagnosis("blobs", "bad", obstacle.wrong, obstacle.remedy)
    try:
        async with asyncio.timeout(ANSWER_S):
            await anext(blobs.list("photos/"), None)
    except (Unavailable, TimeoutError) as error:
        return Diagnosis("blobs", "bad", f"cannot be listed ({error})", remedy)
    finally:
        await blobs.close()
    return Diagnosis("blobs", "ok", "can be listed")


async def _clamd(site: Site) -> Diagnosis:
    """Whether documents of patients are scanned for malware."""
    if not site.settings.clamd:
        said = "documents of patients are not scanned for malware"
        return Diagnosis("clamd", "warn", said, "Set SLOTCAST_CLAMD.")
    try:
        async with asyncio.timeout(ANSWER_S):
            await ClamdScanner(site.settings.clamd).ping()
    except (Unavailable, TimeoutError) as error:
        remedy = "Start clamd, or correct SLOTCAST_CLAMD; documents wait meanwhile."
        return Diagnosis("clamd", "bad", f"does not answer ({error})", remedy)
    return Diagnosis("clamd", "ok", "answers")


async def _mail(site: Site) -> Diagnosis:
    settings = site.settings
    if not settings.mail:
        level: Literal["ok", "bad"] = "ok" if settings.is_demo else "bad"
        remedy = "" if settings.is_demo else "Set SLOTCAST_MAIL and SLOTCAST_MAIL_FROM."
        said = "messages are written to outgoing/ in the data folder"
        return Diagnosis("mail", level, said, remedy)
    if settings.mail_from.endswith("localhost.localdomain>"):
        return Diagnosis(
            "mail",
            "bad",
            "is sent from an address that does not exist",
            "Set SLOTCAST_MAIL_FROM.",
        )
    return await _mail_server(settings)


async def _mail_server(settings: Settings) -> Diagnosis:
    from urllib.parse import urlsplit

    parsed = urlsplit(settings.mail)
    port = parsed.port or (465 if parsed.scheme == "smtps" else 587)
    try:
        opening = asyncio.open_connection(parsed.hostname, port)
        _, writer = await asyncio.wait_for(opening, ANSWER_S)
    except (OSError, TimeoutError) as error:
        return Diagnosis(
            "mail",
            "bad",
            f"the server does not answer ({type(error).__name__})",
            "Start it, or correct SLOTCAST_MAIL.",
        )
    writer.close()
    return Diagnosis("mail", "ok", f"{parsed.hostname} takes connections")
