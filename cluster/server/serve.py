"""``slotcast serve``: the life of a server, from the first check to the last process.

Checks come first and change nothing. Then, in order: lock, folder, seed (the first
time), projector; then Ray with its shards and the gateway, side by side. The stop runs
in reverse order: watchers get ``bye``, answers in flight are sent, shards store their
changes, Ray ends, the projector catches up. Each step of the stop is bounded, and none
is skipped because another failed.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import time
from collections.abc import Awaitable
from contextlib import AsyncExitStack, ExitStack
from importlib import import_module
from typing import TYPE_CHECKING, Any

import psutil
from msgspec.structs import replace
from sqlalchemy.exc import DBAPIError

from actors.domain.zone_data import EDITION
from cluster.clock import SystemClock
from cluster.logs import log_to
from cluster.own_ray.environment import forget_foreign, new_ray_token, show_ray_token
from cluster.server.children import (
    NICENESS,
    PROJECTOR_FINISH_S,
    WORKER_FINISH_S,
    Child,
    Start,
    own_command,
)
from cluster.server.preflight import (
    begin_to_listen,
    bind_port,
    check_disk,
    check_python,
    raise_open_files_limit,
)
from cluster.server.readiness import tables_of, until_ready, until_shown
from cluster.server.service_checks import check_services
from cluster.server.stopping import StopSignals
from cluster.site.data_folder import DataFolder
from cluster.site.run_file import (
    RunRecord,
    mark_of_self,
    marks_of_descendants,
    write_record,
)
from cluster.site.settings import Settings
from cluster.site.shared_layout import agreed_layout
from cluster.site.site import Site, make_site
from cluster.terminal.addresses import page_url
from cluster.terminal.alongside import alongside
from cluster.terminal.obstacle import FOUND_A_PROBLEM, Obstacle
from cluster.terminal.terminal import Terminal
from cluster.wiring.keys import check_keys
from persistence.readmodel.tables import READ_MODEL
from persistence.records.models import RECORDS
from persistence.sql.damage import is_damaged
from persistence.sql.migrating import migrate

if TYPE_CHECKING:
    from cluster.server.ray_host import RayHost
    from gateway.config import GatewayPorts

log = logging.getLogger(__name__)

MIGRATE_TRIES, MIGRATE_AGAIN_S = 60, 0.5
"""How often, and after which pause, a damaged read model is looked at again."""
KEEP_HOUSE_S = 10.0
"""Interval of recording the child processes, for a start after a crash."""
COMMAND = "slotcast serve"


def serve(settings: Settings, terminal: Terminal, version: str) -> int:
    """Serve until told to stop; the exit code.

    Raises:
        Obstacle: the server cannot start; nothing is left running.
    """
    with ExitStack() as held:
        site, listener = _prepared(settings, terminal, held)
        log_to(site.folder.logs / "server.log", settings.log_level)
        held.enter_context(terminal.apart(site.folder.logs / "server.out"))
        log.info("server begins", extra={"port": settings.port, "tzdata": EDITION})
        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_Server(site, listener, terminal, version).live())


def _prepared(
    settings: Settings, terminal: Terminal, held: ExitStack
) -> tuple[Site, socket.socket]:
    """Run all checks, then take the port and the folder; ``held`` releases them."""
    check_python()
    raise_open_files_limit()
    ignored = forget_foreign()
    if ignored:
        terminal.note(
            f"Ignored: {', '.join(ignored)}. The server has a Ray of its own.",
            style="yellow",
        )
    folder = DataFolder(settings.data)
    made = folder.examine()
    if made is not None and folder.is_locked():
        raise folder.taken()
    layout = agreed_layout(folder, settings, made)
    if layout is not None:
        settings = folder.check_matches(layout, settings)
    check_disk(folder.path, settings.disk_free_mib_min)
    listener = held.enter_context(bind_port(settings))
    held.enter_context(folder.held(COMMAND))
    folder.check_writable()
    if made is None:
        layout = make_site(folder, settings, SystemClock().today(), layout)
        terminal.note(f"A new data folder: {folder.path}")
    assert layout is not None
    site = Site(settings, folder, layout)
    site.token_key()
    check_services(site, terminal)
    if not settings.is_loopback:
        terminal.note(
            f"Listening on {settings.host}: others can reach this server, and tokens "
            "travel unencrypted unless a proxy with TLS stands before it.",
            style="yellow",
        )
    return site, listener


def _prepare_gateway(site: Site) -> None:
    """Work that does not need Ray: the tables, and loading the gateway's libraries.

    The projector migrates the tables of a database server, which may be away.
    """
    if not site.settings.database:
        _migrate_file(site.database_url)
        asyncio.run(migrate(site.records_url, RECORDS))
    asyncio.run(check_keys(site))
    import_module("cluster.wiring.gateway")


def _migrate_file(url: str) -> None:
    """Make the tables; a damaged file is first put aside by the projector."""
    for _ in range(MIGRATE_TRIES):
        try:
            asyncio.run(migrate(url, READ_MODEL))
        except DBAPIError as error:
            if not is_damaged(error):
                raise
            log.warning("the read model is damaged; the projector puts it aside")
            time.sleep(MIGRATE_AGAIN_S)
        else:
            return
    raise Obstacle(
        "The read model is damaged, and could not be put aside.",
        "Bookings are in the journal. Move the database file away; the server makes "
        "a new one from the journal.",
        code=FOUND_A_PROBLEM,
    )


class _StopAsked(Exception):
    """A stop was asked for while the server was still starting."""


class _Server:
    """One running server."""

    def __init__(
        self, site: Site, listener: socket.socket, terminal: Terminal, version: str
    ) -> None:
        self._site = site
        self._listener = listener
        self._terminal = terminal
        self._version = version
        self._signals = StopSignals(terminal)
        self._is_first = not site.folder.is_seeded()
        self._record = RunRecord(
            mark_of_self(), COMMAND, site.settings.host, site.settings.port
        )

    async def live(self) -> int:
        """Seed, run, and stop; returns the exit code."""
        with self._signals.heard():
            try:
                if self._is_first:
                    await self._seed()
                await self._with_projector()
            except _StopAsked:
                log.info("stopped while starting")
        log.info("server ends")
        self._terminal.note("stopped")
        return 0

    async def _seed(self) -> None:
        """Fill a new folder, before anything else runs on it."""
        folder = self._site.folder
        if self._site.settings.seed == "none":
            folder.mark_seeded("none")
            return
        with self._terminal.step("Demo region"):
            async with alongside(self._sow()) as sowing:
                asked = asyncio.ensure_future(self._signals.asked.wait())
                await asyncio.wait({sowing, asked}, return_when=asyncio.FIRST_COMPLETED)
                asked.cancel()
                self._go_on()
                await sowing
        folder.mark_seeded("demo")

    async def _sow(self) -> None:
        from cluster.filling.past import settle, sow_past
        from cluster.filling.patients import introduce
        from cluster.filling.sow import Met, sow
        from cluster.wiring.calendars import local_calendars

        met: Met = set()
        past = await sow_past(self._site, met)
        async with local_calendars(self._site) as calendars:
            with self._terminal.progress() as progress:
                await sow(calendars, self._site.made_on, progress, met)
            await settle(calendars, past, now=SystemClock().now())
        await introduce(self._site, met)

    async def _with_projector(self) -> None:
        """Run the rest with a projector and workers beside it."""
        children = [
            self._child("the projector", "projector.out", PROJECTOR_FINISH_S, "project")
        ]
        for index in range(self._site.settings.workers):
            children.append(
                self._child(
                    *(f"worker {index}", f"worker-{index}.out", WORKER_FINISH_S),
                    *("work", "--index", str(index)),
                )
            )
        async with AsyncExitStack() as running:
            for child in children:
                await running.enter_async_context(alongside(child.run()))
            try:
                await self._with_ray()
            finally:
                await asyncio.gather(*(child.stop() for child in children))

    def _child(self, name: str, output: str, finish_s: float, *words: str) -> Child:
        """A process behind requests, of this data folder."""
        folder = self._site.folder
        start = Start(
            own_command(*words),
            {"SLOTCAST_DATA": str(folder.path)},
            NICENESS[words[0]],
        )
        return Child(name, lambda: start, folder.logs / output, finish_s=finish_s)

    async def _with_ray(self) -> None:
        """Start Ray and the shards, and beside them everything that needs neither."""
        token = new_ray_token()
        show_ray_token(token)
        self._note(ray_token=token)
        # Ray and the gateway's libraries, loaded in two threads, both need it, and each
        # could see half of what the other has loaded.
        import_module("pydantic.v1")
        from cluster.server.ray_host import RayHost

        host = RayHost(
            self._site,
            lambda text: self._terminal.note(text, style="yellow"),
            lambda: self._note_ray(host),
        )
        try:
            async with alongside(host.run()) as hosting:
                await asyncio.to_thread(_prepare_gateway, self._site)
                self._go_on()
                await self._with_gateway(host, hosting)
        finally:
            await host.end()

    async def _with_gateway(self, host: RayHost, hosting: asyncio.Task[None]) -> None:
        """Serve, until a stop is requested and every request has been answered.

        From the beginning: until the shards are open, requests that need one are
        answered 503 with Retry-After, and readiness says what is missing.
        """
        from cluster.wiring.gateway import gateway_config, gateway_ports, server_of
        from gateway.app.application import create_app

        settings = self._site.settings
        async with gateway_ports(self._site, host.links, host.missing) as ports:
            app = create_app(ports, gateway_config(self._site, self._version))
            server = server_of(app, settings)
            begin_to_listen(self._listener, settings)
            async with alongside(server.serve(sockets=[self._listener])) as serving:
                work = (serving, hosting)
                try:
                    await self._first_of(server.listening.wait(), *work)
                    await self._until_open(host, work)
                    ready = until_ready(app.state.health, tables_of(self._site))
                    await self._first_of(ready, *work)
                    await self._say_welcome(ports)
                    async with alongside(self._keep_house(host)):
                        await self._first_of(self._signals.asked.wait(), *work)
                finally:
                    server.stop()
                    await asyncio.wait({serving})
                await serving

    async def _until_open(
        self, host: RayHost, work: tuple[asyncio.Task[None], ...]
    ) -> None:
        settings = self._site.settings
        missing = f"; {host.missing()}" if host.missing() else ""
        url = page_url(settings.host, settings.port)
        self._terminal.note(f"Listening at {url}{missing}")
        with self._terminal.step("Ray"):
            await self._first_of(host.started.wait(), *work)
        self._go_on()
        with self._terminal.step("Shards"):
            await self._first_of(host.opened.wait(), *work)
        self._go_on()

    async def _say_welcome(self, ports: GatewayPorts) -> None:
        """Print to the terminal that the server is ready."""
        from cluster.server.welcome import welcome

        self._note(children=marks_of_descendants())
        if self._is_first:
            with self._terminal.step("Read model"):
                await until_shown(ports)
        self._go_on()
        await welcome(self._terminal, self._site, ports.calendars, ports.directory)
        took = SystemClock().now() / 1000 - psutil.Process().create_time()
        self._terminal.note(f"ready in {took:.1f} s")
        log.info("server ready", extra={"seconds": round(took, 2)})
        gc.collect()
        gc.freeze()

    async def _keep_house(self, host: RayHost) -> None:
        """Record the child processes, and end idle single-provider shards."""
        while True:
            await asyncio.sleep(KEEP_HOUSE_S)
            # This scans all processes of the machine, so not on the event loop.
            self._note(children=await asyncio.to_thread(marks_of_descendants))
            await asyncio.to_thread(host.look_around)
            await host.passivate()

    async def _first_of(
        self, event: Awaitable[object], *work: asyncio.Task[None]
    ) -> None:
        """Wait for an event, or for a stop request.

        Raises:
            Obstacle: a part of the work has ended by itself before that.
        """
        waiting = asyncio.ensure_future(event)
        asked = asyncio.ensure_future(self._signals.asked.wait())
        try:
            await asyncio.wait(
                {waiting, asked, *work}, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            asked.cancel()
            waiting.cancel()
        for task in work:
            if task.done():
                raise self._ended_by_itself(task)

    def _ended_by_itself(self, task: asyncio.Task[None]) -> Obstacle:
        cause = None if task.cancelled() else task.exception()
        if isinstance(cause, Obstacle):
            return cause
        return Obstacle(
            f"The server ended by itself{f': {cause}' if cause else ''}.",
            f"See {self._site.folder.logs / 'server.log'}.",
            code=FOUND_A_PROBLEM,
        )

    def _note_ray(self, host: RayHost) -> None:
        self._note(
            ray_folder=str(host.folder or ""),
            ray_address=host.address,
            children=marks_of_descendants(),
        )

    def _note(self, **changed: Any) -> None:
        self._record = replace(self._record, **changed)
        write_record(self._site.folder.run_file, self._record)

    def _go_on(self) -> None:
        if self._signals.is_asked:
            raise _StopAsked
