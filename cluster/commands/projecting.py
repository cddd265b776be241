"""``slotcast project``: the process that writes the read model behind the journal."""

from __future__ import annotations

from typing import Annotated

import typer

from cluster.commands.options import DataOption


def project(
    *,
    in_turn: Annotated[
        bool, typer.Option(help="Stand by while another node's projector is active.")
    ] = False,
    data: DataOption = None,
) -> None:
    """Follow the journal and write the read model, until told to stop."""
    import uvloop

    from cluster.logs import log_to
    from cluster.server.projector import follow_journal
    from cluster.site.site import existing_site

    site = existing_site(data)
    log_to(site.folder.logs / "projector.log", site.settings.log_level)
    if in_turn:
        from cluster.node.keeper import project_in_turn

        uvloop.run(project_in_turn(site))
        return
    uvloop.run(follow_journal(site))
