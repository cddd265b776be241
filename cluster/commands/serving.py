"""``slotcast serve``: a whole site on one machine."""

from __future__ import annotations

from typing import Annotated

import typer

from actors.placement import Placement
from cluster.commands.options import DataOption
from cluster.site.version import version_text
from cluster.terminal.terminal import Terminal


def serve(
    *,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; else SLOTCAST_HOST.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on; else SLOTCAST_PORT.")
    ] = None,
    shards: Annotated[
        int | None, typer.Option(help="Shards of a new data folder.")
    ] = None,
    placement: Annotated[
        Placement | None, typer.Option(help="Placement of a new data folder.")
    ] = None,
    data: DataOption = None,
) -> None:
    """Serve REST, live sockets and docs.

    All other settings are SLOTCAST_… variables.
    """
    from cluster.server.serve import serve as serve_site
    from cluster.site.settings import read_settings

    settings = read_settings(
        host=host, port=port, shards=shards, placement=placement, data=data
    )
    raise typer.Exit(serve_site(settings, Terminal(), version_text()))
