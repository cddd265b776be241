"""The compose file and the image: valid, pinned, and about things that exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.architecture.sources import ROOT
from tests.deployment.files import (
    CLUSTER,
    PLANNED,
    commands,
    compose,
    setting_variables,
)

OURS = ("head", "node-1", "node-2", "node-3")


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose()["services"]
    return found


def test_the_compose_file_keeps_the_specification() -> None:
    """It is valid by the schema of the compose specification."""
    checker = Path(sys.executable).with_name("check-jsonschema")
    done = subprocess.run(
        [
            *(checker, "--builtin-schema", "vendor.compose-spec"),
            CLUSTER / "compose.yaml",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_yaml_is_tidy() -> None:
    """No duplicate key, no odd truth value, no tab: yamllint says nothing."""
    linter = Path(sys.executable).with_name("yamllint")
    files = [*CLUSTER.glob("*.yaml"), *CLUSTER.glob("*.yml")]
    done = subprocess.run(
        [linter, "--strict", "-c", ROOT / ".yamllint", *files],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_every_image_is_pinned() -> None:
    """An image without a full version is another one tomorrow."""
    for name, service in services().items():
        version = service["image"].rpartition(":")[2]
        assert re.fullmatch(r"v?\d+\.\d+\.\d+", version), name


def test_every_variable_is_a_setting() -> None:
    """A misspelt variable would be ignored in silence."""
    known = setting_variables()
    for name in OURS:
        for variable in services()[name]["environment"]:
            assert variable in known, f"{name}: {variable}"


def test_every_secret_is_declared_and_a_file() -> None:
    """No password is in the file itself, and none is missing."""
    declared = compose()["secrets"]
    text = (CLUSTER / "compose.yaml").read_text()
    for name, service in services().items():
        for secret in service.get("secrets", []):
            assert secret in declared, name
    assert set(re.findall(r"/run/secrets/([a-z-]+)", text)) == set(declared)


def test_the_redis_keeps_the_promise() -> None:
    """Every write synced, nothing evicted: without that an answer means nothing."""
    words = services()["redis"]["command"]
    told = dict(zip(words[1::2], words[2::2], strict=True))
    assert told["--appendonly"] == "yes"
    assert told["--appendfsync"] == "always"
    assert told["--no-appendfsync-on-rewrite"] == "no"
    assert told["--maxmemory-policy"] == "noeviction"


def test_what_holds_data_has_a_volume() -> None:
    """A container that is created again finds its data."""
    named = set(compose()["volumes"])
    for name in (*OURS, "redis", "mysql", "azurite", "prometheus"):
        sources = {one.partition(":")[0] for one in services()[name]["volumes"]}
        assert sources & named, name


def test_a_stop_leaves_time_to_hand_over() -> None:
    """Docker kills after ten seconds unless told otherwise."""
    for name in OURS:
        assert services()[name]["stop_grace_period"] == "120s"


def test_nothing_but_nginx_is_published_beyond_this_machine() -> None:
    """Ports are bound to loopback; Redis, MySQL and Ray are not published at all."""
    published = {
        name: service["ports"]
        for name, service in services().items()
        if "ports" in service
    }
    assert set(published) == {"nginx", "prometheus", "grafana"}
    for ports in published.values():
        assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_command_is_one_of_ours() -> None:
    """Commands in the file are commands of ``slotcast``."""
    for name in OURS:
        command = " ".join(services()[name]["command"])
        assert command in PLANNED, name


def test_the_commands_of_a_cluster_exist() -> None:
    """What the deployment files run is what the command line has."""
    assert commands() >= PLANNED


def dockerfile() -> list[str]:
    """Its instructions, continued lines joined."""
    text = (ROOT / "Dockerfile").read_text()
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def instructions(word: str) -> list[str]:
    return [line[len(word) :].strip() for line in dockerfile() if line.startswith(word)]


def test_the_image_is_made_of_pinned_things() -> None:
    """Base by full version, packages by hash; both stages on the same Python."""
    bases = [line.split()[0] for line in instructions("FROM")]
    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.11\.\d+-slim-bookworm", bases[0])
    installs = [line for line in instructions("RUN") if "pip install" in line]
    assert installs
    assert all("--require-hashes" in line for line in installs)
    assert not any("apt-get" in line or "curl" in line for line in instructions("RUN"))


def test_the_image_runs_as_nobody_in_particular() -> None:
    """Not root, by number, so that Kubernetes can check it."""
    (user,) = instructions("USER")
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user)


def test_the_image_has_what_it_needs_and_no_more() -> None:
    """All packages of the product, and neither tests nor data nor history."""
    copied = {line.split()[-2] for line in instructions("COPY")}
    assert {"actors", "care", "gateway", "persistence", "cluster"} <= copied
    assert not copied & {".", "tests", "var", ".git", "docs"}
    allowed = (ROOT / ".dockerignore").read_text().split()
    assert allowed[0] == "*"
    assert {f"!{one}" for one in ("actors", "gateway", "persistence")} <= set(allowed)


def test_the_image_tells_whether_it_lives() -> None:
    """The health check asks a path that the gateway has."""
    (check,) = instructions("HEALTHCHECK")
    assert "/healthz" in check


def test_the_entrypoint_fills_in_what_only_a_container_knows(tmp_path: Path) -> None:
    """Name and address of the node, then the command with its words as they are."""
    script = CLUSTER / "container-entrypoint.sh"
    (tmp_path / "python").write_text(
        '#!/bin/sh\necho "$SLOTCAST_NODE_NAME $SLOTCAST_NODE_HOST $*"\n'
    )
    (tmp_path / "hostname").write_text(
        '#!/bin/sh\n[ "${1:-}" = -i ] && echo "10.1.2.3 fd00::3" || echo node-7\n'
    )
    for name in ("python", "hostname"):
        (tmp_path / name).chmod(0o755)
    path = f"{tmp_path}:/usr/bin:/bin"
    done = subprocess.run(
        ["sh", script, "cluster", "join", "a b"],
        env={"PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "node-7 10.1.2.3 -m cluster cluster join a b\n"
