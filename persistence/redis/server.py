"""Checks whether the settings of a Redis can keep the promise of an acknowledgement.

Checked at the start and repeatedly while running, since settings can change. Where
CONFIG is forbidden, as at some hosting providers, INFO gives a part; the rest is
reported as unverified.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from hiredis import ReplyError
from msgspec import Struct

from actors.errors import JournalUnavailable
from persistence.findings import Finding
from persistence.redis.client import RedisStore

OLDEST = (7, 0)
"""The oldest version with functions; replicas need WAITAOF, which came in 7.2."""
SETTINGS = (
    "appendonly",
    "appendfsync",
    "no-appendfsync-on-rewrite",
    "maxmemory-policy",
    "maxmemory",
)


class ServerFacts(Struct, frozen=True):
    """The facts that one server reports about itself."""

    place: str
    info: Mapping[str, str]
    settings: Mapping[str, str] | None
    """The settings; None where CONFIG is forbidden."""
    knows_waitaof: bool

    @property
    def version(self) -> tuple[int, int]:
        """Redis version; Valkey reports the one that it is compatible with."""
        numbers = re.findall(r"\d+", self.info.get("redis_version", ""))
        return (int(numbers[0]), int(numbers[1])) if len(numbers) > 1 else (0, 0)

    @property
    def attached(self) -> int:
        """Replicas that are connected, in whatever state."""
        return int(self.info.get("connected_slaves", "0"))

    @property
    def online(self) -> int:
        """Replicas that are connected and follow."""
        return sum(
            "state=online" in value
            for name, value in self.info.items()
            if re.fullmatch(r"slave\d+", name)
        )

    def setting(self, name: str) -> str:
        """A setting's value; '' if it is unknown."""
        if self.settings is not None:
            return self.settings.get(name, "")
        if name == "appendonly":
            return "yes" if self.info.get("aof_enabled") == "1" else "no"
        return self.info.get(name.replace("-", "_"), "")


async def inspect_server(url: str, replicas: int) -> list[Finding]:
    """Problems of the server's settings, the worst first.

    ``replicas``: how many the site is set up to have.

    Raises:
        JournalUnavailable: it does not answer.
    """
    store = RedisStore(url)
    try:
        return await inspect_store(store, replicas)
    finally:
        await store.close()


async def inspect_store(store: RedisStore, replicas: int) -> list[Finding]:
    """Like ``inspect_server``, over an existing connection."""
    return findings_of(await facts_of(store), replicas)


async def facts_of(store: RedisStore) -> ServerFacts:
    """Ask the server. Raises JournalUnavailable."""
    info, command, *configs = await store.replies(
        ("INFO",),
        ("COMMAND", "INFO", "WAITAOF"),
        *(("CONFIG", "GET", name) for name in SETTINGS),
    )
    if isinstance(info, ReplyError):
        raise JournalUnavailable(f"{store.place}: {info}")
    settings = {
        name: reply[1].decode()
        for name, reply in zip(SETTINGS, configs, strict=True)
        if not isinstance(reply, ReplyError) and reply
    }
    knows = isinstance(command, list) and bool(command) and command[0] is not None
    return ServerFacts(store.place, info_of(info), settings or None, knows)


def info_of(reply: bytes) -> dict[str, str]:
    """The fields of an INFO reply."""
    lines = reply.decode(errors="replace").splitlines()
    return {
        name: value
        for name, colon, value in (line.partition(":") for line in lines)
        if colon
    }


def findings_of(facts: ServerFacts, replicas: int) -> list[Finding]:
    """The problems that these facts show for a site with this number of replicas."""
    found = [
        *_of_the_kind(facts),
        *_of_the_disk(facts),
        *_of_the_memory(facts),
        *_of_the_copies(facts, replicas),
    ]
    return sorted(found, key=lambda one: one.severity != "refuse")


def _of_the_kind(facts: ServerFacts) -> list[Finding]:
    found = []
    if facts.version < OLDEST:
        found.append(
            _refusal(
                f"{facts.place} is Redis {facts.info.get('redis_version', '?')}, which "
                "has no functions.",
                "Use Redis 7.0 or newer, or Valkey.",
            )
        )
    if facts.info.get("role", "master") != "master":
        found.append(
            _refusal(
                f"{facts.place} is a replica.",
                "Put the primary's address into SLOTCAST_JOURNAL.",
            )
        )
    if facts.info.get("cluster_enabled") == "1":
        found.append(
            _refusal(
                f"{facts.place} is part of a Redis Cluster, which loses acknowledged "
                "writes when it fails over.",
                "Use one primary of its own for Slotcast.",
            )
        )
    return found


