"""How a shard is put together, in whatever process it lives.

A shard's process imports this module by name and gets its settings as bytes, so it
stays slim: no FastAPI, SQLAlchemy or pydantic comes in from here.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct

from actors.domain.ids import ShardId
from actors.domain.rules import Policy
from actors.limits import Limits
from actors.mailbox import Mailbox
from cluster.clock import SystemClock
from persistence.journal_file import FileJournal
from persistence.snapshots import FileSnapshots


class ShardConfig(Struct, frozen=True):
    """What a shard needs to know; ``logs`` empty means: this process logs already."""

    journal: str
    snapshots: str
    policy: Policy
    limits: Limits
    journal_budget_bytes: int = 0
    logs: str = ""
    log_level: str = "info"

    def encoded(self) -> bytes:
        """As it travels to another process."""
        return msgspec.msgpack.encode(self)


class ShardStores:
    """A process's own journal and snapshots, for one shard or many. Must be closed."""

    def __init__(self, config: ShardConfig) -> None:
        self._config = config
        self.journal = FileJournal(
            Path(config.journal), budget_bytes=config.journal_budget_bytes
        )
        self.snapshots = FileSnapshots(Path(config.snapshots))

    def mailbox(self, shard: ShardId) -> Mailbox:
        """A shard's mailbox on these stores, not yet started."""
        return Mailbox(
            shard,
            self.journal,
            self.snapshots,
            SystemClock(),
            self._config.policy,
            self._config.limits,
        )

    async def close(self) -> None:
        """Give files and locks back; the mailboxes must be closed before."""
        await self.journal.close()
        await self.snapshots.close()


def make_mailbox(config: bytes, shard: ShardId) -> Mailbox:
    """The mailbox of the one shard of this process, not yet started."""
    wanted = msgspec.msgpack.decode(config, type=ShardConfig)
    if wanted.logs:
        from cluster.logs import log_to

        log_to(Path(wanted.logs) / f"shard-{shard}.log", wanted.log_level)
    return ShardStores(wanted).mailbox(shard)
