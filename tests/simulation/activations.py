"""One activation of a shard: a process that may die between any two steps.

It drives the real step machine as the mailbox does: seal, read, open; then take,
load, begin, journal, commit, answer, and a snapshot now and then. Between any two of
these other things happen: a crash, a takeover, another activation's append.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from actors.domain.ids import Millis, ProviderId, ShardId
from actors.errors import (
    Fenced,
    JournalCorrupt,
    JournalFull,
    JournalUnavailable,
    OutcomeUnknown,
)
from actors.ports import StoredCalendar, Trouble, TroubleCode
from actors.shard.batch import Batch
from actors.shard.clock_watch import ClockReading, ClockWatch
from actors.shard.limits import ShardLimits
from actors.shard.shard import Shard
from persistence.journal.files.wal import Limits as WalLimits
from persistence.journal.files.wal import Wal
from tests.simulation.kernel import Violation
from tests.simulation.machine import Killed, ProcessDisk
from tests.simulation.sim_disk import PowerCut

CONFIRM_MS = 30_000
"""Longer than an attempt of a person lives, and than a clock is wrong in a run."""
WAL_LIMITS = WalLimits(segment_bytes=3 * 1024, grow_bytes=1024, lock_wait_s=0.0)
"""Small, so that a short run rotates segments and trims them."""
LIMITS = ShardLimits(
    batch_max=16, mailbox_max=64, tail_chunk=5, load_chunk=2, due_max=2, feed_max=24
)
RECOVERING = Trouble(TroubleCode.RECOVERING)
UNKNOWN = Trouble(TroubleCode.UNKNOWN)
FULL = Trouble(TroubleCode.JOURNAL_FULL)
DOWN = Trouble(TroubleCode.JOURNAL_DOWN)

Replied = Callable[[Any], None]


class Activation:
    """A process that believes it owns a shard."""

    def __init__(self, number: int, shard_id: ShardId, world: Any) -> None:
        self.name = f"{shard_id}#{number}"
        self.shard_id = shard_id
        self.skew = world.skew_of_an_owner()
        self.state = "opening"
        self.world = world
        self.kernel = world.kernel
        self.disk = ProcessDisk(world.disk, self.kernel)
        folder = world.folders[shard_id]
        self.wal = Wal(self.disk, folder, shard_id, limits=WAL_LIMITS)  # type: ignore[arg-type]
        self.shelf = world.shelves[shard_id]
        self.shard = Shard(shard_id, world.policy, LIMITS)
        self.watch = ClockWatch(confirm_ms=CONFIRM_MS)
        self.watch.see(Millis(self._wall()), Millis(self.kernel.now), Millis(0))
        self.calls: deque[tuple[Sequence[Any], Replied]] = deque()
        self.polls: list[tuple[int, int, Replied]] = []
        self.busy = True
        self.flying: list[tuple[Sequence[Any], Replied]] = []
        self._wakeup = 0
        self._later(self._seal)

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.state in ("opening", "open", "left")

    def kill(self) -> None:
        """The end: who waited hears nothing."""
        self.state = "dead"
        self.calls.clear()
        self.polls.clear()
        self.flying = []
        self.disk.kill()

    # --- what gateways ask ---------------------------------------------------------

    def execute(self, requests: Sequence[Any], replied: Replied) -> None:
        """A call arrives."""
        if self.state == "left":
            replied([RECOVERING] * len(requests))
        elif self.alive:
            self.calls.append((requests, replied))
            self._go()

    def poll(self, epoch: int, number: int, replied: Replied) -> None:
        """A long poll arrives."""
        if self.state == "open" and self.shard.feed.has_after(epoch, number):
            replied(self.shard.feed.since(epoch, number, 400))
        elif self.state == "left":
            replied(None)
        elif self.alive:
            self.polls.append((epoch, number, replied))

    # --- steps ---------------------------------------------------------------------

    def _later(self, step: Callable[..., None], *args: Any) -> None:
        self.kernel.after(self.kernel.rng.randrange(1, 6), self._step, step, args)

    def _step(self, step: Callable[..., None], args: tuple[Any, ...]) -> None:
        """One step, in which the process, the machine or the journal may fail."""
        if not self.alive:
            return
        try:
            step(*args)
        except Killed:
            self.kernel.note(self.name, "dies in", step.__name__)
            self.kill()
            self.world.ended(self)
            if not self.world.disk.has_power:
                self.world.power_cut()
        except PowerCut:
            self.kernel.note("power cut in", self.name, step.__name__)
            self.world.power_cut()
        except (Fenced, JournalCorrupt, JournalFull, JournalUnavailable) as fault:
            self._recover_from(fault)
        except OutcomeUnknown as fault:
            # The process must end: only a new start can tell what the disk has.
            self.kernel.note(self.name, "ends:", fault)
            self._answer(self.flying, UNKNOWN)
            self.kill()
            self.world.ended(self)

    def _seal(self) -> None:
        self.state, self.busy = "opening", True
        sealed = self.wal.seal()
        self.kernel.note(self.name, "sealed", sealed.epoch, sealed.last_seq)
        self.world.sealed(self, sealed.epoch)
        self._later(self._read_tail, sealed.epoch, sealed.last_seq)

    def _read_tail(self, epoch: int, last_seq: int) -> None:
        position = self.shelf.position
        self.shard.opened(epoch, last_seq, position, ())
        reached = min(position, max(0, last_seq - 1))
        while reached < last_seq:
            records = self.wal.read(reached, LIMITS.tail_chunk)
            if not records:
                raise JournalCorrupt(f"no record after {reached} of {last_seq}")
            self.shard.residents.keep_tail(records)
            reached = records[-1].seq
        since = Millis(self._wall() - 4 * self.world.policy.hold_ms)
        self._later(self._open, self.shard.residents.lately_held(since))

    def _open(self, held: Sequence[ProviderId]) -> None:
        self._load(held)
        self.state, self.busy = "open", False
        self._tell_news()
        self._go()
        self._sleep()

    def _load(self, providers: Any) -> None:
        for provider in sorted(providers):
            stored = self.shelf.load([provider]).get(provider)
            self.shard.adopt(provider, stored)

    def _go(self) -> None:
        if self.state == "open" and not self.busy and self.calls:
            self.busy = True
            self._later(self._take)

    def _take(self) -> None:
        self.flying = []
        room = LIMITS.batch_max
        while self.calls and (not self.flying or len(self.calls[0][0]) <= room):
            self.flying.append(self.calls.popleft())
            room -= len(self.flying[-1][0])
        requests = [one for call in self.flying for one in call[0]]
        self._load(self.shard.missing(requests))
        batch = self.shard.begin(requests, self._time())
        rightly = self.world.right_now() + self.skew
        self._later(self._journal, batch, self._wall(), rightly)

    def _wall(self) -> int:
        """What the clock of this process's node shows."""
        wall: int = self.world.now() + self.skew
        return wall

    def _time(self) -> ClockReading:
        wall = Millis(self._wall())
        floor = self.shard.residents.floor(wall)
        return self.watch.see(wall, Millis(self.kernel.now), floor)

    def _journal(self, batch: Batch, decided_at: int, rightly_at: int) -> None:
        seq = self.shard.last_seq
        if batch.events:
            for place in range(seq + 1, seq + 1 + len(batch.events)):
                name = (self.shard_id, self.shard.epoch, place)
                self.world.decided_at[name] = decided_at
                self.world.rightly_at[name] = rightly_at
            seq = self.wal.append(self.shard.epoch, seq, batch.events)
            self.kernel.note(self.name, "journaled", seq, batch.events)
            self.world.journaled()
        elif batch.must_check:
            self.wal.check(self.shard.epoch)
        self._later(self._commit, batch, seq)

    def _commit(self, batch: Batch, seq: int) -> None:
        if batch.faults:
            raise Violation(f"{self.name}: {batch.faults!r}") from batch.faults[0]
        number = self.shard.feed.number
        replies = self.shard.commit(batch, seq)
        flying, self.flying = self.flying, []
        self._later(self._answer_batch, flying, replies)
        if self.shard.feed.number != number:
            self._tell_news()
        self.busy = False
        self._go()
        self._sleep()

    def _answer_batch(self, flying: Any, replies: Sequence[Any]) -> None:
        place = 0
        for requests, replied in flying:
            replied(replies[place : place + len(requests)])
            place += len(requests)

    def _tell_news(self) -> None:
        polls, self.polls = self.polls, []
        for epoch, number, replied in polls:
            self.poll(epoch, number, replied)

    def _sleep(self) -> None:
        """Wake when a hold is due or a window moves; the clock may be set meanwhile."""
        time = self._time()
        wakeup = self.shard.next_wakeup(time.now)
        if wakeup is not None or time.doubt:
            self._wakeup += 1
            pause = 3_000
            if wakeup is not None and not time.doubt:
                pause = min(max(wakeup - time.now, 1), 3_000)
            self.kernel.after(pause, self._wake, self._wakeup)

    def _wake(self, number: int) -> None:
        if self.state == "open" and number == self._wakeup:
            if self.busy:
                self._sleep()
            else:
                self.busy = True
                self._later(self._take)

    def _recover_from(self, fault: Exception) -> None:
        self.kernel.note(self.name, "recovers from", type(fault).__name__)
        self.shard.abandon()
        flying, self.flying = self.flying, []
        if isinstance(fault, JournalCorrupt):
            raise Violation(f"{self.name}: {fault}") from fault
        if isinstance(fault, Fenced):
            self._answer((*flying, *self.calls), RECOVERING)
            self.calls.clear()
            self.state = "left"
            for _, _, replied in self.polls:
                replied(None)
            self.polls.clear()
            self.world.ended(self)
            return
        self._answer(flying, FULL if isinstance(fault, JournalFull) else DOWN)
        self.state, self.busy = "opening", True
        self.kernel.after(
            self.kernel.rng.randrange(50, 300), self._step, self._seal, ()
        )

    def _answer(self, calls: Any, trouble: Trouble) -> None:
        for requests, replied in calls:
            replied([trouble] * len(requests))

    # --- housekeeping --------------------------------------------------------------

    def snapshot(self) -> None:
        """Begin a round, if there is time for it; each part is a step."""
        residents = self.shard.residents
        if self.state == "open" and not self.busy and residents.unsaved:
            if not residents.is_saving:
                residents.begin_round(self.shard.last_seq)
            self.busy = True
            self._later(self._save)

    def _save(self) -> None:
        residents = self.shard.residents
        position = residents.round_position()
        if position is not None:
            self.shelf.advance(self.shard.epoch, position)
            self._later(self._saved, {}, position)
            return
        providers = residents.next_chunk(1)
        self._load(residents.missing(providers))
        chunk = residents.encoded(providers, self.shard.last_seq)
        self.shelf.save(self.shard.epoch, chunk)
        self._later(self._saved, chunk, None)

    def _saved(
        self, chunk: dict[ProviderId, StoredCalendar], position: int | None
    ) -> None:
        residents = self.shard.residents
        if position is None:
            residents.saved(chunk)
            self._later(self._save)
            return
        residents.end_round(position)
        self.kernel.note(self.name, "snapshot at", position)
        self.busy = False
        self._go()
        self._sleep()

    def trim(self, upto: int) -> None:
        """Forget what is in snapshots and in the read model."""
        if self.state == "open" and not self.busy:
            self._step(self.wal.trim, (upto,))

    def passivate(self) -> None:
        """Drop every calendar that need not be in memory."""
        if self.state == "open" and not self.busy:
            before = Millis(self._wall() + 1)
            self.shard.residents.passivate(before, ())
