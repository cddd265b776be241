"""Connects ports and adapters of the calendars.

A server owns its data folder. A tool that needs the calendars connects to a running
server as a second driver of its Ray; without one it takes the folder's lock and runs
the shards in its own process.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from threading import Thread
from typing import TYPE_CHECKING

from msgspec.structs import replace

from actors.domain.ids import ShardId
from actors.hosting.local import LocalLinks
from actors.hosting.process import ShardSpec
from actors.placement import Placement, Placing, placing, shard_name
from actors.ports import Calendars, ShardLinks, SteadyClock
from actors.shard.limits import ShardLimits
from cluster.clock import SystemClock
from cluster.own_ray.environment import show_cluster_token, show_ray_token
from cluster.site.run_file import read_record
from cluster.site.site import Site
from cluster.terminal.obstacle import Obstacle
from cluster.wiring.shard import (
    JOURNAL_VARIABLE,
    OF_THE_NODE,
    ShardConfig,
    ShardStores,
)
from gateway.calendars.courier import Courier
from persistence.readmodel.queries.directory import SqlDirectory
from persistence.readmodel.tables import READ_MODEL
from persistence.sql.engine import open_engine
from persistence.sql.migrating import migrate

if TYPE_CHECKING:
    from persistence.journal.redis.journal import RedisJournal

FACTORY = "cluster.wiring.shard:make_mailbox"
"""The factory that a shard's process imports to create its mailbox."""
RAY_S = 15.0
"""Timeout in seconds for joining or leaving a server's Ray."""


def shard_config(site: Site, *, logs: bool) -> ShardConfig:
    """Configuration of the site's shards.

    ``logs``: each runs in a process of its own.
    """
    settings = site.settings
    stores = site.stores
    if logs and stores.in_redis:  # keeps the journal's URL out of Ray's storage
        os.environ[JOURNAL_VARIABLE] = stores.journal
        stores = replace(stores, journal=OF_THE_NODE)
    return ShardConfig(
        stores=stores,
        policy=settings.policy,
        limits=ShardLimits(
            snapshot_events=settings.snapshot_events,
            snapshot_ms=int(settings.snapshot_seconds * 1000),
            passivate_ms=int(settings.passivate_minutes * 60_000),
        ),
        logs=str(site.folder.logs) if logs else "",
        log_level=settings.log_level,
    )


def shard_spec(site: Site) -> ShardSpec:
    """How a node creates the process of one of the site's shards."""
    return ShardSpec(
        FACTORY,
        shard_config(site, logs=True).encoded(),
        # A file that failed is not trusted again; a network error is simply retried.
        crash_on_unknown=not site.settings.journal_is_redis,
    )


def fixed_shards(site: Site) -> list[ShardId]:
    """The site's shards; none with placement "provider", where they come and go."""
    if site.settings.placement is Placement.PROVIDER:
        return []
    generation = site.layout.generation
    shards = [shard_name(index, generation) for index in range(site.settings.shards)]
    return [*shards, *(ShardId(one) for one in site.layout.isolated.values())]


def site_placing(site: Site) -> Placing:
    """The shard of a provider according to the site's layout."""
    settings, layout = site.settings, site.layout
    return placing(
        settings.placement, settings.shards, layout.isolated, layout.generation
    )


class Registered:
    """Whether a shard exists; with placement "provider" unknown providers have none.

    Close it.

    Looked up each time: a provider that another gateway has just registered counts.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._journal: RedisJournal | None = None

    async def __call__(self, shard: ShardId) -> bool:
        """Raises Unavailable: the journal's Redis does not answer."""
        site = self._site
        if not site.settings.journal_is_redis:
            return (site.folder.journal_of(site.layout.generation) / shard).is_dir()
        if self._journal is None:
            from persistence.journal.redis.journal import RedisJournal

            config = site.stores
            self._journal = RedisJournal(
                config.journal, config.site, generation=config.generation
            )
        return await self._journal.has(shard)

    async def close(self) -> None:
        """End the connection, if there is one."""
        if self._journal is not None:
            await self._journal.close()


@asynccontextmanager
async def local_links(
    site: Site, clock: SteadyClock | None = None
) -> AsyncIterator[LocalLinks]:
    """Shards in this process. Needs the folder's lock."""
    fixed = fixed_shards(site)
    stores = ShardStores(shard_config(site, logs=False), clock)
    links = LocalLinks(site_placing(site), fixed, stores.mailbox)
    try:
        await links.open()
        yield links
    finally:
        await links.close()
        await stores.close()


@asynccontextmanager
async def open_links(site: Site, command: str) -> AsyncIterator[ShardLinks]:
    """Links to the site's calendars, through its server or without one.

    Raises:
        Obstacle: a process that is no server holds the folder.
    """
    record = read_record(site.folder.run_file)
    if site.folder.is_locked():
        if record is None or not record.ray_address:
            raise site.folder.taken()
        async with _server_links(site) as links:
            yield links
    else:
        with site.folder.held(command):
            async with local_links(site) as local:
                yield local


