"""What prevents a command from working, with its remedy."""

from __future__ import annotations

FOUND_A_PROBLEM = 1
"""Exit code: the command worked and found a problem."""
CANNOT_WORK = 2
"""Exit code: usage or environment; nothing was done."""


class Obstacle(Exception):
    """One sentence on what is wrong, and one on the remedy.

    Raised before anything is changed, or after everything was rolled back.
    """

    def __init__(
        self, wrong: str, remedy: str = "", *, code: int = CANNOT_WORK
    ) -> None:
        super().__init__(wrong)
        self.wrong = wrong
        self.remedy = remedy
        self.code = code
