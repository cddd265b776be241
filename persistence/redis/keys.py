"""The names of a site's keys in Redis.

The part in braces is the hash tag, so that a proxy keeps a shard's keys together.
"""

from __future__ import annotations

from msgspec import Struct

from actors.domain.ids import ShardId


class ShardKeys(Struct, frozen=True):
    """The keys of one shard."""

    stream: str
    """Its journal. Never deleted, because the fence would be lost with it."""
    epochs: str
    """The range of seqs of each epoch."""
    beacon: str
    """Written to find out whether replicas follow."""
    shelf: str
    """Epoch and position of the snapshots."""
    calendars: str
    """The snapshots."""


class SiteKeys(Struct, frozen=True):
    """The keys of one generation of a site."""

    site: str
    generation: int = 1

    @property
    def layout(self) -> str:
        """The site's layout; without it no journal is created."""
        return f"{self.site}:layout"

    @property
    def shards(self) -> str:
        """The shards that have a journal."""
        return f"{self.site}:g{self.generation}:shards"

    @property
    def beacon(self) -> str:
        """Written by readers to find out whether replicas follow."""
        return f"{self.site}:g{self.generation}:beacon"

    def of(self, shard: ShardId) -> ShardKeys:
        """The keys of a shard."""
        prefix = f"{self.site}:{{{shard}}}:g{self.generation}"
        return ShardKeys(
            f"{prefix}:journal",
            f"{prefix}:epochs",
            f"{prefix}:beacon",
            f"{prefix}:shelf",
            f"{prefix}:calendars",
        )
