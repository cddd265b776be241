"""The Kubernetes manifests hang together: names, selectors, probes, settings."""

from __future__ import annotations

import re
from typing import Any

import pytest

from cluster.node.leaving import HAND_OVER_S
from cluster.node.supervisor import stop_seconds
from cluster.site.settings import Settings, read_settings
from tests.architecture.sources import ROOT
from tests.deployment.files import (
    PLANNED,
    compose,
    manifests,
    of_kind,
    setting_variables,
    texts_below,
)
from tests.fakes.api import open_api


def cluster_spec() -> dict[str, Any]:
    found: dict[str, Any] = of_kind("RayCluster")["spec"]
    return found


def head() -> dict[str, Any]:
    found: dict[str, Any] = cluster_spec()["headGroupSpec"]
    return found


def nodes() -> dict[str, Any]:
    (group,) = cluster_spec()["workerGroupSpecs"]
    assert isinstance(group, dict)
    return group


def containers() -> dict[str, dict[str, Any]]:
    groups = (head(), nodes())
    return {
        one["name"]: one
        for group in groups
        for one in group["template"]["spec"]["containers"]
    }


def test_every_manifest_has_a_kind_a_name_and_our_label() -> None:
    """What is applied can be found again, and taken away together."""
    for one in manifests():
        assert one["apiVersion"]
        assert one["metadata"]["labels"]["app.kubernetes.io/name"] == "slotcast"
    names = {(one["kind"], one["metadata"]["name"]) for one in manifests()}
    assert len(names) == len(manifests())


def test_ray_is_the_one_that_is_locked() -> None:
    """All of a cluster run the same Ray, down to the patch."""
    lock = (ROOT / "requirements.txt").read_text()
    (version,) = re.findall(r"^ray==([\d.]+)", lock, re.MULTILINE)
    assert cluster_spec()["rayVersion"] == version


def test_our_command_runs_in_place_of_kuberays() -> None:
    """Without the annotation the operator would put its own command before ours."""
    annotations = of_kind("RayCluster")["metadata"]["annotations"]
    assert annotations["ray.io/overwrite-container-cmd"] == "true"


def test_the_head_is_found_and_remembers_its_tables() -> None:
    """Nodes look where KubeRay's service is; what the head knows outlives its pod."""
    settings = of_kind("ConfigMap")["data"]
    host, _, port = settings["SLOTCAST_HEAD"].partition(":")
    assert host == f"{of_kind('RayCluster')['metadata']['name']}-head-svc"
    assert port == settings["SLOTCAST_RAY_PORT"]
    (listening,) = containers()["ray-head"]["ports"]
    assert str(listening["containerPort"]) == port
    (claim,) = (
        volume["persistentVolumeClaim"]["claimName"]
        for volume in head()["template"]["spec"]["volumes"]
        if "persistentVolumeClaim" in volume
    )
    assert claim == of_kind("PersistentVolumeClaim")["metadata"]["name"]


def test_every_mount_has_its_volume() -> None:
    """A mount without a volume keeps the pod from starting."""
    for group in (head(), nodes()):
        spec = group["template"]["spec"]
        volumes = {volume["name"] for volume in spec["volumes"]}
        for one in spec["containers"]:
            assert {mount["name"] for mount in one["volumeMounts"]} <= volumes


def test_every_variable_is_a_setting() -> None:
    """A misspelt variable would be ignored in silence."""
    named = set(of_kind("ConfigMap")["data"])
    for one in containers().values():
        named |= {variable["name"] for variable in one["env"]}
    ours = {name for name in named if name.startswith("SLOTCAST_")}
    assert ours
    assert ours <= setting_variables()


def test_the_settings_make_sense_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """The values in the map are accepted."""
    data = of_kind("ConfigMap")["data"]
    for name, value in data.items():
        if not name.endswith("_FILE"):
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("SLOTCAST_NODE_NAME", "slotcast-nodes-worker-abc12")
    settings = read_settings()
    assert settings.shards == 64
    assert settings.behind_proxy


