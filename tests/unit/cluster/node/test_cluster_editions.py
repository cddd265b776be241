"""Nodes that compute with different time zone databases are named."""

from __future__ import annotations

from actors.domain.ids import Millis, ShardId
from actors.ports import ShardStatus
from cluster.node.status import ClusterStatus, edition_troubles
from cluster.node.status_table import as_document
from persistence.shared.presence import GatewayLine


def _status(*editions: tuple[str, str]) -> ClusterStatus:
    shards = [
        ShardStatus(ShardId(f"s{number}"), *(0,) * 9, node=node, tzdata=edition)
        for number, (node, edition) in enumerate(editions)
    ]
    return ClusterStatus(shards=shards)


def test_nodes_with_different_editions_are_named() -> None:
    """Each with its edition, whether a shard or a gateway told it."""
    found = _status(("n1", "2026f"), ("n2", "2025b"))
    found.gateways = [GatewayLine("n3", 0, 1, "", 0, Millis(0), tzdata="2026f")]
    (told,) = edition_troubles(found.editions())
    assert "n1: 2026f, n2: 2025b, n3: 2026f" in told
    assert [row["tzdata"] for row in as_document(found)["nodes"]] == ["2026f"]


def test_one_edition_everywhere_is_no_trouble() -> None:
    """Nor is an older version that does not say, nor a cluster that is silent."""
    found = _status(("n1", "2026f"), ("n2", "2026f"), ("n3", ""))
    assert edition_troubles(found.editions()) == []
    assert edition_troubles({}) == []
