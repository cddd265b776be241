"""Patients and watchers beside a test that breaks things, and waits for conditions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from loadtests.workload.history import OK, History
from loadtests.workload.plan import Plan, register
from loadtests.workload.workload import Watchers, Workload
from tests.faults.checking import Findings, check
from tests.faults.sites import Site

WAIT_S = 90.0
"""Far longer than anything takes; only a bug waits this long."""


async def until(
    reached: Callable[[], bool | Awaitable[bool]], what: str, within_s: float = WAIT_S
) -> float:
    """Wait for a condition, with a deadline; how many seconds it took."""
    began = time.monotonic()
    while True:
        found = reached()
        if found if isinstance(found, bool) else await found:
            return time.monotonic() - began
        assert time.monotonic() - began < within_s, f"{what}: not in {within_s:.0f} s"
        await asyncio.sleep(0.02)


@dataclass
class Load:
    """A running workload and its watchers."""

    site: Site
    work: Workload
    watchers: Watchers

    @property
    def done(self) -> int:
        """Operations acknowledged up to now."""
        return self.work.history.acknowledged()

    async def more(self, count: int, within_s: float = WAIT_S) -> float:
        """Wait until so many more were acknowledged; the seconds it took."""
        goal = self.done + count
        return await until(lambda: self.done >= goal, f"{count} more", within_s)

    def acknowledged_of(self, provider: str) -> int:
        """Operations of a provider acknowledged up to now."""
        return sum(
            one.outcome == OK and one.provider == provider
            for one in self.work.history.operations
        )

    async def every_calendar_answers(self, within_s: float) -> float:
        """Wait until each provider has one more acknowledged; the seconds it took."""
        doctors = self.work.plan.doctors
        goals = {who: self.acknowledged_of(who) + 1 for who in doctors}
        return await until(
            lambda: all(self.acknowledged_of(w) >= n for w, n in goals.items()),
            "an answer from every calendar",
            within_s,
        )

    async def heard(self, status: int, count: int = 1) -> float:
        """Wait until so many more answers with this status came (0: lost)."""
        goal = self.work.statuses[status] + count
        return await until(
            lambda: self.work.statuses[status] >= goal, f"{count} answers {status}"
        )


@dataclass
class World:
    """A site, the patients on it, and all that they ever heard."""

    site: Site
    plan: Plan = field(default_factory=Plan)
    history: History = field(default_factory=History)
    rounds: int = 0
    numbers: dict[str, Any] = field(default_factory=dict)
    """What the last check counted."""

    async def open(self) -> None:
        """Register the providers, once."""
        admin = self.site.tokens("admin", ["adm_work"])["adm_work"]
        await register(self.site.urls[0], self.plan, admin)

    @asynccontextmanager
    async def load(self) -> AsyncIterator[Load]:
        """Under load; when the block ends the load stops and everything is checked."""
        if not self.rounds:
            await self.open()
        self.rounds += 1
        plan = replace(self.plan, seed=self.plan.seed * 1000 + self.rounds)
        signed = self.site.tokens("patient", plan.people)
        work = Workload(self.site.urls, plan, signed, self.history)
        watchers = Watchers(self.site.urls, work.topics())
        await watchers.start()
        running = asyncio.ensure_future(work.run())
        try:
            yield Load(self.site, work, watchers)
        except BaseException:
            work.give_up()
            await asyncio.wait({running}, timeout=plan.timeout_s + 5)
            await watchers.stop()
            raise
        work.stop()
        await running
        try:
            (await self.checked(work, watchers)).raise_if_any()
        finally:
            await watchers.stop()

    async def checked(self, work: Workload, watchers: Watchers) -> Findings:
        """The one check, over all that was ever asked of this site."""
        findings = await check(self.site, work, watchers)
        told = dict(sorted(findings.numbers.items()))
        ok = sum(one.outcome == OK for one in self.history.operations)
        findings.numbers = {**told, "ok": ok, "statuses": dict(work.statuses)}
        self.numbers = findings.numbers
        return findings
