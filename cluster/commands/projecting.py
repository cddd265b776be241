"""``slotcast project``: the process that writes the read model behind the journal."""

from __future__ import annotations

from typing import Annotated

import typer

from cluster.behind import run_projector
from cluster.commands.options import DataOption


def project(
    *,
    in_turn: Annotated[
        bool, typer.Option(help="Stand by while another node's projector is active.")
    ] = False,
    data: DataOption = None,
) -> None:
    """Follow the journal and write the read model, until told to stop."""
    run_projector(data, in_turn=in_turn)
