"""Alerts and dashboard speak of metrics that a gateway really has."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

import pytest

from tests.architecture.sources import ROOT
from tests.deployment.files import CLUSTER, alert_rules, metric_names, program
from tests.fakes.api import open_api


@pytest.fixture
async def exposed() -> set[str]:
    """Every series name that a gateway's /metrics can have."""
    async with open_api() as api:
        text = (await api.client.get("/metrics")).text
    found = set()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE):
        found.add(name)
        if kind == "histogram":
            found |= {f"{name}_{part}" for part in ("bucket", "count", "sum")}
    return found


def expressions() -> list[tuple[str, str]]:
    """Every PromQL expression, and where it stands."""
    found = [(rule["alert"], rule["expr"]) for rule in alert_rules()]
    for panel in dashboard()["panels"]:
        found += [(panel["title"], one["expr"]) for one in panel.get("targets", [])]
    return found


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((CLUSTER / "grafana.json").read_text())
    return found


async def test_every_metric_exists(exposed: set[str]) -> None:
    """An alert on a metric that is not there never fires."""
    missing = {
        (where, name)
        for where, expression in expressions()
        for name in metric_names(expression)
        if name not in exposed
    }
    assert not missing


async def test_the_dashboard_shows_what_the_metrics_say(exposed: set[str]) -> None:
    """Nearly every metric has a panel or an alert; the rest is named here."""
    quiet = {
        "slotcast_live_deltas_encoded_total",
        "slotcast_live_snapshots_encoded_total",
        "slotcast_live_feed_batches_total",
        "slotcast_live_feed_resets_total",
        "slotcast_revocations_known",
    }
    shown = {
        name for _, expression in expressions() for name in metric_names(expression)
    }
    bare = {re.sub(r"_(bucket|count|sum)$", "", name) for name in shown | quiet}
    every = {re.sub(r"_(bucket|count|sum)$", "", name) for name in exposed}
    ours = {
        name
        for name in every
        if name.startswith("slotcast_") and not name.startswith("slotcast_pages_")
    }
    assert ours <= bare


def test_every_expression_is_promql() -> None:
    """Prometheus itself accepts the rules and the configuration."""
    promtool = program("promtool")
    # The file with the token is there only where it runs.
    for words, name in (
        (("rules",), "alerts.yml"),
        (("config", "--syntax-only"), "prometheus.yml"),
    ):
        done = subprocess.run(
            [promtool, "check", *words, CLUSTER / name],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_dashboards_expressions_are_promql(tmp_path: Any) -> None:
    """Each panel's question is one that Prometheus understands."""
    rules = [
        {
            "record": f"panel:{number}",
            "expr": expression.replace("$__rate_interval", "1m"),
        }
        for number, (_, expression) in enumerate(expressions())
    ]
    path = tmp_path / "panels.json"  # JSON is YAML
    path.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run(
        [program("promtool"), "check", "rules", path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_panels_have_room_and_numbers_of_their_own() -> None:
    """No panel covers another one."""
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        mine = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & mine, panel["title"]
        assert at["x"] + at["w"] <= 24
        cells |= mine


def test_every_alarm_is_explained() -> None:
    """Who is woken finds the page, and on it what to do."""
    page = (ROOT / "docs" / "operations" / "alarms.md").read_text()
    headings = re.findall(r"^### (\w+)$", page, re.MULTILINE)
    names = [rule["alert"] for rule in alert_rules()]
    assert headings == names
    for rule in alert_rules():
        path, _, anchor = rule["annotations"]["runbook"].partition("#")
        assert (ROOT / path).exists()
        assert anchor == rule["alert"].lower()
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"]
