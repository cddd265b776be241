"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DataOption = Annotated[
    Path | None,
    typer.Option("--data", help="The data folder; else SLOTCAST_DATA.", metavar="PATH"),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document for programs.")
]
