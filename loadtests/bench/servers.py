"""Servers for benchmarks: Slotcast and the plain one, private, on free ports."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from loadtests.wire.http_client import ConnectionLost, HttpClient
from loadtests.workload.region import slotcast_command

START_S = 120.0


@dataclass(slots=True)
class Server:
    """A running server."""

    url: str
    process: subprocess.Popen[bytes]
    data: Path
    start_seconds: float


def free_port() -> int:
    """A TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _wait_ready(url: str, process: subprocess.Popen[bytes], path: str) -> None:
    give_up = time.monotonic() + START_S
    client = HttpClient(url, 1, timeout_s=5)
    try:
        while True:
            if process.poll() is not None:
                raise RuntimeError(f"the server ended with status {process.returncode}")
            try:
                if (await client.ask("GET", path)).status < 500:
                    return
            except ConnectionLost:
                pass
            if time.monotonic() > give_up:
                raise RuntimeError("the server did not become ready in time")
            await asyncio.sleep(0.02)
    finally:
        await client.close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@asynccontextmanager
async def slotcast_server(
    data: Path | None = None, **env: str
) -> AsyncIterator[Server]:
    """A Slotcast server; its data folder is deleted at the end unless one is given."""
    port = free_port()
    folder = data or Path(tempfile.mkdtemp(prefix="slotcast-bench-"))
    settings = {
        "SLOTCAST_PORT": str(port),
        "SLOTCAST_DATA": str(folder),
        "SLOTCAST_SEED": "none",
        "SLOTCAST_RATE_LIMITS": "false",
        "SLOTCAST_PATIENT_LIMITS": "false",
        **env,
    }
    began = time.monotonic()
    process = subprocess.Popen(  # noqa: S603, ASYNC220 -- ours, and quick
        [slotcast_command(), "serve"],
        env=os.environ | settings,
        stdout=subprocess.DEVNULL,  # errors are on stderr
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        await _wait_ready(url, process, "/readyz")
        yield Server(url, process, folder, time.monotonic() - began)
    finally:
        _stop(process)
        if data is None:
            shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def plain_server(providers: int) -> AsyncIterator[Server]:
    """The plain alternative on a fresh SQLite file."""
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="plain-bench-"))
    began = time.monotonic()
    process = subprocess.Popen(  # noqa: S603, ASYNC220 -- ours, and quick
        [
            *(sys.executable, "-m", "uvicorn", "--factory"),
            *("loadtests.bench.plain_server:create", "--port", str(port)),
            *("--log-level", "error", "--no-access-log"),
        ],
        env=os.environ
        | {"PLAIN_DB": str(folder / "plain.db"), "PLAIN_PROVIDERS": str(providers)},
        start_new_session=True,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        await _wait_ready(url, process, "/openapi.json")
        yield Server(url, process, folder, time.monotonic() - began)
    finally:
        _stop(process)
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def plain_sql_server(
    url: str, providers: int, workers: int, connections: int
) -> AsyncIterator[Server]:
    """The plain alternative on MariaDB or MySQL, with empty tables."""
    from loadtests.bench.plain_sql import prepare

    port = free_port()
    os.environ["PLAIN_URL"] = url
    await prepare(providers)
    began = time.monotonic()
    process = subprocess.Popen(  # noqa: S603, ASYNC220 -- ours, and quick
        [
            *(sys.executable, "-m", "uvicorn", "--factory"),
            *("loadtests.bench.plain_sql:create", "--port", str(port)),
            *("--log-level", "error", "--no-access-log"),
            *("--workers", str(workers), "--timeout-keep-alive", "120"),
        ],
        env=os.environ | {"PLAIN_POOL": str(connections)},
        start_new_session=True,
    )
    served = f"http://127.0.0.1:{port}"
    try:
        await _wait_ready(served, process, "/openapi.json")
        yield Server(served, process, Path(), time.monotonic() - began)
    finally:
        _stop(process)
