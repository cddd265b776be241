"""One attack in a process of its own, so that it does not delay the polite client.

Usage: python -m tests.attacks.attacker NAME '{"port": …, "bytes_max": …, …}'

Prints its outcome as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys

from tests.attacks.registry import Aim, Outcome, all_attacks, outcome_of


async def attack_from_outside(name: str, aim: Aim) -> Outcome:
    """Run an attack in another process."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.attacks.attacker", name),
        json.dumps(vars(aim)),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        told, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, f"the attack {name} failed by itself"
    return outcome_of(json.loads(told))


async def _attack(name: str, aim: Aim) -> Outcome:
    return await all_attacks()[name].run(aim)


def main() -> None:
    """Attack, and tell."""
    name, aim = sys.argv[1], Aim(**json.loads(sys.argv[2]))
    outcome = asyncio.run(_attack(name, aim))
    sys.stdout.write(json.dumps(vars(outcome)))


if __name__ == "__main__":
    main()
