"""``slotcast cluster``: the nodes of a site on more than one machine."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.commands.options import DataOption, JsonOption
from cluster.site.settings import Settings, read_settings
from cluster.terminal.obstacle import FOUND_A_PROBLEM, Obstacle
from cluster.terminal.terminal import Terminal

if TYPE_CHECKING:
    from cluster.node.plan import NodePlan
    from cluster.site.site import Site

cluster = typer.Typer(
    name="cluster", help="Nodes of a site on several machines.", no_args_is_help=True
)

HostOption = Annotated[
    str | None,
    typer.Option(
        help="This node's address for the other nodes; else SLOTCAST_NODE_HOST."
    ),
]
NameOption = Annotated[
    str | None, typer.Option(help="This node's name; else SLOTCAST_NODE_NAME.")
]
GatewaysOption = Annotated[
    int | None, typer.Option(help="Gateway processes; else SLOTCAST_GATEWAYS.")
]
WorkersOption = Annotated[
    int | None,
    typer.Option(help="Processes for background jobs; else SLOTCAST_WORKERS."),
]
PortOption = Annotated[
    int | None, typer.Option(help="One port for all gateways; else SLOTCAST_PORT.")
]
PortsOption = Annotated[
    str | None, typer.Option(help="A port for each gateway, as 8001-8004.")
]
ShardsOption = Annotated[
    bool, typer.Option(help="Whether shards may be placed on this node.")
]


@cluster.command()
def up(  # noqa: PLR0913 - one argument for each option
    *,
    host: HostOption = None,
    ray_port: Annotated[
        int | None, typer.Option(help="Ray's port; else SLOTCAST_RAY_PORT.")
    ] = None,
    gateways: GatewaysOption = None,
    workers: WorkersOption = None,
    port: PortOption = None,
    ports: PortsOption = None,
    name: NameOption = None,
    data: DataOption = None,
) -> None:
    """Start the first node, the head; shards go to those that join, if any do."""
    settings = read_settings(
        node_host=host,
        ray_port=ray_port,
        gateways=gateways,
        workers=workers,
        port=port,
        node_name=name,
        data=data,
    )
    raise typer.Exit(_run(settings, "", ports))


@cluster.command()
def join(  # noqa: PLR0913 - one argument for each option
    head: Annotated[
        str | None, typer.Argument(help="HOST:PORT of the head; else SLOTCAST_HEAD.")
    ] = None,
    *,
    host: HostOption = None,
    gateways: GatewaysOption = None,
    workers: WorkersOption = None,
    port: PortOption = None,
    ports: PortsOption = None,
    name: NameOption = None,
    shards: ShardsOption = True,
    data: DataOption = None,
) -> None:
    """Start another node of the site; it receives shards by itself."""
    settings = read_settings(
        head=head,
        node_host=host,
        gateways=gateways,
        workers=workers,
        port=port,
        node_name=name,
        data=data,
    )
    if not settings.head.rpartition(":")[2].isdigit() or ":" not in settings.head:
        raise Obstacle(
            f"The head is {settings.head!r}; it must be HOST:PORT.",
            "Use the command that slotcast cluster up prints, or set SLOTCAST_HEAD.",
        )
    raise typer.Exit(_run(settings, settings.head, ports, takes_shards=shards))


@cluster.command()
def status(*, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show nodes, shards, gateways and lags; exit code 1 if something is not well."""
    from cluster.node.status import cluster_status
    from cluster.node.status_table import as_document, show
    from cluster.site.site import existing_site

    terminal = Terminal()
    found = asyncio.run(cluster_status(existing_site(data)))
    if as_json:
        terminal.json(as_document(found))
    else:
        show(found, terminal)
    if not found.is_well:
        raise typer.Exit(FOUND_A_PROBLEM)


def _run(
    settings: Settings, head: str, ports: str | None, *, takes_shards: bool = True
) -> int:
    from cluster.logs import log_to
    from cluster.node.preparing import check_addresses, site_of_node
    from cluster.node.supervisor import NodeSupervisor
    from cluster.site.data_folder import DataFolder

    terminal = Terminal()
    command = "slotcast cluster join" if head else "slotcast cluster up"
    chosen = _ports(settings, ports)
    folder = DataFolder(settings.data)
    if folder.examine() is not None and folder.is_locked():
        raise folder.taken()
    with folder.held(command):
        site = site_of_node(settings, terminal, is_head=not head)
        plan = _plan(site, head, chosen, takes_shards=takes_shards)
        check_addresses(plan)
        log_to(site.folder.logs / "node.log", site.settings.log_level)
        return asyncio.run(NodeSupervisor(plan, terminal, command).live())


def _plan(
    site: Site, head: str, ports: tuple[int, ...], *, takes_shards: bool
) -> NodePlan:
    from cluster.node.plan import NodePlan

    settings = site.settings
    return NodePlan(
        site=site,
        name=settings.node_name or socket.gethostname(),
        host=settings.node_host,
        http_host=settings.host
        if "host" in settings.model_fields_set
        else settings.node_host,
        ports=ports,
        is_head=not head,
        ray_address=head or f"{settings.node_host}:{settings.ray_port}",
        takes_shards=takes_shards,
    )


def _ports(settings: Settings, ports: str | None) -> tuple[int, ...]:
    if ports is None:
        return (settings.port,) * settings.gateways
    first, _, last = ports.partition("-")
    try:
        found = tuple(range(int(first), int(last or first) + 1))
    except ValueError:
        found = ()
    if not found:
        raise Obstacle(
            f"--ports is {ports!r}; it must be as 8001-8004.",
            "Give the first and the last port, joined by a hyphen.",
        )
    return found


RayFolderOption = Annotated[
    Path, typer.Option(help="The folder of this node's Ray.", show_default=False)
]


def gateway(
    *,
    ray_folder: RayFolderOption,
    port: PortOption = None,
    index: Annotated[int, typer.Option(help="Its number on this node.")] = 0,
    data: DataOption = None,
) -> None:
    """Run one gateway of this node; started by slotcast cluster."""
    from cluster.logs import log_to
    from cluster.node.gateway import serve_people
    from cluster.site.site import existing_site
    from cluster.site.version import version_text

    site = existing_site(data)
    log_to(site.folder.logs / f"gateway-{index}.log", site.settings.log_level)
    raise typer.Exit(
        serve_people(
            site, port or site.settings.port, index, ray_folder, version_text()
        )
    )


def keep(*, ray_folder: RayFolderOption, data: DataOption = None) -> None:
    """Place and repair the site's shards; started by slotcast cluster up."""
    from cluster.logs import log_to
    from cluster.node.keeper import keep_shards
    from cluster.site.site import existing_site

    site = existing_site(data)
    log_to(site.folder.logs / "keeper.log", site.settings.log_level)
    raise typer.Exit(keep_shards(site, ray_folder))
