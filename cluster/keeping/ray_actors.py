"""Shards' processes and nodes as Ray knows them. No call here runs on the event loop.

Ray's calls block, and hang while its head is away; they run in separate threads, and
the wait for them is bounded. Ray's private interfaces are used only here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import msgspec
import ray
from ray import exceptions as ray_errors
from ray._private.state import state as ray_state
from ray.experimental.internal_kv import (
    _internal_kv_del,
    _internal_kv_list,
    _internal_kv_put,
)

from actors.domain.ids import ShardId
from actors.errors import Unavailable
from actors.hosting.process import ShardSpec
from actors.ports import ShardStatus
from actors.remote.actor import (
    NAMESPACE,
    actor_names,
    create_actor,
    node_name,
    shard_of_name,
)
from actors.remote.labels import WEIGHT_LABEL
from cluster.keeping.moves import Question
from cluster.keeping.survey import ClusterNode, Survey

T = TypeVar("T")

ASK_S = 10.0
"""How long Ray's head may take for an answer."""
_MARK = b"slotcast/draining/"
_STATUS = msgspec.msgpack.Decoder(ShardStatus)


class RayActors:
    """``Actors`` and ``survey`` on the Ray this process has joined. Must be closed."""

    def __init__(self, spec: ShardSpec) -> None:
        self._spec = spec
        self._threads = ThreadPoolExecutor(4, "ray-head")
        self._handles: dict[str, Any] = {}
        self._nodes: Mapping[str, ClusterNode] = {}

    def close(self) -> None:
        """Shut the threads down; hanging ones are abandoned."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def survey(self) -> Survey:
        """Nodes that live and processes of shards. Raises Unavailable."""
        found = await self._blocking(_survey)
        self._nodes = found.nodes
        return found

    async def mark(self, node: ClusterNode, *, draining: bool) -> None:
        """Set or remove a node's drain mark. Raises Unavailable.

        The mark holds for this node id: a node that joins again has none.
        """
        await self._blocking(partial(_mark, node.node_id, draining=draining))

    def names(self, shard: ShardId) -> tuple[str, str]:
        """See ``Actors``."""
        return actor_names(shard)

    async def alive(self, shard: ShardId) -> Sequence[str]:
        """See ``Actors``. Raises Unavailable."""
        names = [name for name in actor_names(shard) if await self._handle(name)]
        return tuple(names)

    async def create(self, shard: ShardId, name: str, node: str, *, warm: bool) -> None:
        """See ``Actors``. Raises Unavailable."""
        place = self._nodes.get(node)
        self._handles[name] = await self._blocking(
            partial(
                create_actor,
                shard,
                self._spec,
                name=name,
                node_id=place.node_id if place else "",
                warm=warm,
            )
        )

    async def ask(
        self, name: str, question: Question, timeout_s: float
    ) -> ShardStatus | None:
        """See ``Actors``. Raises Unavailable."""
        handle = self._handles.get(name) or await self._handle(name)
        if handle is None:
            raise Unavailable(f"there is no process {name}")
        try:
            async with asyncio.timeout(timeout_s):
                reply = await getattr(handle, question.value).remote()
        except TimeoutError:
            raise Unavailable(f"{name} did not answer in {timeout_s:.0f} s") from None
        except ray_errors.RayError as error:
            self._handles.pop(name, None)
            raise Unavailable(f"{name}: {type(error).__name__}") from None
        if isinstance(reply, bytes) and reply:
            return _STATUS.decode(reply)
        return None

    async def end(self, name: str, *, restart: bool = False) -> None:
        """See ``Actors``. Raises Unavailable."""
        handle = self._handles.get(name) or await self._handle(name)
        if handle is None:
            return
        if not restart:
            self._handles.pop(name, None)
        await self._blocking(partial(ray.kill, handle, no_restart=not restart))

    async def _handle(self, name: str) -> Any:
        handle = await self._blocking(partial(_handle_of, name))
        if handle is None:
            self._handles.pop(name, None)
        else:
            self._handles[name] = handle
        return handle

    async def _blocking(self, work: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(ASK_S):
                return await loop.run_in_executor(self._threads, work)
        except (TimeoutError, ray_errors.RayError, ConnectionError) as error:
            raise Unavailable(
                f"Ray's head does not answer ({type(error).__name__})"
            ) from error


def _handle_of(name: str) -> Any:
    try:
        return ray.get_actor(name, namespace=NAMESPACE)
    except ValueError:
        return None


def _survey() -> Survey:
    nodes = _nodes()
    names = {node.node_id: node.name for node in nodes.values()}
    seats: dict[ShardId, dict[str, str]] = {}
    for actor in _actors():
        shard = shard_of_name(actor["Name"])
        if shard is not None:
            node_id = actor["Address"]["NodeID"]
            seats.setdefault(shard, {})[actor["Name"]] = names.get(node_id, "")
    return Survey(nodes, seats)


def _nodes() -> dict[str, ClusterNode]:
    marked = {
        key.removeprefix(_MARK).decode()
        for key in _internal_kv_list(_MARK, namespace=NAMESPACE.encode())
    }
    leaving = marked | set(ray_state.get_draining_nodes())
    found: dict[str, ClusterNode] = {}
    for node in ray.nodes():
        if node["Alive"]:
            node_id, labels = node["NodeID"], node.get("Labels") or {}
            name = node_name(node_id, labels)
            found[name] = ClusterNode(
                name,
                node_id,
                _weight(labels, node.get("Resources") or {}),
                node_id in leaving,
                node.get("NodeManagerAddress", ""),
            )
    return found


def _weight(labels: Mapping[str, str], resources: Mapping[str, float]) -> float:
    """A node without CPUs for Ray, like the head, takes no shards."""
    if resources.get("CPU", 0) <= 0:
        return 0.0
    try:
        return max(0.0, float(labels.get(WEIGHT_LABEL, "1")))
    except ValueError:
        return 1.0


def _actors() -> list[dict[str, Any]]:
    """Every actor that still has its name; those that ended for good have none."""
    found: list[dict[str, Any]] = []
    for state in ("DEPENDENCIES_UNREADY", "PENDING_CREATION", "ALIVE", "RESTARTING"):
        found += ray_state.actor_table(None, None, state).values()
    return found


def _mark(node_id: str, *, draining: bool) -> None:
    key, namespace = _MARK + node_id.encode(), NAMESPACE.encode()
    if draining:
        _internal_kv_put(key, b"1", overwrite=True, namespace=namespace)
    else:
        _internal_kv_del(key, namespace=namespace)
