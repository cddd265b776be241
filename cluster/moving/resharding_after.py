"""Journals of generations that are not in force: kept until they are forgotten."""

from __future__ import annotations

import asyncio
import re
import shutil
from pathlib import Path

from cluster.site.site import Site

_NUMBERED = re.compile(r"(?:journal|snapshots)-g(\d+)", re.ASCII)


async def forget_other_generations(site: Site) -> int:
    """Remove them; how many folders or keys that were. Needs the folder's lock."""
    in_force = site.layout.generation
    if site.stores.in_redis:
        from persistence.journal.redis.generations import forget_generations

        settings = site.settings
        return await forget_generations(settings.journal, settings.site, but=in_force)
    return await asyncio.to_thread(_forget_folders, site, in_force)


def _forget_folders(site: Site, in_force: int) -> int:
    folder = site.folder
    gone = [
        path
        for path in folder.path.iterdir()
        if (match := _NUMBERED.fullmatch(path.name)) and int(match[1]) != in_force
    ]
    if in_force != 1:  # the first generation's folders stay, empty
        gone += [*_inside(folder.journal_of(1)), *_inside(folder.snapshots_of(1))]
    for path in gone:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    return len(gone)


def _inside(folder: Path) -> list[Path]:
    return list(folder.iterdir())
