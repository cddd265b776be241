"""The mutation gate: take a guard away, and the simulation must notice.

Beside each guard stand seeds that need it: whole, they are clean; without it, at least
one of them breaks a promise. A guard that nothing notices is not known to guard.
"""

from __future__ import annotations

import pytest

from tests.simulation.mutants import MUTANTS
from tests.simulation.runs import broken

SEEDS: dict[str, int] = dict.fromkeys(MUTANTS, 200) | {
    "deadline": 600,
    "refusal_check": 1500,
    "watermark": 1500,
    "delta_chain": 1500,
}
"""How many seeds to look through for what each guard prevents; some are rare."""
FIRST: dict[str, int] = {
    "group_change": 30,
    "group_debts": 30,
    "group_joined": 280,
    "group_members": 100,
    "group_moves": 10,
    "group_pays": 30,
    "group_release": 30,
    "offer_turn": 290,
}
"""Where to begin to look, so that a rare one is found soon; else at 0."""
STRIDE = 10


@pytest.mark.parametrize("name", sorted(MUTANTS))
def test_the_simulation_needs_every_guard(name: str) -> None:
    """Without this guard a promise is broken in some history, and it is noticed."""
    begin = FIRST.get(name, 0)
    for first in range(begin, begin + SEEDS[name], STRIDE):
        found = [seed for seed, _ in broken(range(first, first + STRIDE), name)]
        if found:
            assert not broken(found), f"{found} are broken with the guard, too"
            return
    pytest.fail(f"seeds {SEEDS[name]} do not show that {name} is missing")


def test_mutants_leave_no_trace() -> None:
    """A guard that was taken out is back afterwards, inherited or not."""
    before = [
        vars(owner).get(what) for make in MUTANTS.values() for owner, what, _ in make()
    ]
    for name in MUTANTS:
        broken([], name)
    after = [
        vars(owner).get(what) for make in MUTANTS.values() for owner, what, _ in make()
    ]
    assert before == after
