"""How many events a second the projector writes into SQLite and MariaDB; search times.

Run ``python -m tests.benchmarks.bench_projection --json``. Measures, never asserts.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from actors.domain.ids import ProviderId, ShardId
from care.keys.sealing import KeyEncryptionKeys
from care.readmodel import ProviderQuery
from persistence.audit.following import JournalAudit
from persistence.keys.ring import KeyRing
from persistence.readmodel.projection.projector import Projector
from persistence.readmodel.projection.sql import SqlProjectionStore
from persistence.readmodel.queries.directory import SqlDirectory
from persistence.readmodel.tables import READ_MODEL
from persistence.records.models import RECORDS
from persistence.sql.engine import open_engine
from persistence.sql.migrating import migrate
from persistence.sql.records import Records
from tests.fakes.clocks import SteppedClock
from tests.fixtures.mariadb import MariaDbServer
from tests.fixtures.read_model import ON_SERVER, empty_database
from tests.fixtures.story import NINE, FixedClock, Story, StoryJournal, a_clinic

figures: dict[str, float] = {}

SURNAMES = ["Müller", "O'Brien", "Nguyen", "García", "Smith", "Kowalski", "Åberg"]
FIRST = ["Ada", "Emil", "Chloé", "Zoë", "Ivan", "Marta", "Søren", "Lin", "Tom"]
CITIES = ["Leeds", "York", "Berlin", "Łódź", "Málaga", "Oslo"]


def visits(events: int, providers: int = 200) -> StoryJournal:
    """A mix as in practice: 5 of 8 book, 1 moves, 1 cancels, 1 checks in."""
    journal = StoryJournal()
    stories = [Story(number) for number in range(providers)]
    for index in range(events // 8):
        story = stories[index % providers]
        shard = ShardId(f"s{index % 4:04d}")
        base, start = index * 5, NINE + index // providers * 400
        journal.tell(
            shard,
            *(story.booked(base + n, start + 40 * n, patient=index) for n in range(5)),
            story.moved(base, start + 300),
            story.cancelled(base + 1),
            story.arrived(base + 2),
        )
    return journal


def register(providers: int, clinics: int) -> StoryJournal:
    """A region's providers and their visit types."""
    journal = StoryJournal()
    for number in range(providers):
        place = number % clinics
        city = CITIES[place % len(CITIES)]
        clinic = a_clinic(
            place,
            name=f"Practice {place} {city}",
            city=city,
            latitude=50 + place % 123 / 30,
            longitude=-3 + place % 457 / 100,
        )
        story = Story(number, clinic)
        name = f"{FIRST[number % 9]} {SURNAMES[number % 7]} {number}"
        specialty = ("gp", "dermatology", "cardiology")[number % 3]
        journal.tell(
            ShardId(f"s{number % 4:04d}"),
            story.registered(name, specialty),
            story.offers(),
        )
    return journal


async def project(url: str, journal: StoryJournal) -> tuple[int, float]:
    engine = open_engine(url, "projector")
    store = SqlProjectionStore(engine)
    projector = Projector(journal, store, FixedClock(), lanes=store.lanes)
    began = time.perf_counter()
    while await projector.step():
        pass
    taken = time.perf_counter() - began
    assert not projector.parked
    await engine.dispose()
    return projector.projected, taken


async def main(events: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder)}/visits.db"
        await migrate(url, READ_MODEL)
        cpu = time.process_time()
        count, taken = await project(url, visits(events))
        cpu = time.process_time() - cpu
        figures["visit_events_per_s"] = round(count / taken)
        figures["visit_events_cores"] = round(cpu / taken, 2)
        await audit_trail(Path(folder), events)
        await on_mariadb(Path(folder), events)
        url = f"sqlite:///{Path(folder)}/region.db"
        await migrate(url, READ_MODEL)
        count, taken = await project(url, register(30_000, 15_000))
        figures["provider_events_per_s"] = round(count / taken)
        await search(url)
        await imports(url)


