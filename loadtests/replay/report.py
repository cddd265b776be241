"""The report of a replay: an outcome for every row, latencies, and the checks."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from loadtests.histogram import PERCENTILES, percentiles


@dataclass(slots=True)
class Report:
    """Counts and timings of one replay."""

    rows: int = 0
    bad_rows: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    """Count of each outcome of a visit: ``booked``, or the code of its refusal."""
    outcomes: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    """Refusals by code; a visit may get several before it is booked."""
    elsewhere: int = 0
    retries: int = 0
    lost_connections: int = 0
    latencies: dict[str, list[float]] = field(default_factory=dict)
    wall_seconds: float = 0.0
    live: dict[str, int] = field(default_factory=dict)
    checks: dict[str, str] = field(default_factory=dict)
    """Each check's finding; ``ok`` where it holds."""

    def took(self, kind: str, seconds: float) -> None:
        """Record one answered request."""
        self.latencies.setdefault(kind, []).append(seconds)

    @property
    def accounted(self) -> bool:
        """Whether every row of the trace has an outcome."""
        return self.rows == self.bad_rows + sum(self.ends.values())

    @property
    def passed(self) -> bool:
        """Whether every row is accounted for and every check holds."""
        return self.accounted and all(
            finding.startswith("ok") for finding in self.checks.values()
        )

    def document(self) -> dict[str, Any]:
        """The report as JSON."""
        asked = sum(len(kind) for kind in self.latencies.values())
        return {
            "rows": self.rows,
            "bad_rows": self.bad_rows,
            "accounted": self.accounted,
            "booked": self.ends.get("booked", 0),
            "refused": {k: n for k, n in sorted(self.ends.items()) if k != "booked"},
            "outcomes": dict(sorted(self.outcomes.items())),
            "booked_in_another_clinic": self.elsewhere,
            "refusals_met": dict(sorted(self.refusals.items())),
            "retries": self.retries,
            "lost_connections": self.lost_connections,
            "wall_seconds": round(self.wall_seconds, 1),
            "requests": asked,
            "requests_per_second": round(asked / max(self.wall_seconds, 1e-9)),
            "latency_ms": {
                kind: {"n": len(seconds), **percentiles(seconds)}
                for kind, seconds in sorted(self.latencies.items())
            },
            "live": self.live,
            "checks": self.checks,
            "passed": self.passed,
        }

    def text(self) -> str:
        """The report as text for a terminal."""
        shown = self.document()
        lines = [
            "",
            f"rows {self.rows:,}: booked {shown['booked']:,}, refused "
            + (", ".join(f"{n:,} {k}" for k, n in shown["refused"].items()) or "none")
            + f", bad {self.bad_rows}"
            + ("" if self.accounted else "   NOT ALL ROWS ARE ACCOUNTED FOR"),
            "outcomes: "
            + ", ".join(f"{k} {n:,}" for k, n in shown["outcomes"].items())
            + f"; booked in another clinic {self.elsewhere:,}",
            "refusals met: "
            + (", ".join(f"{k} {n:,}" for k, n in shown["refusals_met"].items()) or "-")
            + f"; retries {self.retries:,}, connections lost {self.lost_connections:,}",
            f"{shown['requests']:,} requests in {self.wall_seconds:,.1f} s: "
            f"{shown['requests_per_second']:,} per second",
            "",
            f"{'latency, ms':<14}{'n':>9}"
            + "".join(f"{f'p{p:g}':>9}" for p in PERCENTILES)
            + f"{'max':>9}",
        ]
        for kind, figures in shown["latency_ms"].items():
            values = [figures[f"p{p:g}"] for p in PERCENTILES] + [figures["max"]]
            lines.append(
                f"{kind:<14}{figures['n']:>9,}" + "".join(f"{v:>9.1f}" for v in values)
            )
        if self.live:
            lines += [
                "",
                "live: " + ", ".join(f"{k} {n:,}" for k, n in self.live.items()),
            ]
        lines.append("")
        lines += [f"{name}: {finding}" for name, finding in self.checks.items()]
        lines.append("PASSED" if self.passed else "FAILED")
        return "\n".join(lines)
