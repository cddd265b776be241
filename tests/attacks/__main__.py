"""All attacks, or those that are named, each on a fresh server; a table of figures.

python -m tests.attacks [--mebibytes 64] [--seconds 30] [--without GUARD] [NAME …]
"""

from __future__ import annotations

import argparse
import asyncio
import sys

from tests.attacks.attacked import attacked
from tests.attacks.registry import all_attacks
from tests.attacks.running import Report, run

_HEAD = (
    f"{'attack':<24}{'sent':>9} {'answers':<22}{'open/closed':>12}"
    f"{'polite':>8}{'wrong':>6}{'p50 ms':>8}{'p99 ms':>8}"
    f"{'before':>8}{'peak':>8}{'after':>8}"
)


def line(name: str, report: Report) -> str:
    """A row of the table; memory in MiB."""
    out, served = report.outcome, report.served
    answers = " ".join(f"{code}×{n}" for code, n in sorted(out.statuses.items()))
    return (
        f"{name:<24}{out.sent / 2**20:>5.1f} MiB {answers[:21]:<22}"
        f"{out.opened:>6}/{out.closed:<5}"
        f"{served.right:>8}{len(served.wrong):>6}"
        f"{served.percentile_ms(50):>8.1f}{served.percentile_ms(99):>8.1f}"
        f"{report.before_mib:>8.0f}{report.peak_mib:>8.0f}{report.after_mib:>8.0f}"
    )


async def attack_all(chosen: argparse.Namespace) -> int:
    """Print a row for each; 1 if a polite answer was wrong."""
    found = all_attacks()
    unknown = [name for name in chosen.names if name not in found]
    if unknown:
        known = ", ".join(found)
        sys.stderr.write(f"There is no attack {unknown[0]!r}; there are: {known}\n")
        return 2
    wrong = 0
    sys.stdout.write(_HEAD + "\n")
    for name in chosen.names or found:
        async with attacked(chosen.without) as server:
            report = await run(server, name, chosen.mebibytes, chosen.seconds)
        wrong += len(report.served.wrong)
        sys.stdout.write(line(name, report) + "\n")
        sys.stdout.flush()
    return int(wrong > 0)


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mebibytes", type=float, default=64)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--without", action="append", default=[], metavar="GUARD")
    parser.add_argument("names", nargs="*", metavar="NAME")
    return asyncio.run(attack_all(parser.parse_args()))


if __name__ == "__main__":
    raise SystemExit(main())
