"""Assembles a shard, in any process.

A shard's process imports this module by name and gets its settings as bytes, so it
stays slim: no FastAPI, SQLAlchemy or pydantic comes in from here.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from actors.domain.ids import ShardId
from actors.domain.rules import Policy
from actors.hosting.collecting import leave_out_survivors
from actors.hosting.mailbox import Mailbox
from actors.ports import SteadyClock
from actors.shard.limits import ShardLimits
from cluster.clock import SystemClock
from cluster.site.stores import StoresConfig, open_journal, open_snapshots

JOURNAL_VARIABLE = "SLOTCAST_JOURNAL"
"""Environment variable with the URL of a journal in Redis: it contains a password,
which must not be in Ray's storage, so each node passes it to its own processes."""
LOGS_VARIABLE = "SLOTCAST_NODE_LOGS"
"""The folder for logs on this node; overrides the configuration's."""
OF_THE_NODE = "redis://of-the-node"
"""Placeholder in a configuration for the URL in ``JOURNAL_VARIABLE``."""


class ShardConfig(Struct, frozen=True):
    """A shard's configuration; ``logs`` is empty if the process already logs."""

    stores: StoresConfig
    policy: Policy
    limits: ShardLimits
    logs: str = ""
    log_level: str = "info"

    def encoded(self) -> bytes:
        """Encoded for another process."""
        return msgspec.msgpack.encode(self)


class ShardStores:
    """A process's own journal and snapshots, for one shard or many. Must be closed."""

    def __init__(self, config: ShardConfig, clock: SteadyClock | None = None) -> None:
        self._config = config
        self._clock = clock or SystemClock()
        self.journal = open_journal(config.stores)
        self.snapshots = open_snapshots(config.stores)

    def mailbox(self, shard: ShardId) -> Mailbox:
        """A shard's mailbox on these stores, not yet started."""
        return Mailbox(
            shard,
            self.journal,
            self.snapshots,
            self._clock,
            self._config.policy,
            self._config.limits,
        )

    async def close(self) -> None:
        """Release files and locks; the mailboxes must be closed before."""
        await self.journal.close()
        await self.snapshots.close()


def make_mailbox(config: bytes, shard: ShardId) -> Mailbox:
    """The mailbox of the one shard of this process, not yet started."""
    leave_out_survivors()
    wanted = msgspec.msgpack.decode(config, type=ShardConfig)
    logs = os.environ.get(LOGS_VARIABLE) or wanted.logs
    if wanted.logs and logs:
        from cluster.logs import log_to

        log_to(Path(logs) / f"shard-{shard}.log", wanted.log_level)
    if wanted.stores.journal == OF_THE_NODE:
        here = replace(wanted.stores, journal=os.environ[JOURNAL_VARIABLE])
        wanted = replace(wanted, stores=here)
    return ShardStores(wanted).mailbox(shard)
