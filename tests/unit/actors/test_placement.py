"""Which shard decides about a provider: the same answer everywhere, for ever."""

from __future__ import annotations

from collections import Counter

import pytest

from actors.domain.ids import ProviderId
from actors.placement import Placement, placing

VECTORS = {
    "prv_1": ("s0002", "s0006"),
    "prv_2": ("s0000", "s0060"),
    "prv_ana": ("s0000", "s0052"),
    "prv_7f3a": ("s0001", "s0009"),
}


@pytest.mark.parametrize("name", sorted(VECTORS))
def test_a_provider_never_moves(name: str) -> None:
    """These were written down once: another answer would lose journals."""
    provider = ProviderId(name)
    four, many = VECTORS[name]
    assert placing(Placement.SHARD, 4)(provider) == four
    assert placing(Placement.SHARD, 64)(provider) == many


def test_providers_are_spread() -> None:
    """No shard has twice its share of a thousand providers."""
    place = placing(Placement.SHARD, 8)
    counts = Counter(place(ProviderId(f"prv_{number}")) for number in range(1000))
    assert len(counts) == 8
    assert max(counts.values()) < 2 * 1000 / 8


def test_placement_by_provider_needs_no_hash() -> None:
    """With placement "provider" each provider is a shard of its own."""
    assert placing(Placement.PROVIDER, 1)(ProviderId("prv_1")) == "prv_1"


def test_there_is_at_least_one_shard() -> None:
    """No shards cannot hold any provider."""
    with pytest.raises(ValueError, match="at least 1"):
        placing(Placement.SHARD, 0)
