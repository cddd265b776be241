"""How long the jobs of the waiting list wait, and go on."""

from __future__ import annotations

from typing import Final

DAY_MS: Final = 24 * 3_600_000
COMMAND_MS: Final = 5_000
"""How long a calendar may take for a command."""
