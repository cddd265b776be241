"""Liveness and readiness of this server, naming what is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from actors.shard.limits import ShardLimits
from gateway.metrics.metrics import ShardAccounts
from gateway.metrics.projection_lag import ProjectionLag

BEHIND_S = 10.0
"""Lag in seconds from which readiness reports it; normal is a tenth of that."""


BOUNDS = ShardLimits()
"""Journal pressure from which shards refuse."""


class Check(Struct, frozen=True, omit_defaults=True):
    """One check, required for serving or optional."""

    ok: bool
    required: bool
    detail: str = ""


class Readiness(Struct, frozen=True):
    """Whether it can serve: every required check is ok."""

    ready: bool
    checks: dict[str, Check]


NamedCheck = tuple[str, Check]


class Health:
    """Runs the checks. Parts of the gateway may add their own."""

    def __init__(
        self,
        accounts: ShardAccounts,
        more: Sequence[Callable[[], NamedCheck]] = (),
    ) -> None:
        self.accounts = accounts
        self._more = more

    async def readiness(self) -> Readiness:
        """The state of all checks, at most a second old."""
        await self.accounts.refresh()
        checks = dict([self._shards(), self._journal(), self._projection()])
        checks.update(self._clock())
        checks.update(self._room())
        checks.update(check() for check in self._more)
        ready = all(check.ok for check in checks.values() if check.required)
        return Readiness(ready, checks)

    def _shards(self) -> NamedCheck:
        missing = self.accounts.missing
        detail = f"do not answer: {', '.join(missing)}" if missing else ""
        return "shards", Check(not missing, required=True, detail=detail)

    def _journal(self) -> NamedCheck:
        statuses, damaged = self.accounts.statuses, self.accounts.damaged()
        closed = [s.shard for s in statuses.values() if s.epoch < 1]
        if damaged and len(damaged) < len(statuses) and set(closed) <= set(damaged):
            # One damaged shard stops itself only.
            detail = f"damaged in: {', '.join(damaged)}; the others go on"
            return "journal", Check(ok=False, required=False, detail=detail)
        detail = f"not open in: {', '.join(closed)}" if closed else ""
        return "journal", Check(not closed, required=True, detail=detail)

    def _clock(self) -> Iterator[NamedCheck]:
        """Reported only where a shard's clock is wrong, or was."""
        statuses = self.accounts.statuses.values()
        doubts = [one for one in statuses if one.clock_doubted]
        ahead = [one for one in statuses if one.clock_ahead_ms]
        if doubts:
            names = ", ".join(one.shard for one in doubts)
            detail = f"nothing is decided in {names}: {doubts[0].clock_doubt}"
            yield "clock", Check(ok=False, required=True, detail=detail)
        elif ahead:
            names = ", ".join(one.shard for one in ahead)
            seconds = max(one.clock_ahead_ms for one in ahead) // 1000
            detail = (
                f"the journal of {names} is {seconds} s ahead of the machine's clock: "
                "set the clock right, or run slotcast journal trust-clock"
            )
            yield "clock", Check(ok=False, required=False, detail=detail)

    def _room(self) -> Iterator[NamedCheck]:
        """Reported only where the journal's disk is nearly full."""
        statuses = self.accounts.statuses.values()
        pressure = max((one.journal_pressure for one in statuses), default=0.0)
        if pressure >= BOUNDS.full_for_bookings:
            detail = "holds and bookings are refused"
        elif pressure >= BOUNDS.full_for_holds:
            detail = "new holds are refused"
        else:
            return
        yield (
            "room",
            Check(
                ok=False,
                required=pressure >= BOUNDS.full_for_bookings,
                detail=f"the journal's room is {pressure:.0%} full, {detail}: make "
                "room on its disk, or raise its budget",
            ),
        )

    def _projection(self) -> NamedCheck:
        # SQL is optional here: bookings continue without it.
        accounts = self.accounts
        away_s = accounts.lag.away_s
        behind = _behind(accounts.lag)
        if away_s is not None:
            since = f" (for {away_s:.0f} s)" if away_s >= 1 else ""
            away = f"the read model does not answer{since}"
            return _late(f"{away}; {behind}" if behind else away)
        if accounts.conflicts:
            return _late(f"{accounts.conflicts} events parked")
        if max(accounts.lag.seconds().values(), default=0.0) >= BEHIND_S:
            return _late(f"the read model is {behind}")
        return "projection", Check(ok=True, required=False)


def _late(detail: str) -> NamedCheck:
    return "projection", Check(ok=False, required=False, detail=detail)


def _behind(lag: ProjectionLag) -> str:
    events = sum(lag.events().values())
    if not events:
        return ""
    seconds = max(lag.seconds().values())
    return f"{events} events behind, the oldest for {seconds:.0f} s"
