"""Locust's entry file: the users and the shape of the scenario that the plan names.

    python -m loadtests.load release --users 5000

starts it with a plan; docs/loadtests.md says how to do that over several machines.
"""

from __future__ import annotations

import importlib
from typing import Any

from locust import events, runners
from locust.runners import MasterRunner, WorkerRunner

from loadtests.swarm import closing, facts, shape
from loadtests.swarm.shift import SHIFT

SCENARIO = importlib.import_module(f"loadtests.swarm.{SHIFT.plan.scenario}")
FACTS = facts.Facts()

# On a saturated machine a live worker may be silent for seconds: Locust's default of
# three would end exactly the runs of interest.
runners.HEARTBEAT_LIVENESS = 30

ScenarioShape = shape.ScenarioShape
globals().update({user.__name__: user for user in SCENARIO.PEOPLE})


def on_init(environment: Any, **_: object) -> None:
    """Set up this process as master, worker or both."""
    runner = environment.runner
    if not isinstance(runner, MasterRunner):
        SHIFT.begin(environment)
        closing.serve(environment)
        if hasattr(SCENARIO, "serve"):
            SCENARIO.serve(environment)
    if not isinstance(runner, WorkerRunner):
        shape.ScenarioShape.closing = closing.Closing(environment, FACTS.add_comparison)
        if hasattr(SCENARIO, "conductor"):
            conduct = SCENARIO.conductor(environment, FACTS)
            shape.ScenarioShape.conductor = staticmethod(conduct)


def on_report(data: dict[str, Any], **_: object) -> None:
    """Add this worker's counts to its report."""
    data["slotcast"] = SHIFT.drain()


def on_worker_report(data: dict[str, Any], **_: object) -> None:
    """Take a worker's counts on the master."""
    if "slotcast" in data:
        FACTS.add(data["slotcast"])


def on_quitting(environment: Any, **_: object) -> None:
    """Write the facts at the end, also of an interrupted run."""
    if isinstance(environment.runner, WorkerRunner):
        return
    if not isinstance(environment.runner, MasterRunner):
        FACTS.add(SHIFT.drain())
    exceptions = environment.runner.exceptions.values()
    FACTS.defects = {str(one["msg"]): int(one["count"]) for one in exceptions}
    FACTS.write()


events.init.add_listener(on_init)
events.report_to_master.add_listener(on_report)
events.worker_report.add_listener(on_worker_report)
events.quitting.add_listener(on_quitting)
