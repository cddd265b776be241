"""Provider to shard: a stable hash over a fixed number of shards.

The number of shards is fixed for the life of a site: another number means re-keyed
journals. With placement "provider" every provider is a shard of its own.
"""

from __future__ import annotations

import zlib
from enum import StrEnum
from typing import Protocol

from actors.domain.ids import ProviderId, ShardId


class Placement(StrEnum):
    """How providers are spread: many per shard, or one each."""

    SHARD = "shard"
    PROVIDER = "provider"


class Placing(Protocol):
    """Which shard decides about a provider."""

    def __call__(self, provider: ProviderId, /) -> ShardId:
        """The shard of ``provider``: the same on every machine, for ever."""
        ...


def shard_name(index: int) -> ShardId:
    """The id of the shard with this index: ``s0007``."""
    return ShardId(f"s{index:04d}")


def placing(placement: Placement, shards: int) -> Placing:
    """The function that places providers over ``shards`` shards.

    CRC-32 of the id's UTF-8 bytes, modulo the number of shards; never Python's
    ``hash``, which differs from process to process.
    """
    if placement is Placement.PROVIDER:
        return lambda provider: ShardId(provider)
    if shards < 1:
        raise ValueError(f"shards must be at least 1, not {shards}")
    names = [shard_name(index) for index in range(shards)]
    return lambda provider: names[zlib.crc32(provider.encode()) % shards]
