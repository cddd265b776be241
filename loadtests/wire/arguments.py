"""Types for the load tests' command-line arguments; invalid values are refused."""

from __future__ import annotations

import argparse
from typing import Final

DAY_S: Final = 86_400.0


def positive(text: str) -> int:
    """An integer of at least 1. Raises ArgumentTypeError, which argparse shows."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not an integer of at least 1")
    return int(text)


def positive_seconds(text: str) -> float:
    """A positive number of seconds. Raises ArgumentTypeError, which argparse shows."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= DAY_S:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds above 0")
    return seconds
