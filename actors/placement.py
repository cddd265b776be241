"""Provider to shard: a stable hash over a fixed number of shards, and exceptions.

The number of shards is fixed for a generation of journals; ``slotcast reshard`` writes
the next generation with another number, or the other placement. A shard's id carries
the generation (``g2-s0007``; the first one's has none), so that journals, offsets,
actors and event ids of two generations cannot be confused. With placement "provider"
every provider is a shard of its own; with "shard" an isolated one is (``x-prv_...``).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

from actors.domain.ids import ProviderId, ShardId

_GENERATION = re.compile(r"g(\d+)-", re.ASCII)
_ISOLATED = re.compile(r"(?:g\d+-)?x-", re.ASCII)
_NONE: Mapping[str, str] = MappingProxyType({})


class Placement(StrEnum):
    """How providers are spread: many per shard, or one each."""

    SHARD = "shard"
    PROVIDER = "provider"


class Placing(Protocol):
    """Which shard decides about a provider."""

    def __call__(self, provider: ProviderId, /) -> ShardId:
        """The shard of ``provider``: the same on every machine."""
        ...


def shard_name(index: int, generation: int = 1) -> ShardId:
    """The id of the shard with this index: ``s0007``."""
    return _of(generation, f"s{index:04d}")


def isolated_shard(provider: ProviderId, generation: int = 1) -> ShardId:
    """The id of the shard that this provider has when it is isolated."""
    return _of(generation, f"x-{provider}")


def is_isolated(shard: ShardId) -> bool:
    """Whether this shard is for one isolated provider, whose calendar comes to it."""
    return _ISOLATED.match(shard) is not None


def generation_of(shard: str) -> int:
    """Which generation of journals this shard belongs to."""
    match = _GENERATION.match(shard)
    return int(match[1]) if match else 1


def _of(generation: int, name: str) -> ShardId:
    return ShardId(name if generation == 1 else f"g{generation}-{name}")


def placing(
    placement: Placement,
    shards: int,
    isolated: Mapping[str, str] = _NONE,
    generation: int = 1,
) -> Placing:
    """The function that places providers over ``shards`` shards.

    CRC-32 of the id's UTF-8 bytes, modulo the number of shards; never Python's
    ``hash``, which differs from process to process. ``isolated`` are exceptions:
    provider to shard.
    """
    if placement is Placement.PROVIDER:
        return lambda provider: _of(generation, provider)
    if shards < 1:
        raise ValueError(f"shards must be at least 1, not {shards}")
    names = [shard_name(index, generation) for index in range(shards)]

    def place(provider: ProviderId) -> ShardId:
        return names[zlib.crc32(provider.encode()) % shards]

    return Places(place, isolated) if isolated else place


class Places:
    """A placement with exceptions, which are learnt while the process runs.

    A shard that a calendar left names its new shard; the last answer wins.
    """

    def __init__(self, placing: Placing, moved: Mapping[str, str] = _NONE) -> None:
        self._placing = placing
        self._moved = {
            ProviderId(provider): ShardId(shard) for provider, shard in moved.items()
        }

    def __call__(self, provider: ProviderId, /) -> ShardId:
        """The shard of ``provider``, as far as it is known here."""
        return self._moved.get(provider) or self._placing(provider)

    def note(self, provider: ProviderId, shard: ShardId) -> None:
        """This provider's calendar has moved to ``shard``."""
        self._moved[provider] = shard

    def exceptions(self) -> tuple[ShardId, ...]:
        """The shards that calendars moved to, without duplicates."""
        return tuple(dict.fromkeys(self._moved.values()))
