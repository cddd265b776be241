"""The attacks by name, and what each is given and says.

An attack is a coroutine function decorated with ``@attack("its name")`` in one of the
modules of ``KINDS``. It sends up to ``aim.bytes_max`` bytes, at most ``aim.seconds``
long, ends early when the server closes all of its connections, and returns an
``Outcome``. It runs in a process of its own (attacker.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Final

KINDS: Final = ("tests.attacks.on_http", "tests.attacks.on_socket")
"""Modules with attacks."""


@dataclass(frozen=True)
class Aim:
    """The server's port, and how much of an attack is wanted."""

    port: int
    bytes_max: int
    seconds: float
    token: str = ""
    """A patient's token, for attacks that sign in."""
    enough: int = 0
    """Answers with which it ends before its time; 0: none are enough."""


@dataclass
class Outcome:
    """What an attack did, and what it was answered."""

    sent: int = 0
    """Bytes that the kernel took."""
    opened: int = 0
    closed: int = 0
    """Connections, and those of them that the server ended."""
    statuses: Counter[int] = field(default_factory=Counter)
    """Status or close code -> how often."""


Attacking = Callable[[Aim], Awaitable[Outcome]]


@dataclass(frozen=True)
class Attack:
    """One of them; the summary is its docstring's first line."""

    name: str
    run: Attacking
    summary: str


_FOUND: dict[str, Attack] = {}


def attack(name: str) -> Callable[[Attacking], Attacking]:
    """Register an attack under this name."""

    def register(run: Attacking) -> Attacking:
        _FOUND[name] = Attack(name, run, (run.__doc__ or "").partition("\n")[0])
        return run

    return register


def all_attacks() -> dict[str, Attack]:
    """Every attack, in the order of its module."""
    for kind in KINDS:
        import_module(kind)
    return _FOUND


def outcome_of(told: dict[str, Any]) -> Outcome:
    """An outcome that went through JSON."""
    statuses = Counter({int(code): n for code, n in told.pop("statuses").items()})
    return Outcome(statuses=statuses, **told)
