"""``slotcast serve`` as people meet it: start, stop, crash, and what is in the way."""

from __future__ import annotations

import json
import shutil
import signal
import socket
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import psutil
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from actors.domain.zone_data import EDITION
from cluster.own_ray.parts import kind_of
from tests.fixtures.reserved import free_port
from tests.fixtures.server import (
    ROOT,
    ServerProcess,
    book,
    clean_environment,
    free_slot,
    http_get,
    run_command,
)

pytestmark = pytest.mark.acceptance
RAYS_AGENTS = {"ray::DashboardAgent", "ray::RuntimeEnvAgent"}
"""They look for their raylet every few seconds only, and hold no data."""
SAMPLES = ROOT / "tests" / "samples"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path / "data") as made:
        yield made


def heard_until_closed(live: ClientConnection) -> tuple[list[Any], int]:
    """Every frame up to the end of the connection, and its close code."""
    frames: list[Any] = []
    while True:
        try:
            frames.append(json.loads(live.recv(timeout=60)))
        except ConnectionClosed as closed:
            return frames, closed.rcvd.code if closed.rcvd else 0


def listens_beyond_this_machine(server: ServerProcess) -> set[str]:
    """Sockets of the server, its Ray and its shards that others could reach."""
    return {
        f"{mark.name} {place.laddr.ip}"
        for mark in server.note_tree()
        for place in psutil.Process(mark.pid).net_connections(kind="tcp")
        if place.status == psutil.CONN_LISTEN
        and not ip_address(place.laddr.ip.removeprefix("::ffff:")).is_loopback
    }


def test_a_first_start_shows_a_region_and_a_stop_leaves_no_process(
    server: ServerProcess,
) -> None:
    """Sixty providers, working tokens and curl line; only this machine and the folder's
    owner can reach it; Ctrl-C: bye, 0, nothing left."""
    server.start()
    assert listens_beyond_this_machine(server) == set()
    assert server.data.stat().st_mode & 0o077 == 0
    listed = http_get(f"{server.url}/v1/providers", params={"limit": 100}).json()
    assert len(listed["items"]) == 60
    assert len({item["clinic"]["time_zone"] for item in listed["items"]}) == 12
    ready = http_get(f"{server.url}/readyz")
    assert ready.status_code == 200, ready.text
    free_slot(server)
    tokens = [line.strip() for line in server.output.splitlines() if "eyJ" in line]
    patient, doctor, _admin = ({"Authorization": f"Bearer {one}"} for one in tokens)
    assert http_get(f"{server.url}/v1/bookings", headers=patient).status_code == 200
    assert http_get(f"{server.url}/v1/bookings", headers=doctor).status_code in {
        200,
        403,
    }
    run = json.loads((server.data / "run.json").read_text())
    with connect(f"ws://127.0.0.1:{server.port}/v1/live") as live:
        live.send('{"op":"ping","id":1}')
        live.recv(timeout=60)
        assert server.stop() == 0
        frames, code = heard_until_closed(live)
    assert frames[-1]["t"] == "bye"
    assert code == 4012
    assert server.survivors() == []
    assert "stopping" in server.output
    assert "Traceback" not in server.output
    assert not (server.data / "run.json").exists()
    assert not Path(run["ray_folder"]).exists()


def test_a_killed_server_leaves_nothing_behind_and_loses_nothing(
    server: ServerProcess,
) -> None:
    """kill -9: shards and projector end by themselves, Ray's agents at the latest
    with the next start, which has the booking."""
    server.start()
    booked = book(server, "before-the-crash")
    run = json.loads((server.data / "run.json").read_text())
    server.kill()
    assert server.survivors(but=RAYS_AGENTS) == []
    server.start()
    assert server.survivors() == []
    assert not Path(run["ray_folder"]).exists()
    doctor = {
        "Authorization": f"Bearer {server.token('doctor', booked['provider_id'])}"
    }
    found = http_get(
        f"{server.url}/v1/bookings/{booked['booking_id']}", headers=doctor
    ).json()
    assert found["status"] == "booked"
    assert server.stop(signal.SIGTERM) == 0
    assert server.survivors() == []


def test_tools_work_beside_a_running_server(server: ServerProcess) -> None:
    """Status, import, verify and projection reach the server's own shards. Of Ray only
    what shards need runs. A projector that is killed is started again."""
    server.start()
    status = server.json("status")
    assert status["running"]
    below = psutil.Process(status["pid"]).children(recursive=True)
    kinds = {kind_of(one.name(), " ".join(one.cmdline())) for one in below}
    assert kinds >= {"raylet", "control service"}
    assert not kinds & {"log monitor", "autoscaler monitor", "dashboard"}
    assert [shard["state"] for shard in status["shards"]] == ["open"] * 4
    assert status["tzdata"] == EDITION  # of every process that computes
    epochs = [shard["epoch"] for shard in status["shards"]]
    sample = str(SAMPLES / "practices_good.csv")
    first = server.json("import", "practices", sample, "--providers-per-clinic", "2")
    assert (first["new"], first["providers"]["new"]) == (3, 6)
    again = server.json("import", "practices", sample, "--providers-per-clinic", "2")
    assert (again["new"], again["changed"], again["same"]) == (0, 0, 3)
    assert again["providers"] == {"new": 0, "changed": 0, "same": 6}
    assert http_get(f"{server.url}/v1/providers/prv_X90001_1").status_code == 200
    assert all(report["is_sound"] for report in server.json("journal", "verify"))
    assert server.run("projection", "conflicts").returncode == 0
    after = server.json("status")
    assert [shard["epoch"] for shard in after["shards"]] == epochs
    lose_the_projector(server)
    assert server.stop() == 0
    assert server.survivors() == []


