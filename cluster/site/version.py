"""The version of Slotcast."""

from __future__ import annotations

import importlib.metadata

VERSION_ELSE = "0.1.0"
"""The version where the distribution is not installed but linked (make run)."""


def version_text() -> str:
    """The version of this code."""
    try:
        return importlib.metadata.version("slotcast")
    except importlib.metadata.PackageNotFoundError:
        return VERSION_ELSE
