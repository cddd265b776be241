"""`slotcast cluster status` shows the workers of each node."""

from __future__ import annotations

from actors.domain.ids import Millis
from cluster.node.status import ClusterStatus
from cluster.node.status_table import as_document
from persistence.shared.presence import GatewayLine, WorkerLine


def test_workers_are_counted_for_each_node() -> None:
    """Also on a node that has no gateway, and while Ray is silent."""
    found = ClusterStatus(
        gateways=[GatewayLine("n1", 0, 1, "", 0, Millis(0))],
        workers=[
            WorkerLine("n1", 0, 11, 5, 1, Millis(0)),
            WorkerLine("n2", 0, 12, 0, 0, Millis(0)),
            WorkerLine("n2", 1, 13, 7, 0, Millis(0)),
        ],
    )
    document = as_document(found)
    assert {row["node"]: row["workers"] for row in document["nodes"]} == {
        "n1": 1,
        "n2": 2,
    }
    assert [
        (one["pid"], one["done"], one["failed"]) for one in document["workers"]
    ] == [
        (11, 5, 1),
        (12, 0, 0),
        (13, 7, 0),
    ]
