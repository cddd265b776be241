"""The scenarios: number of users, duration, practice, and shape over time."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from loadtests.load.curves import Curve, National, Plateau


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario with its defaults; the command line may override them."""

    name: str
    about: str
    users: int
    seconds: float
    providers: int
    curve: Curve
    processes: int = 1
    slots: int = 0
    """Slots opened during the run; 0: all are open at its start."""

    def __post_init__(self) -> None:
        if self.users < 1 or self.seconds <= 0 or self.providers < 1:
            raise ValueError(
                f"{self.name}: users, seconds and providers must be above 0"
            )


_ALL: Final = (
    Scenario(
        "browse",
        "patients who search, watch a provider's weeks, hold, book and cancel",
        users=300,
        seconds=60,
        providers=60,
        curve=Plateau(rise=0.2),
    ),
    Scenario(
        "reconnect",
        "watchers who lose their connection and resume where they were",
        users=1_000,
        seconds=60,
        providers=20,
        curve=Plateau(rise=0.2),
    ),
    Scenario(
        "release",
        "a release of slots at eight o'clock: all watch, and all try to book them",
        users=5_000,
        seconds=45,
        providers=1,
        curve=Plateau(rise=0.4),
        slots=100,
    ),
    Scenario(
        "doctors",
        "doctors who watch their day change while patients book it",
        users=200,
        seconds=60,
        providers=40,
        curve=Plateau(rise=0.2),
    ),
    Scenario(
        "staff",
        "clinic staff: check-in, completion, no-show, leave, the day's schedule",
        users=60,
        seconds=60,
        providers=20,
        curve=Plateau(rise=0.2),
    ),
    Scenario(
        "phones",
        "phones that connect, watch briefly, vanish without a close and return",
        users=500,
        seconds=60,
        providers=20,
        curve=Plateau(rise=0.2),
    ),
    Scenario(
        "waiting",
        "500 wait for 50 visits that are given up, while 50 others try to book them",
        users=600,
        seconds=90,
        providers=5,
        curve=Plateau(rise=0.15),
    ),
    Scenario(
        "national",
        "the evening of 12 July 2021 in France, scaled to this machine",
        users=600,
        seconds=90,
        providers=120,
        curve=National(),
        processes=2,
    ),
)

SCENARIOS: Final = MappingProxyType({scenario.name: scenario for scenario in _ALL})
"""All scenarios by name."""
