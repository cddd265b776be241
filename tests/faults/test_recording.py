"""The recorder tells of each fault what its own tests did."""

from __future__ import annotations

from tests.faults.recording import Case, about, recorded, verdict

PAGE = """| no. | what goes wrong | what must hold | made to happen by | last result |
|---|---|---|---|---|
| 1 | a | b | `tests/simulation/` (crash), `tests/faults/` | old |
| 2 | a | b | `tests/faults/test_cluster.py` | old |
"""
CASES = [
    Case("tests/simulation/test_simulation", "test_seeds", "passed"),
    Case("tests/faults/test_cluster", "test_1_2_a_thing", "failed"),
    Case("tests/faults/test_one_server", "test_1_other", "passed"),
    Case("tests/faults/test_proxy", "test_it_carries", "failed"),
]


def test_each_row_hears_of_its_own_tests() -> None:
    """By path, and in tests/faults/ by number; a failure is not hidden by others."""
    page = recorded(PAGE, CASES, "today")
    assert "| `tests/simulation/` (crash), `tests/faults/` | **1 of 3 failed**" in page
    assert "| `tests/faults/test_cluster.py` | **1 of 1 failed**, today |" in page
    assert len(about(1, "`tests/faults/`", CASES)) == 2
    assert verdict([]) == "not run"
    assert verdict(CASES[:1]) == "1 passed"
