"""Load a server with a scenario of simulated people, judge the run, write a report.

    python -m loadtests.load release --users 5000

Starts a server with a throw-away data folder on a free port (or aims at ``--url``),
runs Locust, checks that no slot was given twice, that acknowledged bookings stand and
that every watcher's view is right, compares the figures with loadtests/budgets.toml,
writes results/<scenario>-<time>/ and exits with 1 if a budget or invariant is broken.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from loadtests.load.budgets import PATH, BudgetUnreadable, judge, read_budgets
from loadtests.load.checks import Finding, broken, check
from loadtests.load.outcome import Outcome
from loadtests.load.page import write_page
from loadtests.load.plan import Plan
from loadtests.load.practice import prepare
from loadtests.load.running import LocustFailed, Manner, Target, swarm, target
from loadtests.load.scenarios import SCENARIOS
from loadtests.load.tally import Tally
from loadtests.load.watching import Watching
from loadtests.wire.arguments import positive, positive_seconds
from loadtests.wire.http_client import ConnectionLost, HttpClient
from loadtests.workload.providers import ProviderRefused

CUT_SHORT, UNUSABLE = 130, 2
METRICS = (
    "slotcast_live_frames_sent",
    "slotcast_live_deltas_encoded",
    "slotcast_live_snapshots_encoded",
    "slotcast_live_conflations",
    "slotcast_live_gaps_healed",
    "slotcast_live_resumes",
)


async def run(chosen: argparse.Namespace, folder: Path) -> Outcome:
    """One whole run."""
    scenario = SCENARIOS[chosen.scenario]
    budgets = read_budgets(scenario.name, chosen.budgets)
    began = datetime.now(UTC)
    wanted: dict[str, Any] = {
        "users": chosen.users or scenario.users,
        "seconds": chosen.seconds or scenario.seconds,
        "processes": chosen.workers or chosen.processes or scenario.processes,
        "slots": chosen.slots or scenario.slots,
        "seed": chosen.seed or int(began.timestamp()),
    }
    async with target(chosen.url) as aim:
        say(f"preparing {scenario.name} on {aim.url} …")
        plan = await prepare(aim.url, scenario, wanted)
        say(f"{plan.users:,} people for {plan.seconds:g} s …")
        with Watching(aim.pid) as watching:
            manner = Manner(chosen.web, bool(chosen.workers), chosen.bind, chosen.plan)
            facts = await swarm(plan, folder, watching, manner)
        tally = Tally()
        tally.add(facts["tally"])
        return Outcome(
            plan=plan,
            began=began.strftime("%Y-%m-%d %H:%M UTC"),
            facts=facts,
            tally=tally,
            verdicts=judge(scenario.name, budgets, tally),
            findings=await _checked(plan, facts, aim),
            samples=watching.samples,
            metrics=await _metrics(aim.url),
        )


async def _checked(plan: Plan, facts: dict[str, Any], aim: Target) -> list[Finding]:
    try:
        return await check(plan, facts, is_ours=aim.is_ours)
    except (OSError, ConnectionLost) as error:
        return [broken("the server answers after the run", str(error))]


async def _metrics(url: str) -> dict[str, float]:
    """The server's own counts, summed over their labels."""
    client = HttpClient(url, 1, timeout_s=10)
    found: dict[str, float] = {}
    try:
        text = (await client.ask("GET", "/metrics")).body.decode()
    except ConnectionLost:
        return {}
    finally:
        await client.close()
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        name = name.partition("{")[0].removesuffix("_total")
        if name in METRICS:
            found[name] = found.get(name, 0.0) + float(value)
    return found


def say(text: str) -> None:
    """Print a line of progress."""
    print(text, flush=True)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m loadtests.load",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(f"  {s.name:<11}{s.about}" for s in SCENARIOS.values()),
    )
    made.add_argument("scenario", choices=SCENARIOS, metavar="SCENARIO")
    made.add_argument("--users", type=positive)
    made.add_argument("--seconds", type=positive_seconds)
    made.add_argument(
        "--processes", type=positive, help="Locust processes, on this machine"
    )
    made.add_argument("--slots", type=positive, help="slots that a release opens")
    made.add_argument(
        "--url", default="", help="a running server; set SLOTCAST_DATA to its folder"
    )
    made.add_argument("--seed", type=int, default=0, help="seed of all random choices")
    made.add_argument("--budgets", type=Path, default=PATH)
    made.add_argument("--results", type=Path, default=Path("results"))
    made.add_argument(
        "--web", action="store_true", help="serve Locust's page on port 8089"
    )
    made.add_argument(
        "--workers", type=positive, help="workers started by hand elsewhere"
    )
    made.add_argument(
        "--bind", default="127.0.0.1", help="where workers reach the master"
    )
    made.add_argument("--plan", type=Path, help="the plan's file for workers; private")
    return made


def folder_for(chosen: argparse.Namespace) -> Path:
    """A new folder for the results."""
    now = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    folder: Path = chosen.results.resolve() / f"{chosen.scenario}-{now}"
    folder.mkdir(parents=True)
    return folder


async def _judged(chosen: argparse.Namespace, folder: Path) -> Outcome | int:
    """The outcome, or the exit code if the run has none."""
    task = asyncio.ensure_future(run(chosen, folder))
    loop = asyncio.get_running_loop()
    for kind in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(kind, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        say("interrupted: everything that was started has been stopped")
        return CUT_SHORT
    except LocustFailed as failed:
        say(f"{failed}\n{failed.said}")
    except (BudgetUnreadable, ProviderRefused, RuntimeError, OSError) as error:
        say(str(error))
    return UNUSABLE


def main() -> int:
    """Run and report; the exit code."""
    chosen = parser().parse_args()
    folder = folder_for(chosen)
    outcome = asyncio.run(_judged(chosen, folder))
    if isinstance(outcome, int):
        return outcome
    document = json.dumps(outcome.document(), indent=2)
    (folder / "report.json").write_text(document + "\n", encoding="utf-8")
    write_page(outcome, folder / "report.html")
    say(outcome.text(folder))
    return 0 if outcome.passed else 1


if __name__ == "__main__":
    sys.exit(main())
