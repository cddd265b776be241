"""The deployment files, read once, and what the code says about names in them."""

from __future__ import annotations

import functools
import os
import re
import shutil
from collections.abc import Iterator
from typing import Any

import typer
import yaml

from cluster.cli import app
from cluster.site.settings import ENV_PREFIX, SECRETS, Settings
from tests.architecture.sources import ROOT
from tests.fixtures.azurite import needed

CLUSTER = ROOT / "cluster" / "deploy"
PLANNED = frozenset({"cluster up", "cluster join", "cluster drain"})
"""Commands that a cluster is made of."""


@functools.cache
def compose() -> dict[str, Any]:
    """cluster/deploy/compose.yaml."""
    found: dict[str, Any] = yaml.safe_load((CLUSTER / "compose.yaml").read_text())
    return found


@functools.cache
def manifests() -> list[dict[str, Any]]:
    """The documents of cluster/deploy/kuberay.yaml."""
    return list(yaml.safe_load_all((CLUSTER / "kuberay.yaml").read_text()))


def of_kind(kind: str) -> dict[str, Any]:
    """The one manifest of a kind."""
    (found,) = (one for one in manifests() if one["kind"] == kind)
    return found


def alert_rules() -> list[dict[str, Any]]:
    """The rules of cluster/deploy/alerts.yml."""
    groups = yaml.safe_load((CLUSTER / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def texts_below(value: object) -> Iterator[str]:
    """All strings in a document."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from texts_below(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts_below(inner)
    elif isinstance(value, str):
        yield value


def setting_variables() -> set[str]:
    """Every environment variable that is a setting of ours."""
    names = {f"{ENV_PREFIX}{name.upper()}" for name in Settings.model_fields}
    files = {f"{ENV_PREFIX}{name.upper()}_FILE" for name in SECRETS}
    return names | files


def commands() -> set[str]:
    """Every command of ``slotcast``, with its group."""
    found = set()
    tree = typer.main.get_command(app)
    for name, command in tree.commands.items():  # type: ignore[attr-defined]
        found.add(name)
        found |= {f"{name} {inner}" for inner in getattr(command, "commands", {})}
    return found


def metric_names(expression: str) -> set[str]:
    """Our metrics in a PromQL expression."""
    return set(re.findall(r"\bslotcast_[a-z0-9_]+", expression))


def program(name: str) -> str:
    """Where a program is; a missing one fails in CI and is a reason to skip else."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    found = shutil.which(name, path=path)
    if found is None:
        needed(f"{name} is missing; run: make .services/.ready")
    assert found is not None
    return found