async def audit_trail(folder: Path, events: int) -> None:
    """Processor time of an event's entry, by how many come in one transaction."""
    clock = SteppedClock(NINE * 60_000)
    for batch in (8, 32, 1_000):
        url = f"sqlite:///{folder}/audit-{batch}.db"
        await migrate(url, RECORDS)
        journal, records = StoryJournal(), Records(url)
        ring = KeyRing(records, KeyEncryptionKeys((("one", b"1" * 32),)), clock)

        async def clinics_of(ids: Sequence[ProviderId]) -> Mapping[ProviderId, str]:
            return {one: f"cln_{one[-1]}" for one in ids}

        async def projected_to() -> Mapping[ShardId, int]:
            return {}

        trail = JournalAudit(
            journal,
            records,
            ring,
            clock,
            clinics_of=clinics_of,
            projected_to=projected_to,
        )
        told = [
            r.event for r in visits(min(events, batch * 100)).records[ShardId("s0000")]
        ]
        cpu = -time.process_time()
        for start in range(0, len(told), batch):
            journal.tell(ShardId("s0000"), *told[start : start + batch])
            await trail.step()
        cpu += time.process_time()
        figures[f"audit_us_an_event_by_{batch}"] = round(cpu / len(told) * 1e6, 1)
        await records.close()


async def on_mariadb(folder: Path, events: int) -> None:
    """Catching up into a MariaDB of its own, each commit on its disk.

    Cores are told, too: where both processes share two of them with others, they say
    more than the rate.
    """
    with MariaDbServer(folder / "mariadb", innodb_buffer_pool_size="512M") as server:
        its = psutil.Process(server.pid)
        for driver in ON_SERVER:
            url = empty_database(server, f"visits_{driver}", driver)
            own, server_cpu = time.process_time(), sum(its.cpu_times()[:2])
            count, taken = await project(url, visits(events))
            own = time.process_time() - own
            server_cpu = sum(its.cpu_times()[:2]) - server_cpu
            figures[f"mariadb_{driver}_visit_events_per_s"] = round(count / taken)
            figures[f"mariadb_{driver}_projector_cores"] = round(own / taken, 2)
            figures[f"mariadb_{driver}_server_cores"] = round(server_cpu / taken, 2)


async def search(url: str) -> None:
    readers = open_engine(url, "reader")
    directory = SqlDirectory(readers)
    queries = {
        "all": ProviderQuery(),
        "broad word": ProviderQuery(words="a"),
        "rare word": ProviderQuery(words="practice 1234"),
        "two words": ProviderQuery(words="mull derm"),
        "no match": ProviderQuery(words="zzzz"),
        "specialty": ProviderQuery(specialty="Cardiology"),
        "near": ProviderQuery(near=(51.5, -1.0)),
        "near, word": ProviderQuery(near=(51.5, -1.0), words="obrien"),
        "near, 20 km": ProviderQuery(near=(51.5, -1.0), within_km=20),
    }
    for name, query in queries.items():
        best = 1e9
        for _ in range(5):
            began = time.perf_counter()
            _, cursor = await directory.find(query, after="", limit=20)
            if cursor:
                await directory.find(query, after=cursor, limit=20)
            best = min(best, time.perf_counter() - began)
        figures[f"find_two_pages_ms: {name}"] = round(best * 1000, 1)
    began = time.perf_counter()
    found = await directory.ids(ProviderQuery(specialty="gp"), limit=10_000)
    taken = time.perf_counter() - began
    figures[f"ids_of_{len(found)}_ms"] = round(taken * 1000, 1)
    await readers.dispose()


async def imports(url: str) -> None:
    readers, writer = open_engine(url, "reader"), open_engine(url, "writer")
    directory = SqlDirectory(readers, writer)
    clinics = [a_clinic(n + 100_000, city="Leeds") for n in range(14_303)]
    for turn in ("first", "again"):
        began = time.perf_counter()
        await directory.put_clinics(clinics)
        taken = time.perf_counter() - began
        figures[f"put_14303_clinics_{turn}_s"] = round(taken, 2)
    await readers.dispose()
    await writer.dispose()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=40_000)
    parser.add_argument("--json", action="store_true")
    asyncio.run(main(parser.parse_args().events))
    print(json.dumps(figures, indent=2))
