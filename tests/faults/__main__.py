"""All faults of docs/faults.md, one run.

    python -m tests.faults [--record]

``--record`` writes date, commit and result of each into the page.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime

from tests.benchmarks.__main__ import commit
from tests.faults.recording import (
    PAGE,
    about,
    named_paths,
    recorded,
    rows,
    run,
    verdict,
)


def main() -> int:
    """Run them; 1 if one failed or a fault had no test that ran."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", action="store_true", help="write docs/faults.md")
    chosen = parser.parse_args()
    page = PAGE.read_text("utf-8")
    cases = run(named_paths(page))
    bad = 0
    for number, how, _ in rows(page):
        told = verdict(about(number, how, cases))
        bad += "failed" in told or "not run" in told
        sys.stdout.write(f"{number:3} {told}\n")
    if chosen.record:
        when = f"{datetime.now(UTC).date().isoformat()}, {commit()}"
        PAGE.write_text(recorded(page, cases, when), "utf-8")
    return int(bad > 0)


if __name__ == "__main__":
    raise SystemExit(main())
