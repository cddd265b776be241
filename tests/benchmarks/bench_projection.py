"""How many events a second the projector writes into SQLite, and search times.

Run ``python -m tests.benchmarks.bench_projection [events]``; prints one line each.
"""

from __future__ import annotations

import asyncio
import functools
import sys
import tempfile
import time
from pathlib import Path

from actors.domain.ids import ShardId
from actors.readmodel import ProviderQuery
from persistence.directory import SqlDirectory
from persistence.engine import migrate, open_engine
from persistence.projection_sql import SqlProjectionStore
from persistence.projector import Projector
from tests.fixtures.story import NINE, FixedClock, Story, StoryJournal, a_clinic

show = functools.partial(print, flush=True)

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
    projector = Projector(journal, SqlProjectionStore(engine), FixedClock())
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
        await migrate(url)
        cpu = time.process_time()
        count, taken = await project(url, visits(events))
        cpu = time.process_time() - cpu
        show(f"visits: {count} events, {count / taken:.0f}/s, {cpu / taken:.2f} cores")
        url = f"sqlite:///{Path(folder)}/region.db"
        await migrate(url)
        count, taken = await project(url, register(30_000, 15_000))
        show(f"providers: {count} events, {count / taken:.0f}/s")
        await search(url)
        await imports(url)


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
        best, page = 1e9, 0
        for _ in range(5):
            began = time.perf_counter()
            items, cursor = await directory.find(query, after="", limit=20)
            page = len(items)
            if cursor:
                await directory.find(query, after=cursor, limit=20)
            best = min(best, time.perf_counter() - began)
        show(f"find {name}: {page} in {best * 1000:.1f} ms (two pages)")
    began = time.perf_counter()
    found = await directory.ids(ProviderQuery(specialty="gp"), limit=10_000)
    show(f"ids: {len(found)} in {(time.perf_counter() - began) * 1000:.1f} ms")
    await readers.dispose()


async def imports(url: str) -> None:
    readers, writer = open_engine(url, "reader"), open_engine(url, "writer")
    directory = SqlDirectory(readers, writer)
    clinics = [a_clinic(n + 100_000, city="Leeds") for n in range(14_303)]
    for _ in range(2):
        began = time.perf_counter()
        counts = await directory.put_clinics(clinics)
        show(f"put_clinics: {counts} in {time.perf_counter() - began:.2f} s")
    await readers.dispose()
    await writer.dispose()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 40_000))
