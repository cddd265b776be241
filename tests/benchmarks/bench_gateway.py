"""What one request costs a gateway: processor time without the kernel's share.

Run ``python -m tests.benchmarks.bench_gateway --json``. Measures, never asserts.
Requests go into the HTTP protocol as bytes and come out as bytes; shards, journal and
read model are in this process and in memory, and their part is in the figures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvloop
from uvicorn.config import Config
from uvicorn.server import ServerState

from cluster.logs import log_to
from gateway.transport.http_protocol import BoundedHttpProtocol
from tests.fakes.api import Api, open_api

AT_ONCE = 64
ROUNDS = 60
PROVIDERS = 20
PATIENTS = 4_000
"""More than there are bookings: limits per patient stay out of the way."""
GET = (
    "GET {} HTTP/1.1\r\nHost: clinic.test\r\nUser-Agent: bench\r\nAccept: */*\r\n{}\r\n"
)


class Wire(asyncio.Transport):
    """A client's connection, without a kernel; ``last`` is what was written last."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 5000) if name == "peername" else default

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None: ...

    def close(self) -> None: ...


class Client:
    """One keep-alive connection to the gateway."""

    def __init__(
        self, config: Config, make: Callable[..., BoundedHttpProtocol]
    ) -> None:
        self.wire = Wire()
        self.protocol = make(config, ServerState(), {}, asyncio.get_running_loop())
        self.protocol.connection_made(self.wire)

    def ask(self, request: bytes) -> None:
        """Send one request."""
        self.wire.written.clear()
        self.protocol.data_received(request)

    @property
    def has_answer(self) -> bool:
        """Whether all of the answer was written."""
        return self.protocol._unanswered is None


@asynccontextmanager
async def clients(
    shared: Mapping[str, Any] | None = None,
) -> AsyncIterator[tuple[Api, list[Client]]]:
    """A gateway with its log lines, and connections to it. ``shared``: more ports."""
    with tempfile.TemporaryDirectory() as folder:
        log_to(Path(folder) / "gateway.log", "info")
        async with open_api(
            shared=shared, log_requests=True, visits_per_person=0, lists_believed_s=0.5
        ) as api:
            for number in range(1, PROVIDERS + 1):
                await api.add_provider(number)
            await api.project()
            config = Config(api.app, lifespan="off", access_log=False)
            config.load()
            config.loaded_app = api.app
            make = api.app.state.http_protocol
            yield api, [Client(config, make) for _ in range(AT_ONCE)]


async def cost(all_of: list[Client], request: Callable[[int], bytes]) -> float:
    """Microseconds of a request, the best round of many."""
    rounds = [
        await round_cost(all_of, request, number * len(all_of))
        for number in range(ROUNDS)
    ]
    return round(min(rounds), 1)


async def round_cost(
    all_of: list[Client], request: Callable[[int], bytes], first: int
) -> float:
    """Microseconds of a request, of those numbered from ``first`` on, one a client."""
    asked = [(client, request(first + n)) for n, client in enumerate(all_of)]
    began = time.process_time()
    for client, text in asked:
        client.ask(text)
    while not all(client.has_answer for client in all_of):  # noqa: ASYNC110
        await asyncio.sleep(0)
    taken = (time.process_time() - began) / len(asked)
    for client in all_of:
        answer = b"".join(client.wire.written)
        if answer[9:12] not in (b"200", b"201", b"304"):
            raise RuntimeError(answer.decode())
    return taken * 1e6


def getting(path: str, *headers: str) -> Callable[[int], bytes]:
    """The request for a page."""
    text = GET.format(path, "".join(f"{line}\r\n" for line in headers)).encode()
    return lambda _number: text


def booking(api: Api) -> Callable[[int], bytes]:
    """A booking of a slot that nothing has taken."""
    return booking_by(api, [api.token("patient", f"pat_{n}") for n in range(PATIENTS)])


def booking_by(api: Api, tokens: Sequence[str], **more: str) -> Callable[[int], bytes]:
    """The same, with one of these tokens in turn, and more fields in the body."""
    for token in tokens:
        api.app.state.services.authenticator.verify(token)

    def request(number: int) -> bytes:
        provider, rest = number % PROVIDERS + 1, number // PROVIDERS
        day, half = rest // 16, rest % 16
        start = f"2026-{8 + (9 + day) // 28:02}-{1 + (9 + day) % 28:02}"
        start += f"T{9 + half // 2:02}:{half % 2 * 30:02}:00Z"
        body = json.dumps(
            {
                "provider_id": f"prv_{provider}",
                "visit_type": "consult",
                "start": start,
                **more,
            }
        )
        return (
            "POST /v1/bookings HTTP/1.1\r\nHost: clinic.test\r\n"
            f"Authorization: Bearer {tokens[number % len(tokens)]}\r\n"
            f"Content-Type: application/json\r\nIdempotency-Key: k{number}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()

    return request


async def measure() -> dict[str, float]:
    """Every kind of request."""
    async with clients() as (api, all_of):
        week = "/v1/providers/prv_1/slots?visit_type=consult&from=2026-08-10&to={}"
        one, four = week.format("2026-08-10"), week.format("2026-09-06")
        tag = (await api.client.get(four)).headers["etag"]
        found = {
            "healthz": await cost(all_of, getting("/healthz")),
            "slots_1_day": await cost(all_of, getting(one)),
            "slots_28_days": await cost(all_of, getting(four)),
            "slots_28_days_gzip": await cost(
                all_of, getting(four, "Accept-Encoding: gzip, br")
            ),
            "slots_28_days_304": await cost(
                all_of, getting(four, f"If-None-Match: {tag}")
            ),
            "providers": await cost(all_of, getting("/v1/providers?limit=20")),
        }
        found["booking"] = await cost(all_of, booking(api))
        return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.parse_args()
    print(json.dumps({"us": uvloop.run(measure())}, indent=2))


if __name__ == "__main__":
    main()
