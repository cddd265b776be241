"""``slotcast cluster up`` and ``join``: the supervisor of one node's processes.

It is not part of Ray and serves no requests, so it has no state to lose: it starts Ray,
the keeper (on the head), gateways, a projector and workers, restarts those that end,
and stops them in order. If it is killed, they end with it (cluster/server/children.py).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack, closing
from pathlib import Path
from shutil import rmtree

import httpx
from msgspec.structs import replace

from cluster.node.leaving import HAND_OVER_S, hand_over
from cluster.node.plan import NodePlan, background_start, own_start, ray_start
from cluster.own_ray.environment import forget_redirections
from cluster.own_ray.folder import new_ray_folder, raylet_socket
from cluster.own_ray.parts import RayWatch, ray_processes
from cluster.own_ray.raylet import is_listening
from cluster.server.children import (
    PROJECTOR_FINISH_S,
    WORKER_FINISH_S,
    Child,
    Start,
)
from cluster.server.stopping import StopSignals
from cluster.site.run_file import (
    RunRecord,
    mark_of_self,
    marks_of_descendants,
    stop_processes,
    write_record,
)
from cluster.terminal.addresses import ANYWHERE, http_url
from cluster.terminal.alongside import alongside
from cluster.terminal.terminal import Terminal

log = logging.getLogger(__name__)

KEEP_HOUSE_S = 2.0
"""Interval of recording the child processes, for a start after a crash."""
LOOK_AGAIN_S = 0.2
RAY_FINISH_S = 15.0
LEFTOVER_S = 1.0
KEEPER_FINISH_S = 5.0
GATEWAY_SLACK_S = 5.0
"""Time a gateway may take beyond the drain of its sockets, in seconds."""


class NodeSupervisor:
    """One running node."""

    def __init__(self, plan: NodePlan, terminal: Terminal, command: str) -> None:
        forget_redirections()  # the children inherit the environment
        self._plan = plan
        self._terminal = terminal
        self._signals = StopSignals(terminal)
        self._ray_folder: Path | None = None
        self._record = RunRecord(
            mark_of_self(),
            command,
            host=plan.http_host,
            port=plan.ports[0] if plan.ports else 0,
            ray_address=plan.ray_address,
            node_host=plan.host,
            ray_token=plan.token,
        )
        logs = plan.site.folder.logs
        drain_s = plan.site.settings.drain_seconds + GATEWAY_SLACK_S
        self._ray = Child(
            "ray",
            self._start_ray,
            logs / "ray.out",
            finish_s=RAY_FINISH_S,
            report=self._tell,
        )
        self._gateways = [
            Child(
                f"gateway {index}",
                lambda index=index, port=port: self._start_beside(  # type: ignore[misc]
                    *("gateway", "--port", str(port), "--index", str(index))
                ),
                logs / f"gateway-{index}.out",
                finish_s=drain_s,
                report=self._tell,
            )
            for index, port in enumerate(plan.ports)
        ]
        self._others = [
            Child(
                "projector",
                lambda: background_start(plan, "project", "--in-turn"),
                logs / "projector.out",
                finish_s=PROJECTOR_FINISH_S,
                report=self._tell,
            ),
            *(
                Child(
                    f"worker {index}",
                    lambda index=index: background_start(  # type: ignore[misc]
                        plan, "work", "--index", str(index)
                    ),
                    logs / f"worker-{index}.out",
                    finish_s=WORKER_FINISH_S,
                    report=self._tell,
                )
                for index in range(plan.site.settings.workers)
            ),
        ]
        if plan.is_head:
            self._others.append(
                Child(
                    "keeper",
                    lambda: self._start_beside("keep"),
                    logs / "keeper.out",
                    finish_s=KEEPER_FINISH_S,
                    report=self._tell,
                )
            )

    async def live(self) -> int:
        """Run until the last process has ended; returns the exit code."""
        with self._signals.heard():
            try:
                async with AsyncExitStack() as running:
                    for child in (self._ray, *self._others, *self._gateways):
                        await running.enter_async_context(alongside(child.run()))
                    await running.enter_async_context(alongside(self._keep_house()))
                    await running.enter_async_context(alongside(self._watch_ray()))
                    async with alongside(self._say_when_ready()):
                        await self._signals.asked.wait()
                    await self._stop()
            finally:
                self._drop_ray_folder()
        self._terminal.note("stopped")
        return 0

    def _tell(self, text: str) -> None:
        self._terminal.note(text, style="yellow")

    async def _stop(self) -> None:
        """Hand shards over first, while gateways serve; then stop gateways.

        Ray last.
        """
        await hand_over(self._plan, self._terminal)
        await _stopped(self._gateways)
        await _stopped(self._others)
        marks = marks_of_descendants()
        await self._ray.stop()
        # Without its head Ray may leave processes that end only later.
        await asyncio.to_thread(stop_processes, marks, LEFTOVER_S)

    def _start_ray(self) -> Start:
        """Each start of Ray gets a new folder: it refuses a used one."""
        self._drop_ray_folder()
        self._ray_folder = new_ray_folder()
        self._note()
        return ray_start(self._plan, self._ray_folder)

    async def _watch_ray(self) -> None:
        """End the rest of Ray when a part of it has ended; then it is started again.

        ``ray start --block`` does that itself, but not when the raylet exits normally,
        as it does when one of its agents has died.
        """
        while True:
            folder = self._ray_folder
            if folder is None or not is_listening(raylet_socket(folder)):
                await asyncio.sleep(LOOK_AGAIN_S)
                continue
            with closing(RayWatch()) as watch:
                watch.add(await asyncio.to_thread(ray_processes, folder))
                while (part := await watch.ended()).is_spare:
                    log.warning("Ray's %s has ended", part.kind)
            if self._signals.is_asked:
                return
            log.error("Ray's %s has ended; Ray is started again", part.kind)
            self._tell(f"Ray's {part.kind} has ended; Ray is started again")
            left = await asyncio.to_thread(ray_processes, folder)
            marks = [one.mark for one in left]
            await asyncio.to_thread(stop_processes, marks, 0.0)

    def _start_beside(self, *words: str) -> Start | None:
        """A process that needs this node's Ray; None until Ray runs."""
        folder = self._ray_folder
        if folder is None or not is_listening(raylet_socket(folder)):
            return None
        return own_start(self._plan, *words, "--ray-folder", str(folder))

    def _drop_ray_folder(self) -> None:
        if self._ray_folder is not None:
            rmtree(self._ray_folder, ignore_errors=True)

    async def _keep_house(self) -> None:
        while True:
            self._note()
            await asyncio.sleep(KEEP_HOUSE_S)

    def _note(self) -> None:
        self._record = replace(
            self._record,
            ray_folder=str(self._ray_folder or ""),
            children=marks_of_descendants(),
        )
        write_record(self._plan.site.folder.run_file, self._record)

    async def _say_when_ready(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await self._until_ready()
        plan = self._plan
        say = self._terminal.say
        say()
        say(f"Node {plan.name} at {plan.host}, {'head' if plan.is_head else 'worker'}")
        for url in gateway_urls(plan):
            say(f"  gateways  {url}")
        say(f"  data      {plan.site.folder.path}")
        say("To join from another machine, with the same SLOTCAST_JOURNAL and")
        say(f"SLOTCAST_DATABASE and {_secret_of(plan)}:")
        say(
            f"  slotcast cluster join {plan.ray_address} --host ADDRESS-OF-THAT-MACHINE"
        )
        say()
        self._terminal.note(f"ready in {loop.time() - began:.1f} s")

    async def _until_ready(self) -> None:
        """Return when Ray runs and every gateway's port answers."""
        waiting = [f"{url}/readyz" for url in gateway_urls(self._plan)]
        async with httpx.AsyncClient(trust_env=False, timeout=2.0) as client:
            while waiting or self._start_beside("") is None:
                if waiting and await _answers(client, waiting[0]):
                    waiting.pop(0)
                else:
                    await asyncio.sleep(LOOK_AGAIN_S)


def stop_seconds(drain_s: float) -> float:
    """Maximum duration of an orderly stop of a node, in seconds."""
    gateways = drain_s + GATEWAY_SLACK_S
    others = max(PROJECTOR_FINISH_S, WORKER_FINISH_S, KEEPER_FINISH_S)
    return HAND_OVER_S + gateways + others + RAY_FINISH_S + LEFTOVER_S


def _secret_of(plan: NodePlan) -> str:
    """How another node gets the cluster's secret."""
    if plan.site.settings.cluster_secret:
        return "SLOTCAST_CLUSTER_SECRET"
    return f"a copy of {plan.site.folder.cluster_secret_file}"


def gateway_urls(plan: NodePlan) -> list[str]:
    """The URLs of this node's gateways."""
    host = plan.host if plan.http_host in ANYWHERE else plan.http_host
    return [http_url(host, port) for port in dict.fromkeys(plan.ports)]


async def _answers(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).is_success
    except httpx.HTTPError:
        return False


async def _stopped(children: Sequence[Child]) -> None:
    await asyncio.gather(*(child.stop() for child in children))
