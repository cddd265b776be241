"""Write openapi.json and asyncapi.json of this version, without a running server.

Usage: python -m tools.documents FOLDER
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from unittest.mock import Mock


async def write(folder: Path) -> None:
    """Write the documents that an application over memory ports serves."""
    from tests.fakes.api import open_api

    # The documents name the routes of every feature; no store is asked for them.
    names = ("accounts", "outgoing", "patients", "notes", "grants", "privacy", "audit")
    more = ("notices", "feeds", "samples", "push", "entries", "photos", "busy", "leave")
    last = ("series", "waiting", "documents", "reports", "reviews")
    stores = {name: Mock() for name in (*names, *more, *last)}
    async with open_api(shared=stores, demo=True) as api:
        for name in ("openapi", "asyncapi"):
            answer = await api.client.get(f"/{name}.json")
            (folder / f"{name}.json").write_bytes(answer.content)


if __name__ == "__main__":
    asyncio.run(write(Path(sys.argv[1])))
