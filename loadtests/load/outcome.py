"""The outcome of a run: budgets, invariants, figures; as JSON and for a terminal."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from loadtests.load.budgets import Verdict, ms
from loadtests.load.checks import Finding
from loadtests.load.curves import Scale
from loadtests.load.plan import Plan
from loadtests.load.tally import Tally
from loadtests.load.watching import Sample, cores

ROOT = Path(__file__).parents[2]


@dataclass(slots=True)
class Outcome:
    """One run, judged."""

    plan: Plan
    began: str
    """When the run began, as text."""
    facts: Mapping[str, Any]
    tally: Tally
    verdicts: list[Verdict]
    findings: list[Finding]
    samples: list[Sample] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)
    """The server's own counts of live frames; empty if they could not be read."""

    @property
    def complaints(self) -> list[str]:
        """A sentence for each broken budget and invariant."""
        broken = [v.sentence for v in self.verdicts if not v.kept]
        return broken + [
            f"{self.plan.scenario}: {f.name} does not hold: {f.sentence}."
            for f in self.findings
            if not f.holds
        ]

    @property
    def passed(self) -> bool:
        """Whether all budgets and invariants hold."""
        return not self.complaints

    @property
    def ran_s(self) -> int:
        """Seconds in which anything was counted; a run may end early."""
        first, last = self.tally.span
        return last - first + 1

    @property
    def bookings_per_second(self) -> dict[int, int]:
        """Bookings acknowledged in each second."""
        return {s: t.count for s, t in self.tally.seconds.get("booked", {}).items()}

    @property
    def scale(self) -> Scale:
        """The run compared with the evening of 12 July 2021."""
        by_second, (first, last) = self.bookings_per_second, self.tally.span
        window = max(1, min(60, last - first + 1))
        best = max(
            (
                sum(by_second.get(s, 0) for s in range(start, start + window))
                for start in range(first, max(first, last - window + 1) + 1)
            ),
            default=0,
        )
        visits = self.tally.whole("visit").count
        return Scale(visits, best * 60 / window, self.ran_s)

    def rows(self) -> list[dict[str, Any]]:
        """A row for each name that was counted."""
        rows = []
        for name in self.tally.names:
            whole = self.tally.whole(name)
            rows.append(
                {
                    "name": name,
                    "count": whole.count,
                    "failed": whole.failed,
                    **{f"p{p}_ms": _rounded(whole.percentile(p)) for p in (50, 90, 99)},
                    "max_ms": _rounded(whole.max_ms) if whole.buckets else None,
                    "outcomes": dict(self.tally.outcomes.get(name, {})),
                }
            )
        return rows

    def document(self) -> dict[str, Any]:
        """The run as JSON."""
        server = cores(self.samples, "server_cpu_s")
        locust = cores(self.samples, "locust_cpu_s")
        plan = self.plan
        return {
            "scenario": plan.scenario,
            "began": self.began,
            "users": plan.users,
            "seconds": plan.seconds,
            "ran_s": self.ran_s,
            "processes": plan.processes,
            "slots": plan.slots,
            "seed": plan.seed,
            "providers": len(plan.doctors),
            "machine": machine(),
            "commit": commit(),
            "passed": self.passed,
            "complaints": self.complaints,
            "budgets": [asdict(verdict) for verdict in self.verdicts],
            "invariants": [asdict(finding) for finding in self.findings],
            "figures": self.rows(),
            "notes": self.facts.get("notes", {}),
            "scale": self.scale.sentence() if plan.scenario == "national" else "",
            "server": {
                "cores_mean": _mean([used for _, used in server]),
                "cores_max": _rounded(max((used for _, used in server), default=0.0)),
                "rss_max_mib": round(
                    max((s.server_rss for s in self.samples), default=0) / 2**20
                ),
                "metrics": self.metrics,
            },
            "locust": {
                "cores_mean": _mean([used for _, used in locust]),
                "cores_max": _rounded(max((used for _, used in locust), default=0.0)),
                "rss_max_mib": round(
                    max((s.locust_rss for s in self.samples), default=0) / 2**20
                ),
            },
        }

    def text(self, folder: Path) -> str:
        """The outcome as text for a terminal."""
        plan = self.plan
        lines = [
            "",
            f"{plan.scenario}: {plan.users:,} users, {self.ran_s} s "
            f"(at most {plan.seconds:g}), "
            f"{plan.processes} of Locust",
            f"{'':<24}{'count':>10}{'failed':>8}{'p50':>12}{'p99':>12}{'max':>12}",
        ]
        for row in self.rows():
            times = [row["p50_ms"], row["p99_ms"], row["max_ms"]]
            shown = ["" if one is None else ms(one) for one in times]
            lines.append(
                f"{row['name']:<24}{row['count']:>10,}{row['failed']:>8,}"
                + "".join(f"{one:>12}" for one in shown)
            )
        if plan.scenario == "national":
            lines += ["", self.scale.sentence()]
        lines += ["", *(f"  {f.name}: {f.sentence}" for f in self.findings)]
        kept = sum(verdict.kept for verdict in self.verdicts)
        lines += ["", f"budgets kept: {kept} of {len(self.verdicts)}"]
        lines += [f"  {complaint}" for complaint in self.complaints]
        lines += [
            "PASSED" if self.passed else "FAILED",
            f"report: {folder / 'report.html'}",
        ]
        return "\n".join(lines)


def machine() -> str:
    """Cores, system and Python of this machine, without its name."""
    python = platform.python_version()
    return f"{os.cpu_count()} cores, {platform.system()}, Python {python}"


def commit() -> str:
    """The commit of the sources; empty if git cannot tell."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"],  # noqa: S607 -- whichever git there is
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found.stdout.strip()


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _mean(values: list[float]) -> float:
    return round(sum(values) / len(values), 2) if values else 0.0
