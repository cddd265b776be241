"""A site: a data folder, its layout, and the settings that hold for it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from msgspec import Struct

from cluster.data_folder import DataFolder, Layout
from cluster.obstacle import Obstacle
from cluster.settings import Settings, read_settings


class Site(Struct, frozen=True):
    """What every command needs to know of the site it works on."""

    settings: Settings
    folder: DataFolder
    layout: Layout

    @property
    def made_on(self) -> date:
        """The UTC date on which the folder was made; the demo region counts from it."""
        return date.fromisoformat(self.layout.made_on)


def existing_site(data: Path | None) -> Site:
    """The site of this data folder (or the one in the environment).

    Raises:
        Obstacle: there is none yet, or something is wrong with it.
    """
    settings = read_settings(data=data)
    folder = DataFolder(settings.data)
    layout = folder.examine()
    if layout is None:
        raise Obstacle(
            f"There is no data folder at {folder.path} yet.",
            "Make one with: slotcast serve (or make run); or name another with --data.",
        )
    return Site(folder.check_matches(layout, settings), folder, layout)


def site_made_if_needed(settings: Settings, today: date) -> Site:
    """The site of these settings; its folder is made if there is none.

    Raises:
        Obstacle: something is wrong with the folder, or somebody else makes it.
    """
    folder = DataFolder(settings.data)
    layout = folder.examine()
    if layout is None:
        with folder.locked():
            layout = folder.make(settings, today.isoformat())
    return Site(folder.check_matches(layout, settings), folder, layout)
