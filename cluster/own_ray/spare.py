"""Ray without the processes that nothing here uses.

Beside raylet and control service ``ray.init`` starts a log monitor (logs are files
here), an autoscaler monitor (there is one node) and an API server (the dashboard's),
and has no argument that leaves them out. Two are Ray parameters, the third is one
method; docs/decisions/0052-lean-ray.md. The two agents stay: a raylet ends without
them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from ray._private import parameter
from ray._private.node import Node

PARAMETERS = {"include_log_monitor": False, "no_monitor": True}
"""Arguments of ``RayParams`` that ``ray.init`` does not pass on."""


def _no_api_server(_node: Node, **_options: object) -> None:
    """In place of ``Node.start_api_server``, which has no way to do nothing."""


@contextmanager
def without_spare_parts() -> Iterator[None]:
    """Inside, ``ray.init`` starts only what shards need; for one thread at a time."""
    params, start = parameter.RayParams, Node.start_api_server
    parameter.RayParams = partial(params, **PARAMETERS)
    Node.start_api_server = _no_api_server
    try:
        yield
    finally:
        parameter.RayParams, Node.start_api_server = params, start