def test_secrets_come_from_files_that_strangers_cannot_read() -> None:
    """Slotcast refuses a secret that all users can read; the mode allows the group."""
    data = of_kind("ConfigMap")["data"]
    paths = [value for name, value in data.items() if name.endswith("_FILE")]
    assert all(path.startswith("/run/secrets/slotcast/") for path in paths)
    for group in (head(), nodes()):
        spec = group["template"]["spec"]
        (secret,) = (v["secret"] for v in spec["volumes"] if "secret" in v)
        assert secret["defaultMode"] == 0o440
        assert spec["securityContext"]["fsGroup"]
    text = "\n".join(texts_below(manifests()))
    assert not re.search(r"password=|:[^/@\s]{6,}@", text)


def test_selectors_select_what_is_there() -> None:
    """Service, budget and spread name the labels that node pods carry."""
    labels = nodes()["template"]["metadata"]["labels"].items()
    assert of_kind("Service")["spec"]["selector"].items() <= labels
    budget = of_kind("PodDisruptionBudget")["spec"]
    assert budget["selector"]["matchLabels"].items() <= labels
    assert budget["maxUnavailable"] == 1
    (spread,) = nodes()["template"]["spec"]["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"].items() <= labels
    policy = of_kind("NetworkPolicy")["spec"]["podSelector"]["matchLabels"].items()
    assert policy <= labels
    assert policy <= head()["template"]["metadata"]["labels"].items()


def test_ports_have_the_same_name_everywhere() -> None:
    """Ingress to service to container."""
    (port,) = containers()["ray-worker"]["ports"]
    assert port["containerPort"] == Settings.model_fields["port"].default
    (service,) = of_kind("Service")["spec"]["ports"]
    assert service["targetPort"] == port["name"]
    (rule,) = of_kind("Ingress")["spec"]["rules"]
    backend = rule["http"]["paths"][0]["backend"]["service"]
    assert backend["name"] == of_kind("Service")["metadata"]["name"]
    assert backend["port"]["name"] == service["name"]


async def test_probes_ask_paths_that_exist() -> None:
    """A probe on a path that is not there restarts gateways for ever."""
    gateway = containers()["ray-worker"]
    probes = [value for key, value in gateway.items() if key.endswith("Probe")]
    assert len(probes) == 3
    async with open_api() as api:
        for probe in probes:
            answer = await api.client.get(probe["httpGet"]["path"])
            assert answer.status_code in {200, 503}, answer.text


def test_a_node_has_time_to_hand_over_before_it_is_killed() -> None:
    """The grace period is longer than all that `join` does at SIGTERM, and the guide
    names the same number."""
    drain = float(of_kind("ConfigMap")["data"]["SLOTCAST_DRAIN_SECONDS"])
    grace = nodes()["template"]["spec"]["terminationGracePeriodSeconds"]
    assert stop_seconds(drain) < grace
    guide = (ROOT / "docs" / "operations" / "nodes.md").read_text()
    assert f"`terminationGracePeriodSeconds: {grace}`" in guide
    assert f"{HAND_OVER_S:.0f} seconds" in guide


def test_every_command_is_one_of_ours() -> None:
    """Pods run commands of ``slotcast``."""
    for name, one in containers().items():
        assert one["command"] == ["slotcast"], name
        assert " ".join(one["args"][:2]) in PLANNED, name


def test_the_image_is_that_of_compose() -> None:
    """One image, one version."""
    images = {one["image"] for one in containers().values()}
    assert images == {compose()["services"]["head"]["image"]}


def test_every_container_says_what_it_needs() -> None:
    """A shard is a preferred victim where memory is not reserved."""
    for one in containers().values():
        assert {"cpu", "memory"} <= set(one["resources"]["requests"]), one["name"]
        assert "memory" in one["resources"]["limits"], one["name"]
