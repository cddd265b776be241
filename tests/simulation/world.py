"""The world of one seed: a machine, its processes, the people, the faults.

Gateways call shards over a line that loses, delays and doubles. Several activations
of one shard may live at once; a gateway reaches any of them. One clock, which may be
set, is the whole machine's; with groups, owners of shards have clocks of their own.
One file because everything here shares that machine.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from actors.domain.ids import PatientId, ProviderId, ShardId
from actors.domain.rules import Policy
from actors.placement import Placement, placing
from actors.ports import Record
from persistence.journal.files.reader import WalReader
from persistence.readmodel.memory.readmodel import MemoryReadModel
from tests.simulation.activations import Activation
from tests.simulation.faults import Nemesis, Weather, weather_of
from tests.simulation.gateways import SimGateway
from tests.simulation.group_judges import StickyWatch
from tests.simulation.groupers import Coordinator
from tests.simulation.history import History
from tests.simulation.kernel import Kernel, Violation
from tests.simulation.listers import Lister
from tests.simulation.live import SimLive, SimWatcher
from tests.simulation.patients import Patient
from tests.simulation.people import ATTEMPT_MS
from tests.simulation.projectors import ShakyStore, SimProjector
from tests.simulation.region import (
    CROWDED,
    DAYS,
    GROUP,
    LONG,
    PAIR,
    SHORT,
    instant_ms,
    provider_ids,
    room_ids,
    wanted_starts,
    week_of,
)
from tests.simulation.resolvers import Resolver
from tests.simulation.sim_disk import SimDisk
from tests.simulation.snapshot_shelf import SnapshotShelf
from tests.simulation.staff import Registrar, Staff

POLICY = Policy(
    hold_ms=8_000,
    hold_extensions=3,
    hold_total_ms=20_000,
    holds_per_patient=2,
    key_retention_ms=80_000,
    keys_max=4_000,
    reserve_ms=12_000,
    reserve_cutoff_ms=20 * 60_000,
)
FORWARD_MS = 40_000
"""The clock is set forward by no more than this over a run, so that a person who
retries for half a minute finds their key remembered."""
BACK_MS = 80_000
"""The clock is set back by no more than this over a run: an attempt that comes when its
key is forgotten is then past its deadline by any clock. One that is set back by as long
as a message is late would make it young again, and nothing could tell."""
LISTS = 0.35
"""The share of worlds with waiting lists."""
SKEWS_MS = (-3_000, -1_000, 0, 0, 1_000, 3_000)
GROUPS = 0.4
"""The share of worlds with visits that take several calendars."""
OLD_OWNERS_MS = 20_000
"""So long after the chaos former owners may live."""
CROWDS = 0.3
"""The share of worlds with group visits and overbooking."""
CHAOS_MS = 55_000
HEAL_MS = 60_000
LATE_MS = (200, 3_000, 9_000, 100_000)
"""How late a late message is: within its deadline, after it, after its key is
forgotten."""


class World:
    """Everything there is; ``run`` lets it live, and then ``judging.py`` judges."""

    def __init__(self, seed: int) -> None:
        rng = random.Random(seed ^ 0x51_07)
        self.zone, begins = rng.choice(DAYS)
        start_ms = instant_ms(begins) - rng.randrange(40_000)
        self.kernel = kernel = Kernel(seed, start_ms)
        self.policy = POLICY
        self.skew = 0
        self._wrong = 0
        self._forward = FORWARD_MS
        self._back = BACK_MS
        self.disk: Any = SimDisk(random.Random(seed ^ 0xD15C))
        shards = rng.choice((1, 1, 2))
        self.place = placing(Placement.SHARD, shards)
        self.providers = provider_ids(rng.choice((1, 1, 2, 2, 3)))
        self._build_rooms(random.Random(seed ^ 0x6_20))
        self._skews = random.Random(seed ^ 0x6_22)
        names = sorted({self.place(calendar) for calendar in self.calendars})
        self._build_journals(names)
        self.model = MemoryReadModel()
        self.store = ShakyStore(self.model, kernel, 0.0)
        self.calm = Weather()
        self.weather = self.calm
        self.history = History()
        self.projectors: list[SimProjector] = []
        for shard in names:
            self.take_over(shard)
        self._build_gateways()
        # A draw of its own, as those of waiting lists.
        self.is_crowded = random.Random(seed ^ 0xC2_0D).random() < CROWDS
        self.projectors = [
            SimProjector(f"projector{n}", kernel, self)
            for n in range(rng.choice((1, 1, 2)))
        ]
        self._build_people()
        self._build_others(seed)

    def _build_others(self, seed: int) -> None:
        """Waiting lists and groups, in some worlds; the rest is as without them."""
        self.listers: list[Lister] = []
        self.resolvers: list[Resolver] = []
        lists = random.Random(seed ^ 0x11_57)
        if lists.random() < LISTS:
            self._build_listers(lists)
        if self.rooms:
            self._build_groups(random.Random(seed ^ 0x6_21))

    def _build_rooms(self, rng: random.Random) -> None:
        """Rooms, in some worlds; the others are what they were before."""
        self.rooms: list[ProviderId] = []
        if rng.random() < GROUPS:
            self.rooms = room_ids(rng.choice((1, 1, 2)))
            # Owners' clocks are apart, and attempts are repeated by others.
            self._forward -= 4 * max(SKEWS_MS)
        self.calendars = [*self.providers, *self.rooms]

    def _build_journals(self, names: list[ShardId]) -> None:
        self.folders = {shard: f"/journal/{shard}" for shard in names}
        self.shelves = {shard: SnapshotShelf() for shard in names}
        self.archive: dict[ShardId, list[Record]] = {shard: [] for shard in names}
        self.epochs: dict[ShardId, int] = dict.fromkeys(names, 0)
        self.decided_at: dict[tuple[ShardId, int, int], int] = {}
        """What the clock showed when (shard, epoch, seq) was decided: an event never
        says a time before the last one, so after the clock was set back it differs."""
        self.rightly_at: dict[tuple[ShardId, int, int], int] = {}
        """What it should have shown."""
        self.activations: dict[ShardId, list[Activation]] = {one: [] for one in names}
        self._born = 0

    def _build_gateways(self) -> None:
        self.gateways = [
            SimGateway(f"gateway{n}", self.kernel, self.carry, self.shard_of, self.now)
            for n in (1, 2)
        ]
        self.lives = [
            SimLive(f"live{n}", self.kernel, self, gateway)
            for n, gateway in enumerate(self.gateways, 1)
        ]

    def _build_people(self) -> None:
        kernel, desk = self.kernel, self
        rng = kernel.rng
        starts = wanted_starts(self.zone, kernel.now, rng, rng.choice((2, 3, 5)))
        week = week_of(self.zone, starts[0])
        pages: dict[tuple[str, int, int], str] = {}
        self.watchers = [
            SimWatcher(
                f"watcher{n}",
                kernel,
                self.lives,
                [
                    f"slots/{provider}/{kind}/{week}"
                    for provider in self.calendars
                    for kind in kinds
                ],
                pages,
            )
            for n, kinds in (
                (1, (SHORT,)),
                (2, (SHORT, LONG, *((GROUP, PAIR) if self.is_crowded else ()))),
            )
        ]
        self.patients = [
            Patient(
                f"p{n}",
                kernel,
                desk,
                self.history,
                rng.randrange(2, 8),
                providers=self.providers,
                starts=starts,
            )
            for n in range(1, rng.choice((2, 3, 4)) + 1 + 2 * self.is_crowded)
        ]
        self.staff = Staff(
            "desk",
            kernel,
            desk,
            self.history,
            rng.randrange(1, 5),
            providers=self.calendars,
            starts=starts,
            zone=self.zone,
        )
        if self.is_crowded:
            self.staff.crowd = self.patients
            self.staff.wishes += 4
            for patient in self.patients:
                patient.is_crowded = True

    def _build_listers(self, rng: random.Random) -> None:
        """The waiting lists of all providers, each with a worker or two."""
        self.listers = [
            Lister(
                f"list{n}",
                self.kernel,
                self,
                self.history,
                40,
                provider=provider,
                patients=self.patients,
                starts=self.patients[0].starts,
                rng=random.Random(rng.random()),
            )
            for n, provider in enumerate(self.providers * rng.choice((1, 1, 2)))
        ]
        for patient in self.patients:
            patient.wishes += 6  # there must be enough to give up

    def _build_groups(self, rng: random.Random) -> None:
        """People who book rooms with their visits, and two resolvers."""
        near = self.patients[0].starts[:-2]  # the last two are not offered
        starts = [*near, near[-1] + 60, near[-1] + 120]
        together = [
            Coordinator(
                f"c{n}",
                self.kernel,
                self,
                self.history,
                rng.randrange(14, 30),
                providers=self.calendars,
                starts=starts,
                rooms=self.rooms,
                rng=random.Random(rng.random()),
            )
            for n in range(1, rng.choice((2, 3)) + 1)
        ]
        for one in together:
            one.twins = [other for other in together if other is not one]
        self.patients += together
        self.resolvers = [
            Resolver(f"resolver{n}", self.kernel, self, self.calendars)
            for n in range(rng.choice((1, 2)))
        ]

    # --- life ----------------------------------------------------------------------

    def run(self) -> None:
        """Open the doors, let chaos have its time, heal, wait for calm."""
        kernel = self.kernel
        for number, provider in enumerate(self.calendars):
            registrar = Registrar(f"r{number}", kernel, self, self.history, 2)
            registrar.provider, registrar.zone, registrar.variant = (
                provider,
                self.zone,
                kernel.rng.choice((0, 0, 1)) + CROWDED * self.is_crowded,
            )
            registrar.begin()
        kernel.run(kernel.start + 15_000)
        if any(o.outcome != "ok" for o in self.history.operations):
            raise Violation(f"nothing wrong, yet: {self.history.operations}")
        for person in (*self.patients, self.staff, *self.listers):
            person.begin()
        for watcher in self.watchers:
            watcher.connect()
        for resolver in self.resolvers:
            resolver.begin()
        self.weather = weather_of(kernel)
        self.store.trouble = self.weather.store_trouble
        until = kernel.now + CHAOS_MS
        Nemesis(kernel, self, self.weather, until)
        kernel.run(until)
        self.heal()
        kernel.run(until + HEAL_MS)

    def heal(self) -> None:
        """No more faults; people finish what they began."""
        self.kernel.note("heals")
        self.weather = self.calm
        self.store.trouble = 0.0
        self.disk.cut_after = None
        self.disk.faults.clear()
        self.make_room()
        for person in (*self.patients, self.staff, *self.listers):
            person.wishes = min(person.wishes, 2)
        for activation in self.living():
            activation.disk.fuse = None
        for shard, activations in self.activations.items():
            for old in activations[:-1]:
                self.kernel.after(
                    self.kernel.rng.randrange(1, OLD_OWNERS_MS),
                    self.kill_old,
                    shard,
                    old,
                )
        if self.resolvers:
            self.kernel.after(OLD_OWNERS_MS, StickyWatch(self).begin)

    # --- ports of the others -------------------------------------------------------

    def now(self) -> int:
        """The machine's clock."""
        return self.right_now() + self._wrong

    def right_now(self) -> int:
        """The same, while it is not wrong for a moment."""
        return self.kernel.now + self.skew

    def skew_of_an_owner(self) -> int:
        """How far the clock of a new owner's node is from the others; with groups."""
        return self._skews.choice(SKEWS_MS) if self.rooms else 0

    def shard_of(self, provider: str) -> ShardId:
        """Placement."""
        return self.place(ProviderId(provider))

    def deadline(self) -> int:
        """What a gateway gives an attempt made now."""
        return self.now() + ATTEMPT_MS

    def ask(self, request: Any, answered: Callable[[Any], None]) -> None:
        """A person's request, over a line, to some gateway."""
        gateway = self.kernel.rng.choice(self.gateways)

        def told(reply: Any) -> None:
            self._send(answered, reply)

        self._send(gateway.ask, request, told)

    def _send(self, what: Callable[..., None], *args: Any) -> None:
        """A message: lost, late, or twice."""
        kernel, weather = self.kernel, self.weather
        if kernel.chance(weather.lost):
            kernel.note("lost", what.__name__)
            return
        kernel.after(self._delay(), what, *args)
        if kernel.chance(weather.doubled):
            kernel.note("doubled", what.__name__)
            kernel.after(self._delay(), what, *args)

    def _delay(self) -> int:
        kernel = self.kernel
        if kernel.chance(self.weather.late):
            return kernel.rng.choice(LATE_MS) + kernel.rng.randrange(200)
        return kernel.rng.randrange(1, 8)

    def carry(
        self, shard: str, requests: Sequence[Any], replied: Callable[[Any], None]
    ) -> None:
        """A gateway's call to a shard, and its reply."""
        activation = self._reached(ShardId(shard))

        def back(replies: Any) -> None:
            self._send(replied, replies)

        self._send(activation.execute, requests, back)

    def carry_poll(
        self, shard: ShardId, epoch: int, number: int, replied: Callable[[Any], None]
    ) -> None:
        """A gateway's long poll, and its reply."""
        activation = self._reached(shard)

        def back(batch: Any) -> None:
            self._send(replied, batch)

        self._send(activation.poll, epoch, number, back)

    def _reached(self, shard: ShardId) -> Activation:
        """Gateways may know an old activation for a while."""
        return self.kernel.rng.choice(self.activations[shard][-2:])

    # --- processes -----------------------------------------------------------------

    def living(self) -> list[Activation]:
        """Activations that run."""
        return [one for many in self.activations.values() for one in many if one.alive]

    def take_over(self, shard: ShardId) -> None:
        """A new activation, whatever the old ones do.

        It begins under a clock that is right: under a wrong one it could not know.
        """
        self._wrong = 0
        self._born += 1
        activation = Activation(self._born, shard, self)
        self.activations[shard].append(activation)
        self.kernel.note(activation.name, "starts")

    def ended(self, activation: Activation) -> None:
        """A process ended or left: make sure that another serves the shard."""
        many = self.activations[activation.shard_id]
        if activation.state == "dead" and activation in many[:-1]:
            many.remove(activation)
        if activation is many[-1]:
            self.kernel.after(
                self.kernel.rng.randrange(20, 800), self._restart, activation
            )

    def _restart(self, ended: Activation) -> None:
        many = self.activations[ended.shard_id]
        if ended is many[-1]:
            if ended.state == "dead":
                many.pop()
            self.take_over(ended.shard_id)

    def kill(self, activation: Activation) -> None:
        """Killed between two steps."""
        self.kernel.note(activation.name, "is killed")
        activation.kill()
        self.ended(activation)

    def kill_old(self, shard: ShardId, old: Activation) -> None:
        """Zombies end at last."""
        if old in self.activations[shard][:-1]:
            self.kill(old)

    def power_cut(self) -> None:
        """The machine stops and starts: memory is gone, and what was not synced."""
        self.kernel.note("power cut")
        for activation in self.living():
            activation.disk.handles.clear()
            activation.kill()
        for projector in self.projectors:
            projector.stop()
        self.disk.crash()
        self.disk.faults.clear()
        for gateway in self.gateways:
            self.crash_gateway(gateway)
        for shard, many in self.activations.items():
            many.clear()
            self.take_over(shard)
        for projector in self.projectors:
            projector.start()

    def crash_gateway(self, gateway: SimGateway) -> None:
        """A gateway's memory is gone, and its sockets are."""
        gateway.crash()
        live = self.lives[self.gateways.index(gateway)]
        live.start()
        for watcher in self.watchers:
            watcher.lost(live)

    def make_room(self) -> None:
        """The disk has room again."""
        self.disk.free = 1 << 40

    def step_clock(self, step_ms: int) -> None:
        """The machine's clock is set."""
        if step_ms > 0:
            step_ms = min(step_ms, self._forward)
            self._forward -= step_ms
        else:
            step_ms = max(step_ms, -self._back)
            self._back += step_ms
        self.kernel.note("clock steps", step_ms)
        self.skew += step_ms

    def show_wrong_time(self, step_ms: int, lasts_ms: int) -> None:
        """The machine's clock is wrong for a while."""
        if not self._wrong:
            self.kernel.note("clock is wrong by", step_ms, "for", lasts_ms)
            self._wrong = step_ms
            self.kernel.after(lasts_ms, self._show_right_time)

    def _show_right_time(self) -> None:
        self.kernel.note("clock is right")
        self._wrong = 0

    # --- the journal, as the judges see it -----------------------------------------

    def sealed(self, activation: Activation, epoch: int) -> None:
        """Epochs of a shard strictly increase."""
        if epoch <= self.epochs[activation.shard_id]:
            raise Violation(f"{activation.name} sealed epoch {epoch} again")
        self.epochs[activation.shard_id] = epoch
        self.journaled()

    def journaled(self) -> None:
        """A journal was opened or appended to: projectors look."""
        for projector in self.projectors:
            projector.kick()

    def collect(self, shard: ShardId) -> list[Record]:
        """All durable records so far; what was read once must never change."""
        reader = WalReader(self.disk, self.folders[shard], shard)
        known = self.archive[shard]
        bases = [
            int(name.removesuffix(".wal"))
            for name in self.disk.names(self.folders[shard])
            if name.endswith(".wal")
        ]
        first = min(bases, default=1)
        found = reader.read(first - 1, 1 << 30)
        reader.close()
        if first - 1 > len(known):
            raise Violation(f"{shard}: trimmed to {first}, seen {len(known)}")
        if known[first - 1 :] != found[: len(known) - first + 1]:
            raise Violation(f"{shard}: durable records changed or are gone")
        self.archive[shard] = known[: first - 1] + found
        return self.archive[shard]

    def trim(self, activation: Activation) -> None:
        """Forget what snapshots and the read model have."""
        shard = activation.shard_id
        if activation.state != "open":
            return
        self.collect(shard)
        offset = self.model._offsets.get(shard)
        projected = offset.seq if offset else 0
        activation.trim(min(self.shelves[shard].position, projected))

    def patient_of(self, person: str) -> PatientId:
        """The id of a patient by name."""
        return PatientId(f"pat_{person}")
