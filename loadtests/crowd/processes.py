"""Several crowds of listeners, each in its own process, used as one."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PROCESSES = 2
"""Two listening processes, or more when the sockets exceed their open-file limits."""
SOCKETS_EACH = 9_000

Plan = Sequence[Sequence[str]]
"""Topics of each listener: the n-th takes the n-th list, cycling through them."""


class Crowds:
    """Listeners in processes of their own.

    As a context manager they connect on entry and end on exit;
    otherwise call ``arrive`` and ``close``. All methods but ``close`` block: under
    asyncio call them in a thread; ``close`` interrupts what blocks there.
    """

    def __init__(
        self,
        url: str,
        sockets: int,
        *words: str,
        plan: Plan | None = None,
        first: int = 0,
        first_source: int = 1,
    ) -> None:
        self.sockets = sockets
        self._folder = tempfile.TemporaryDirectory(prefix="crowd-")
        self._processes: list[subprocess.Popen[str]] = []
        given = list(words)
        if plan is not None:
            path = Path(self._folder.name) / "plan"
            path.write_text(json.dumps(plan))
            given += ["--plan", str(path)]
        count = max(PROCESSES, -(-sockets // SOCKETS_EACH))
        edges = [first + sockets * n // count for n in range(count + 1)]
        for number in range(count):
            share = edges[number + 1] - edges[number]
            place = ["--first", str(edges[number]), "--count", str(share)]
            source = ["--first-source", str(first_source + number)]
            self._processes.append(
                subprocess.Popen(  # noqa: S603 -- ours
                    [
                        *(sys.executable, "-m", "loadtests.crowd", url),
                        *(*given, *place, *source),
                    ],
                    cwd=ROOT,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    start_new_session=True,  # the parent handles Ctrl-C
                )
            )
        self.connected: list[dict[str, Any]] = []

    def arrive(self) -> None:
        """Wait until all have connected or given up."""
        self.connected = [self._line(one) for one in self._processes]

    @staticmethod
    def _line(process: subprocess.Popen[str]) -> dict[str, Any]:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("a process of listeners has ended; see its stderr above")
        found: dict[str, Any] = json.loads(line)
        return found

    @property
    def connected_s(self) -> float:
        """Seconds until the last was connected."""
        return max(float(one["connected_s"]) for one in self.connected)

    def ask(self, command: str) -> list[dict[str, Any]]:
        """The answer of each process."""
        return self._ask([command] * len(self._processes))

    def _ask(self, commands: Sequence[str]) -> list[dict[str, Any]]:
        for one, command in zip(self._processes, commands, strict=True):
            assert one.stdin is not None
            one.stdin.write(command + "\n")
            one.stdin.flush()
        return [self._line(one) for one in self._processes]

    def total(self, name: str) -> int:
        """One count of the report, summed over all processes."""
        return sum(int(one[name]) for one in self.ask("report"))

    def counts(self) -> dict[str, Any]:
        """The counts of the report, summed over all processes."""
        told = self.ask("report")
        names = ("joined", "ready", "lost", "frames", "heartbeats", "answered")
        found: dict[str, Any] = {n: sum(one[n] for one in told) for n in names}
        for name in ("refused", "closes"):
            summed: Counter[str] = Counter()
            for one in told:
                summed.update(one[name])
            found[name] = dict(summed)
        return found

    def stands(self) -> dict[str, Counter[int]]:
        """How many listeners are at each version of each topic."""
        found: dict[str, Counter[int]] = {}
        for one in self.ask("report"):
            for topic, versions in one["stands"].items():
                counted = found.setdefault(topic, Counter())
                counted.update({int(version): n for version, n in versions.items()})
        return found

    def deliveries(self) -> list[dict[str, Any]]:
        """Every delta and snapshot since the last reset, with its times of receipt."""
        paths = [
            Path(self._folder.name) / f"deliveries-{number}"
            for number in range(len(self._processes))
        ]
        self._ask([f"deliveries {path}" for path in paths])
        lines = (line for path in paths for line in path.read_text().splitlines())
        return [json.loads(line) for line in lines]

    def close(self) -> None:
        """End all processes."""
        for one in self._processes:
            one.kill()
            one.wait(20)
            for pipe in (one.stdin, one.stdout):
                assert pipe is not None
                pipe.close()
        self._folder.cleanup()

    def __enter__(self) -> Crowds:
        try:
            self.arrive()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