def lose_the_projector(server: ServerProcess) -> None:
    """kill -9 of the projector: bookings go on, and the read model catches up."""

    def projectors() -> list[psutil.Process]:
        below = psutil.Process(server.pid).children(recursive=True)
        return [one for one in below if "project" in one.cmdline()]

    (first,) = projectors()
    first.kill()
    booked = book(server, "while-it-is-down")
    mine = {"Authorization": f"Bearer {server.token('patient', 'pat_7')}"}
    listed: list[str] = []
    for _ in range(100):
        answer = http_get(f"{server.url}/v1/bookings", headers=mine).json()
        listed = [item["booking_id"] for item in answer["items"]]
        if projectors() and booked["booking_id"] in listed:
            break
        http_get(f"{server.url}/healthz")
    assert booked["booking_id"] in listed


def test_placement_provider_serves_and_takes_imports(tmp_path: Path) -> None:
    """One process per provider, begun by the first request, a tool's included."""
    settings = {"SLOTCAST_PLACEMENT": "provider", "SLOTCAST_SEED": "none"}
    with ServerProcess(tmp_path / "data", None, **settings) as server:
        server.start()
        sample = str(SAMPLES / "practices_good.csv")
        words = ("import", "practices", sample, "--limit", "1")
        done = server.json(*words, "--providers-per-clinic", "1")
        assert done["providers"]["new"] == 1
        provider = f"{server.url}/v1/providers/prv_X90001_1"
        assert http_get(provider).status_code == 200
        assert server.stop() == 0
        assert server.survivors() == []


def test_a_stop_while_starting_is_a_stop(server: ServerProcess) -> None:
    """SIGTERM before it is ready, while the region is made and at the next start when
    it listens: exit code 0, nothing left, and it starts again."""
    for moment in ("Demo region", "Listening at"):
        server.start(wait=False)
        server.wait_for(moment)
        if moment == "Listening at":
            a_request_that_comes_early_is_answered(server)
        assert server.stop(signal.SIGTERM) == 0
        assert server.survivors() == []
    server.start()
    assert server.stop() == 0


def a_request_that_comes_early_is_answered(server: ServerProcess) -> None:
    """It says what is missing."""
    answer = http_get(f"{server.url}/readyz", timeout=30)
    required = [one for one in answer.json()["checks"].values() if one["required"]]
    missing = [one for one in required if not one["ok"]]
    assert answer.status_code == (503 if missing else 200)
    assert all(one["detail"] for one in missing)


# --- what is in the way: no Ray is started here --------------------------------------


def test_a_taken_port_is_explained(tmp_path: Path) -> None:
    """Who has it, and which setting chooses another; no folder is made."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        done = run_command(
            "serve", SLOTCAST_PORT=port, SLOTCAST_DATA=str(tmp_path / "data")
        )
    assert done.returncode == 2
    assert f"Port {port}" in done.stderr
    assert "SLOTCAST_PORT=" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data").exists()


@pytest.fixture(scope="module")
def whole_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a region, to be copied."""
    folder = tmp_path_factory.mktemp("whole") / "data"
    made = run_command("seed", SLOTCAST_DATA=str(folder), SLOTCAST_SHARDS="4")
    assert made.returncode == 0, made.stderr
    return folder


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("no layout", "half written"),
        ("torn layout", "half written"),
        ("no journal", "journal/"),
        ("open key", "can be read by others"),
        ("other shards", "made with shards=4"),
    ],
)
def test_a_folder_that_is_not_whole_is_explained(
    whole_folder: Path, tmp_path: Path, damage: str, words: str
) -> None:
    """What is wrong with the data folder, and how to repair it, in two sentences."""
    data, more = tmp_path / "data", {}
    shutil.copytree(whole_folder, data)
    settings = {"SLOTCAST_DATA": str(data), "SLOTCAST_PORT": str(free_port())}
    if damage == "no layout":
        (data / "layout.json").unlink()
    elif damage == "torn layout":
        (data / "layout.json").write_text('{"format":')
    elif damage == "no journal":
        (data / "journal").rename(tmp_path / "elsewhere")
    elif damage == "open key":
        (data / "secrets" / "token.key").chmod(0o644)
    else:
        more = {"SLOTCAST_SHARDS": "8"}
    done = run_command("serve", **settings, **more)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def test_few_open_files_are_explained(tmp_path: Path) -> None:
    """A limit of 256 files is refused with the command that raises it."""
    import resource
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-m", "cluster", "serve"],
        cwd=ROOT,
        env=clean_environment(SLOTCAST_DATA=str(tmp_path / "data")),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256)),
    )
    assert done.returncode == 2
    assert "ulimit -n" in done.stderr
