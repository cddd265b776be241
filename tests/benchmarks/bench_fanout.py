"""One change to all sockets: ours, Nchan (nginx) and Starlette, one after the other.

    python -m tests.benchmarks.bench_fanout [--sockets 5000 10000] [--json FILE]

Every socket watches the same topic; a change every ``EVERY_S``, the same bytes for all
servers. Told of each: processor time of the server's processes per delivered message
(without what it takes when nothing changes), and when the last watcher had the change,
from just before it was asked for. The listeners (loadtests/crowd/__main__.py) are two
processes on the same cores, so the times are those of a machine that is doing both.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from loadtests.crowd.processes import Crowds
from tests.benchmarks.gauging import cpu_s, memory
from tests.deployment.files import program
from tests.fixtures.reserved import free_port
from tests.fixtures.server import ROOT
from tests.fixtures.waiting import until_listening

TOPIC = "slots/prv_1/consult/2026-W33"
CHANGES = 30
EVERY_S = 0.5
IDLE_S = 4.0
NEWS = '{"t":"delta"'
MODULE = "ngx_nchan_module.so"
SLOT = {
    "provider_id": "prv_1",
    "visit_type": "consult",
    "start": "2026-08-10T09:00:00Z",
}

Change = Callable[[int], None]


@contextmanager
def _process(*words: str) -> Iterator[tuple[subprocess.Popen[bytes], int, str]]:
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="fanout-") as folder:
        log = Path(folder) / "errors"
        with log.open("w") as errors:
            process = subprocess.Popen(
                [*words, str(port)],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        try:
            until_listening(port, process, log)
            yield process, port, f"http://127.0.0.1:{port}"
        finally:
            process.kill()
            process.wait(20)
            if process.stdout is not None:
                process.stdout.close()


@contextmanager
def slotcast() -> Iterator[tuple[int, str, str, Change]]:
    """Ours: a booking made or cancelled is a change."""
    words = (sys.executable, "-m", "tests.benchmarks.fanout_servers", "gateway")
    with _process(*words) as (process, port, url), httpx.Client() as client:
        assert process.stdout is not None
        token = process.stdout.readline().decode().strip()
        headers = {"Authorization": f"Bearer {token}"}
        booked: list[str] = []

        def change(_: int) -> None:
            if booked:
                path = f"{url}/v1/bookings/{booked.pop()}/cancel"
                answer = client.post(path, headers=headers)
            else:
                answer = client.post(f"{url}/v1/bookings", json=SLOT, headers=headers)
                booked.append(answer.json()["booking_id"])
            answer.raise_for_status()

        say = json.dumps({"op": "subscribe", "id": 1, "topics": [TOPIC]})
        yield process.pid, f"ws://127.0.0.1:{port}/v1/live", say, change


def message(number: int) -> str:
    """As long as ours are."""
    return (
        f'{NEWS},"topic":"{TOPIC}","epoch":1,"from":{number},"version":{number + 1},'
        '"slots":[["2026-08-10T09:00:00Z","booked"]]}'
    )


@contextmanager
def starlette() -> Iterator[tuple[int, str, str, Change]]:
    """The plain way."""
    words = (sys.executable, "-m", "tests.benchmarks.fanout_servers", "plain")
    with _process(*words) as (process, port, url), httpx.Client(timeout=60) as client:

        def change(number: int) -> None:
            client.post(f"{url}/publish", content=message(number)).raise_for_status()

        yield process.pid, f"ws://127.0.0.1:{port}/watch", "", change


NCHAN = """
load_module {module};
worker_processes 1; daemon off; pid {folder}/pid; error_log {folder}/errors;
worker_rlimit_nofile 20000;
events {{ worker_connections 19000; }}
http {{
  access_log off; {paths}
  server {{
    listen 127.0.0.1:{port} backlog=8192;
    location = /watch {{ nchan_subscriber websocket; nchan_channel_id all;
      nchan_websocket_ping_interval 20s; }}
    location = /publish {{ nchan_publisher; nchan_channel_id all;
      nchan_message_buffer_length 10; }}
  }}
}}
"""


@contextmanager
def nchan() -> Iterator[tuple[int, str, str, Change]]:
    """nginx with Nchan, one worker."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="nchan-") as name, ExitStack() as stack:
        folder = Path(name)
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        paths = " ".join(f"{one}_temp_path {folder}/{one};" for one in kinds)
        config = folder / "nginx.conf"
        config.write_text(
            NCHAN.format(module=_module(), folder=folder, port=port, paths=paths)
        )
        folder.chmod(0o755)
        process = subprocess.Popen(
            [program("nginx"), "-p", name, "-c", str(config), "-e", f"{name}/errors"]
        )
        stack.callback(process.wait, 20)
        stack.callback(process.terminate)
        until_listening(port, process, folder / "errors")
        client = stack.enter_context(httpx.Client(timeout=60))

        def change(number: int) -> None:
            url = f"http://127.0.0.1:{port}/publish"
            client.post(url, content=message(number)).raise_for_status()

        yield process.pid, f"ws://127.0.0.1:{port}/watch", "", change


def _module() -> Path:
    places = ("/usr/lib/nginx/modules", "/usr/lib64/nginx/modules")
    return next(p for place in places if (p := Path(place) / MODULE).exists())


SERVERS = {"slotcast": slotcast, "nchan": nchan, "starlette": starlette}


def measure(name: str, sockets: int) -> dict[str, Any]:
    """One server with so many sockets."""
    with SERVERS[name]() as (pid, url, say, change):
        before = memory(pid)
        with Crowds(url, sockets, "--say", say, "--counts", NEWS) as crowds:
            time.sleep(2.0)
            each = (memory(pid) - before) / sockets
            idle_from = cpu_s(pid)
            time.sleep(IDLE_S)
            idle = (cpu_s(pid) - idle_from) / IDLE_S
            crowds.ask("reset")
            asked, used, began = [], cpu_s(pid), time.monotonic()
            for number in range(CHANGES):
                asked.append(time.monotonic())
                change(number)
                time.sleep(max(0.0, asked[-1] + EVERY_S - time.monotonic()))
            time.sleep(1.0)
            wall = time.monotonic() - began
            used = cpu_s(pid) - used - idle * wall
            told = crowds.ask("report")
    delivered = sum(sum(one["seen"]) for one in told)
    last = [
        1000 * (max(one["at"][n] for one in told) - asked[n]) for n in range(CHANGES)
    ]
    return {
        "joined": sum(one["joined"] for one in told),
        "lost": sum(one["lost"] for one in told),
        "handshakes_s": max(one["connected_s"] for one in crowds.connected),
        "delivered": delivered,
        "of": sockets * CHANGES,
        "cpu_us_per_message": round(1e6 * used / max(1, delivered), 2),
        "idle_cores": round(idle, 4),
        "rss_kib_per_socket": round(each / 1024, 1),
        "last_received_ms": {
            "p50": round(median(last), 1),
            "best": round(min(last), 1),
            "worst": round(max(last), 1),
        },
    }


def main() -> None:
    """Measure, print, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sockets", type=int, nargs="+", default=[5_000, 10_000])
    parser.add_argument("--servers", nargs="+", choices=SERVERS, default=list(SERVERS))
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    found: dict[str, Any] = {}
    for sockets in options.sockets:
        for name in options.servers:
            found[f"{name}_{sockets}"] = measure(name, sockets)
            line = f"{name} {sockets}: {json.dumps(found[f'{name}_{sockets}'])}\n"
            sys.stderr.write(line)
    text = json.dumps(found, indent=2)
    sys.stdout.write(text + "\n")
    if options.json is not None:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
