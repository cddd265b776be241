"""``slotcast serve`` when a process of its own Ray dies: it comes back by itself."""

from __future__ import annotations

import asyncio
import secrets
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psutil
import pytest
from websockets.sync.client import connect

from cluster.own_ray.parts import kind_of
from tests.fixtures.server import ServerProcess, http_get

pytestmark = pytest.mark.acceptance
BACK_S = 120.0
"""How long a start may take on a busy machine."""
AT_A_TIME = 3
PAUSE_S = 0.25
LOOK_S = 0.05
NEEDED = (
    "control service",
    "raylet",
    "dashboard agent",
    "runtime-environment agent",
)
SPARE = ("log monitor", "autoscaler monitor", "dashboard")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for all, with settings around that lead to another Ray.

    Ray's spare parts run, too: an operator may turn them on.
    """
    data = tmp_path_factory.mktemp("watched") / "data"
    led_astray = {"RAY_ADDRESS": "127.0.0.1:1", "RAY_NAMESPACE": "elsewhere"}
    extras = {"SLOTCAST_RAY_EXTRAS": "true"}
    with ServerProcess(data, None, **led_astray, **extras) as made:
        made.start()
        yield made


@pytest.fixture(scope="module")
def load(server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Load:
    """Patients of this server, enough for all tests."""
    slots = list(free_slots(server))
    names = [f"pat_w{number}" for number in range(len(slots))]
    file = tmp_path_factory.mktemp("patients") / "names"
    file.write_text("\n".join(names) + "\n")
    done = server.run("token", "--role", "patient", "--subjects-from", str(file))
    assert done.returncode == 0, done.stderr
    people = map(Person, names, done.stdout.split(), slots)
    return Load(server.url, iter(list(people)))


def part(server: ServerProcess, kind: str) -> psutil.Process:
    """The process of Ray that does this."""
    for process in psutil.Process(server.pid).children(recursive=True):
        with suppress(psutil.Error):
            if kind_of(process.name(), " ".join(process.cmdline())) == kind:
                return process
    raise AssertionError(f"there is no {kind}")


def free_slots(server: ServerProcess) -> Iterator[dict[str, str]]:
    """Slots to book, each once: what the line of the welcome shows of each doctor."""
    url = httpx.URL(server.line_to_try())
    listed = http_get(f"{server.url}/v1/providers", params={"limit": 100}).json()
    for provider in listed["items"]:
        path = f"/v1/providers/{provider['provider_id']}"
        types = http_get(f"{server.url}{path}").json()["visit_types"]
        query = {**url.params, "visit_type": types[0]["visit_type"]}
        shown = http_get(f"{server.url}{path}/slots", params=query).json()
        for slot in shown["slots"]:
            if slot["state"] == "free":
                yield {
                    "provider_id": shown["provider_id"],
                    "visit_type": shown["visit_type"],
                    "start": slot["start"],
                }


class Person(NamedTuple):
    """A patient with a wish."""

    name: str
    token: str
    slot: dict[str, str]


class Load:
    """Patients who book, and ask again with the same key until they are answered."""

    def __init__(self, url: str, people: Iterator[Person]) -> None:
        self._url = url
        self._people = people
        self.acknowledged: dict[str, Person] = {}

    async def run(self) -> None:
        """Book until cancelled."""
        async with httpx.AsyncClient(timeout=30) as http, asyncio.TaskGroup() as group:
            for _ in range(AT_A_TIME):
                group.create_task(self._book(http))

    async def _book(self, http: httpx.AsyncClient) -> None:
        for person in self._people:
            headers = {
                "Authorization": f"Bearer {person.token}",
                "Idempotency-Key": secrets.token_hex(8),
            }
            answer = await self._until_answered(http, person.slot, headers)
            if answer.status_code == httpx.codes.CREATED:
                self.acknowledged[answer.json()["booking_id"]] = person
            await asyncio.sleep(PAUSE_S)
        raise AssertionError("every slot was tried")

    async def _until_answered(
        self, http: httpx.AsyncClient, slot: dict[str, str], headers: dict[str, str]
    ) -> httpx.Response:
        while True:
            with suppress(httpx.TransportError):
                answer = await http.post(
                    f"{self._url}/v1/bookings", json=slot, headers=headers
                )
                if answer.status_code not in {429, 503}:
                    return answer
            await asyncio.sleep(LOOK_S)


@asynccontextmanager
async def booking(load: Load) -> AsyncIterator[None]:
    """A small load, until the block ends; it fails if the load has ended by itself."""
    running = asyncio.create_task(load.run())
    try:
        yield
        assert not running.done(), "the load ended by itself"
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def readiness(server: ServerProcess) -> tuple[int, dict[str, dict[str, Any]]]:
    async with httpx.AsyncClient(timeout=30) as http:
        answer = await http.get(f"{server.url}/readyz")
    return answer.status_code, answer.json()["checks"]


async def until_ready(server: ServerProcess) -> None:
    async with asyncio.timeout(BACK_S):
        while (await readiness(server))[0] != httpx.codes.OK:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_S)


async def until_another(load: Load) -> None:
    """Return when a patient has been told of one more booking."""
    before = len(load.acknowledged)
    async with asyncio.timeout(BACK_S):
        while len(load.acknowledged) == before:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_S)


async def all_there(server: ServerProcess, load: Load) -> None:
    """Every acknowledged booking is read back by its patient, as booked."""
    async with httpx.AsyncClient(timeout=30) as http:
        for booking_id, person in load.acknowledged.items():
            answer = await http.get(
                f"{server.url}/v1/bookings/{booking_id}",
                headers={"Authorization": f"Bearer {person.token}"},
            )
            assert answer.status_code == httpx.codes.OK, answer.text
            assert answer.json()["status"] == "booked"


def logged(server: ServerProcess) -> str:
    return (server.data / "logs" / "server.log").read_text("utf-8")


async def test_settings_of_another_ray_lead_nowhere(server: ServerProcess) -> None:
    """RAY_ADDRESS and the like are ignored and named, and the server starts."""
    assert "Ignored: RAY_ADDRESS, RAY_NAMESPACE." in server.output
    assert (await readiness(server))[0] == httpx.codes.OK


async def test_rays_sockets_are_out_of_reach_of_others(server: ServerProcess) -> None:
    """No folder of Ray's can be entered but through one that is ours alone."""
    raylet = part(server, "raylet")
    sockets = [
        Path(str(one.laddr))
        for one in raylet.net_connections("unix")
        if str(one.laddr).startswith("/tmp/slotcast-ray-")
    ]
    assert sockets
    for place in sockets:
        assert any(folder.stat().st_mode & 0o077 == 0 for folder in place.parents)