@asynccontextmanager
async def joined_ray(site: Site) -> AsyncIterator[None]:
    """Join the Ray of the site's server, or of this machine's node, as a driver.

    Raises:
        Obstacle: none runs, or it cannot be reached.
    """
    record = read_record(site.folder.run_file) if site.folder.is_locked() else None
    if record is None or not record.ray_address:
        raise Obstacle(
            f"No server and no node of the cluster is at work on {site.folder.path}.",
            "Run this where one is, or start one: slotcast cluster up",
        )
    if record.node_host:
        await _must_have_head(record.ray_address)
        show_cluster_token(record.ray_token)
    else:
        show_ray_token(record.ray_token)
    from cluster.own_ray.local import connect_ray, stop_ray

    try:
        await _in_daemon(
            lambda: connect_ray(record.ray_address, record.node_host), RAY_S
        )
    except (TimeoutError, ConnectionError, RuntimeError) as error:
        raise Obstacle(
            f"The server of this folder (pid {record.owner.pid}) cannot be reached: "
            f"{type(error).__name__} {error}".rstrip()
            + ".",
            "It may be stopping or starting; try again in a moment.",
        ) from error
    try:
        yield
    finally:
        with suppress(TimeoutError):
            await _in_daemon(stop_ray, RAY_S)


async def _must_have_head(address: str) -> None:
    """Fail at once if the head is away.

    Ray would take half a minute, with another message.
    """
    from cluster.own_ray.raylet import head_answers

    if not await head_answers(address):
        raise Obstacle(
            f"The head of the cluster at {address} is away.",
            "Shards and gateways that live go on; nothing is moved or created until it "
            "is back: docs/operations/nodes.md says how.",
        )


@asynccontextmanager
async def _server_links(site: Site) -> AsyncIterator[ShardLinks]:
    """A second driver's links to the server's shards."""
    async with joined_ray(site):
        from actors.remote.links import RayLinks

        fixed = fixed_shards(site)
        # The first request begins a provider's shard; Ray gives the name to one only.
        spec = None if fixed else shard_spec(site)
        known = Registered(site)
        links = RayLinks(site_placing(site), fixed, spec, known=known)
        try:
            yield links
        finally:
            await links.close()
            await known.close()


def new_shard(site: Site, links: ShardLinks) -> Callable[[ShardId], None]:
    """Starts the process of a shard that is not in the site's layout yet.

    It blocks. In a single process a shard starts at its first request.
    """
    if isinstance(links, LocalLinks):
        return lambda _shard: None

    def create(shard: ShardId) -> None:
        from actors.remote.actor import create_shards

        create_shards([shard], shard_spec(site))

    return create


async def _in_daemon(work: Callable[[], None], timeout_s: float) -> None:
    """Run blocking work in a daemon thread, so that it cannot delay the exit.

    Raises:
        TimeoutError: it hangs, as calls do when Ray ends meanwhile.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def tell(error: BaseException | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def run() -> None:
        error: BaseException | None = None
        try:
            work()
        except Exception as caught:  # noqa: BLE001 - it belongs to who waits
            error = caught
        with suppress(RuntimeError):  # the caller has given up waiting
            loop.call_soon_threadsafe(tell, error)

    Thread(target=run, daemon=True).start()
    await asyncio.wait_for(done, timeout_s)


@asynccontextmanager
async def local_calendars(
    site: Site, clock: SteadyClock | None = None
) -> AsyncIterator[Calendars]:
    """The site's calendars in this process. Needs the folder's lock.

    ``clock``: another than the system's.
    """
    async with local_links(site, clock) as links, _batched(links, clock) as calendars:
        yield calendars


@asynccontextmanager
async def open_calendars(site: Site, command: str) -> AsyncIterator[Calendars]:
    """The site's calendars, batched and retried as in a gateway."""
    async with open_links(site, command) as links, _batched(links) as calendars:
        yield calendars


@asynccontextmanager
async def server_calendars(site: Site) -> AsyncIterator[Calendars]:
    """The calendars of the server or node that is at work on this folder.

    Raises:
        Obstacle: there is none, or it cannot be reached.
    """
    async with _server_links(site) as links, _batched(links) as calendars:
        yield calendars


@asynccontextmanager
async def _batched(
    links: ShardLinks, clock: SteadyClock | None = None
) -> AsyncIterator[Calendars]:
    courier = Courier(links, clock or SystemClock())
    try:
        yield courier
    finally:
        await courier.close()


@asynccontextmanager
async def open_directory(site: Site) -> AsyncIterator[SqlDirectory]:
    """The site's directory, for reading and for imports."""
    url = site.database_url
    await migrate(url, READ_MODEL)
    readers, writer = open_engine(url, "reader"), open_engine(url, "writer")
    try:
        yield SqlDirectory(readers, writer)
    finally:
        await readers.dispose()
        await writer.dispose()
