"""Numbers on the command lines of load tests: nonsense is refused at once."""

from __future__ import annotations

import argparse
from typing import Final

DAY_S: Final = 86_400.0


def positive(text: str) -> int:
    """A whole number from 1. Raises ArgumentTypeError, which argparse shows."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1")
    return int(text)


def positive_seconds(text: str) -> float:
    """A length of time. Raises ArgumentTypeError, which argparse shows."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= DAY_S:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds above 0")
    return seconds