@pytest.mark.parametrize("kind", NEEDED)
async def test_a_part_that_shards_need_dies(
    server: ServerProcess, load: Load, kind: str
) -> None:
    """Said and logged at once, back by itself, watchers stay, every booking there."""
    with connect(f"ws://127.0.0.1:{server.port}/v1/live") as watcher:
        async with booking(load):
            await until_another(load)
            victim = part(server, kind)
            victim.kill()
            sentence = f"Ray's {kind} (pid {victim.pid}) has ended"
            await asyncio.to_thread(server.wait_for, sentence)
            await until_ready(server)
            await until_another(load)
        watcher.send('{"op":"ping","id":1}')
        watcher.recv(timeout=60)
    await all_there(server, load)
    assert part(server, kind).pid != victim.pid
    assert sentence in logged(server)
    assert "Ray and the shards run again" in server.output


@pytest.mark.parametrize("kind", SPARE)
async def test_a_part_that_nothing_needs_dies(
    server: ServerProcess, load: Load, kind: str
) -> None:
    """Said and logged; the shards' processes stay, and bookings go on."""
    before = pids_of_shards(server)
    async with booking(load):
        await until_another(load)
        victim = part(server, kind)
        victim.kill()
        sentence = f"Ray's {kind} (pid {victim.pid}) has ended; nothing here needs it"
        await asyncio.to_thread(server.wait_for, sentence)
        await until_another(load)
    assert (await readiness(server))[0] == httpx.codes.OK
    assert pids_of_shards(server) == before
    assert sentence in logged(server)
    await all_there(server, load)


def pids_of_shards(server: ServerProcess) -> Sequence[int]:
    return sorted(shard["pid"] for shard in server.json("status")["shards"])


async def test_it_stops_as_ever_after_all_that(server: ServerProcess) -> None:
    """Status 0, and no process is left, of any Ray that it had."""
    assert await asyncio.to_thread(server.stop, signal.SIGTERM) == 0
    assert server.survivors() == []
