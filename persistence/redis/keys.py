"""The names of a site's keys in Redis.

The part in braces is what a proxy may shard by: a shard's keys stay together.
"""

from __future__ import annotations

from msgspec import Struct

from actors.domain.ids import ShardId


class ShardKeys(Struct, frozen=True):
    """The keys of one shard."""

    stream: str
    """Its journal. Never deleted: with it goes the fence."""
    epochs: str
    """Which seqs each epoch holds."""
    beacon: str
    """Written to learn whether replicas follow."""
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
        """The site's layout; without it nothing is begun."""
        return f"{self.site}:layout"

    @property
    def shards(self) -> str:
        """The shards that have a journal."""
        return f"{self.site}:g{self.generation}:shards"

    @property
    def beacon(self) -> str:
        """Written by readers, to learn whether replicas follow."""
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