def _of_the_disk(facts: ServerFacts) -> list[Finding]:
    found = []
    if facts.setting("appendonly") != "yes":
        found.append(
            _refusal(
                f"{facts.place} has appendonly no: a crash loses every booking.",
                "Set appendonly yes in its configuration, and restart it "
                "(CONFIG SET appendonly yes holds until then).",
            )
        )
    if facts.settings is None:
        found.append(
            _warning(
                f"{facts.place} forbids CONFIG, so it could not be verified that "
                "appendfsync is always and no-appendfsync-on-rewrite is no.",
                "Ask its operator, in writing; or allow CONFIG|GET in the ACL.",
            )
        )
    elif (fsync := facts.setting("appendfsync")) != "always":
        found.append(
            _refusal(
                f"{facts.place} has appendfsync {fsync}: a crash loses what it has "
                "acknowledged a moment before.",
                "Set appendfsync always.",
            )
        )
    if facts.setting("no-appendfsync-on-rewrite") == "yes":
        found.append(
            _refusal(
                f"{facts.place} has no-appendfsync-on-rewrite yes: while it rewrites "
                "its file, nothing it acknowledges is on disk.",
                "Set no-appendfsync-on-rewrite no.",
            )
        )
    if facts.info.get("aof_last_write_status", "ok") != "ok":
        found.append(
            _refusal(
                f"{facts.place} failed to write its append-only file recently.",
                "Look at its disk and its log.",
            )
        )
    return found


def _of_the_memory(facts: ServerFacts) -> list[Finding]:
    found = []
    policy = facts.setting("maxmemory-policy")
    if policy and policy != "noeviction":
        found.append(
            _refusal(
                f"{facts.place} has maxmemory-policy {policy}: short of memory, it "
                "evicts bookings.",
                "Set maxmemory-policy noeviction.",
            )
        )
    if facts.setting("maxmemory") in {"", "0"}:
        found.append(
            _warning(
                f"{facts.place} has no maxmemory: it grows until the system kills it.",
                "Set maxmemory to what it may use, at most half of the machine's.",
            )
        )
    return found


def _of_the_copies(facts: ServerFacts, replicas: int) -> list[Finding]:
    if (facts.attached or replicas) and not facts.knows_waitaof:
        return [
            _refusal(
                f"{facts.place} is Redis {facts.info.get('redis_version', '?')} and "
                f"has replicas ({facts.attached} attached, {replicas} in "
                "SLOTCAST_JOURNAL_REPLICAS), but it cannot say what they have on "
                "disk: a failover loses bookings.",
                "Use Redis 7.2 or newer, or Valkey; or run without replicas.",
            )
        ]
    if facts.online < replicas:
        return [
            _refusal(
                f"{facts.place} has {facts.online} replicas that follow it, and "
                f"SLOTCAST_JOURNAL_REPLICAS is {replicas}: nothing can be "
                "acknowledged before all of them have it on disk.",
                "Bring the missing replicas back; only if one is gone for good, lower "
                "SLOTCAST_JOURNAL_REPLICAS.",
            )
        ]
    if facts.attached > replicas:
        return [
            _refusal(
                f"{facts.place} has {facts.attached} replicas attached, and "
                f"SLOTCAST_JOURNAL_REPLICAS is {replicas}: a failover to one that is "
                "not waited for loses bookings.",
                f"Set SLOTCAST_JOURNAL_REPLICAS to {facts.attached}, or detach the "
                "others.",
            )
        ]
    if replicas == 0:
        return [
            _warning(
                f"{facts.place} is the only copy of the bookings: its disk lost is "
                "the journal lost, and while it is down bookings pause.",
                "Attach a replica (Redis 7.2 or newer, or Valkey) and set "
                "SLOTCAST_JOURNAL_REPLICAS to 1; keep backups.",
            )
        ]
    return []


def _refusal(sentence: str, remedy: str) -> Finding:
    return Finding("refuse", sentence, remedy)


def _warning(sentence: str, remedy: str) -> Finding:
    return Finding("warn", sentence, remedy)
