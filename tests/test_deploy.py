"""docs/cluster.md and deploy/: what a reader copies from there must hold."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from cxr.cli.app import app

ROOT = Path(__file__).parent.parent
KUBERAY = ROOT / "deploy" / "kuberay"
PAGE = ROOT / "docs" / "cluster.md"
FILES = sorted(KUBERAY.glob("*.yaml"))

# Fields of ray.io/v1 in KubeRay's own reference, as far as the files here use them.
FIELDS = {
    "RayCluster": {
        "rayVersion",
        "authOptions",
        "enableInTreeAutoscaling",
        "autoscalerOptions",
        "headGroupSpec",
        "workerGroupSpecs",
    },
    "RayJob": {
        "entrypoint",
        "backoffLimit",
        "shutdownAfterJobFinishes",
        "ttlSecondsAfterFinished",
        "submitterPodTemplate",
        "rayClusterSpec",
    },
    "autoscaler": {"upscalingMode", "idleTimeoutSeconds", "resources", "securityContext"},
    "head": {"serviceType", "rayStartParams", "template"},
    "workers": {
        "groupName",
        "replicas",
        "minReplicas",
        "maxReplicas",
        "rayStartParams",
        "template",
    },
}
API = {
    "RayCluster": "ray.io/v1",
    "RayJob": "ray.io/v1",
    "NetworkPolicy": "networking.k8s.io/v1",
    "Namespace": "v1",
    "PersistentVolume": "v1",
    "PersistentVolumeClaim": "v1",
}


@cache
def documents() -> list[dict[str, Any]]:
    return [one for file in FILES for one in yaml.safe_load_all(file.read_text("utf-8"))]


def clusters() -> list[dict[str, Any]]:
    """Every RayClusterSpec, alone or in a job."""
    found = [one["spec"] for one in documents() if one["kind"] == "RayCluster"]
    return found + [one["spec"]["rayClusterSpec"] for one in documents() if one["kind"] == "RayJob"]


def pods() -> list[dict[str, Any]]:
    """The spec of every pod."""
    groups = [group for c in clusters() for group in (c["headGroupSpec"], *c["workerGroupSpecs"])]
    submitters = [
        one["spec"]["submitterPodTemplate"] for one in documents() if one["kind"] == "RayJob"
    ]
    return [template["spec"] for template in [*(g["template"] for g in groups), *submitters]]


def containers() -> list[dict[str, Any]]:
    return [container for pod in pods() for container in pod["containers"]]


def walk(node: Any) -> Iterator[tuple[str, Any]]:
    """Every key and its value, at any depth."""
    if isinstance(node, dict):
        yield from node.items()
    for child in node.values() if isinstance(node, dict) else node:
        if isinstance(child, dict | list):
            yield from walk(child)


def pinned(package: str) -> str:
    text = (ROOT / "constraints.txt").read_text("utf-8")
    found = re.search(rf"^{package}==(\S+)", text, re.MULTILINE)
    assert found, package
    return found[1]


def test_all_kinds_are_there_in_the_versions_that_kubernetes_knows():
    assert {one["kind"]: one["apiVersion"] for one in documents()} == API


def test_only_fields_of_kuberays_reference():
    for one in documents():
        assert set(one["spec"] if one["kind"] == "RayJob" else ()) <= FIELDS["RayJob"]
    for cluster in clusters():
        assert set(cluster) <= FIELDS["RayCluster"]
        assert set(cluster["headGroupSpec"]) == FIELDS["head"]
        assert set(cluster.get("autoscalerOptions", {})) <= FIELDS["autoscaler"]
        for group in cluster["workerGroupSpecs"]:
            assert set(group) == FIELDS["workers"]


def test_ray_is_the_version_that_is_pinned():
    assert {cluster["rayVersion"] for cluster in clusters()} == {pinned("ray")}
    assert all(c["image"].endswith(f"-ray{pinned('ray')}") for c in containers())


def test_one_image_with_a_version():
    (image,) = {container["image"] for container in containers()}
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text("utf-8"), re.M)
    assert version and image.rpartition(":")[2].startswith(f"{version[1]}-")
    base = re.findall(r"^FROM (\S+)", (ROOT / "deploy" / "Dockerfile").read_text("utf-8"), re.M)
    assert base and all(":" in one and "latest" not in one for one in base)
    assert image in PAGE.read_text("utf-8")


def test_every_cluster_asks_for_a_token():
    assert all(cluster["authOptions"] == {"mode": "token"} for cluster in clusters())


def test_no_pod_is_root_or_may_become_it():
    for pod in pods():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 10001
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    scalers = [c["autoscalerOptions"] for c in clusters() if c.get("enableInTreeAutoscaling")]
    assert scalers
    for one in [*containers(), *scalers]:
        assert one["securityContext"]["allowPrivilegeEscalation"] is False
        assert one["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert one["securityContext"]["runAsNonRoot"] is True
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text("utf-8")
    assert re.findall(r"^USER (.+)$", dockerfile, re.M) == ["10001:10001"]


def test_every_container_says_what_it_needs_and_may_take():
    for container in containers():
        for bound in ("requests", "limits"):
            assert {"cpu", "memory"} <= set(container["resources"][bound])
    for pod in pods():
        asked = [c["resources"] for c in pod["containers"]]
        for one in asked:
            assert one["limits"].get("nvidia.com/gpu") == one["requests"].get("nvidia.com/gpu")


def test_volumes_are_there_and_images_cannot_be_written():
    claims = {d["metadata"]["name"] for d in documents() if d["kind"] == "PersistentVolumeClaim"}
    for pod in pods():
        volumes = {volume["name"]: volume for volume in pod.get("volumes", [])}
        mounted = [m for c in pod["containers"] for m in c.get("volumeMounts", [])]
        assert {mount["name"] for mount in mounted} == set(volumes)
        for mount in mounted:
            claim = volumes[mount["name"]].get("persistentVolumeClaim")
            assert claim is None or claim["claimName"] in claims
            assert mount["name"] != "images" or (mount["readOnly"] and claim["readOnly"])


def test_nothing_is_open_to_the_outside():
    found = [value for one in documents() for key, value in walk(one) if "serviceType" in key]
    assert found and set(found) == {"ClusterIP"}
    everything = [pair for one in documents() for pair in walk(one)]
    assert not {"hostPort", "nodePort", "enableIngress"} & {key for key, _ in everything}
    assert not {"Service", "Ingress"} & {one["kind"] for one in documents()}
    (policy,) = [one["spec"] for one in documents() if one["kind"] == "NetworkPolicy"]
    assert policy["podSelector"] == {} and set(policy["policyTypes"]) == {"Ingress", "Egress"}
    ranges = [value for key, value in walk(policy) if key == "cidr"]
    assert ranges and "0.0.0.0/0" not in ranges


def test_groups_grow_within_bounds():
    for cluster in clusters():
        for group in cluster["workerGroupSpecs"]:
            assert 0 <= group["minReplicas"] <= group["replicas"] <= group["maxReplicas"] <= 50
        heads = cluster["headGroupSpec"]["rayStartParams"]
        assert heads["num-cpus"] == "0" and all(isinstance(v, str) for v in heads.values())


def test_no_secret_in_image_or_files():
    texts = [file.read_text("utf-8") for file in (ROOT / "deploy").rglob("*") if file.is_file()]
    assert len(texts) > 8
    assert not any(re.search(r"[0-9a-f]{32}|AKIA|BEGIN .*PRIVATE KEY", text) for text in texts)
    assert not [one for one in documents() if one["kind"] == "Secret"]


def test_services_share_one_file_of_settings():
    folder = ROOT / "deploy" / "vms"
    for name in ("ray-head.service", "ray-worker.service"):
        text = (folder / name).read_text("utf-8")
        assert "EnvironmentFile=/etc/cxr/ray.env" in text and "\nUser=cxr\n" in text
        assert "ray start" in text and "--block" in text
    assert "RAY_AUTH_MODE=token" in (folder / "ray.env").read_text("utf-8")


# Commands in the page and in the jobs


def commands() -> list[list[str]]:
    """Every cxr command of the page's code and of the jobs, after the word cxr."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)
    lines = [line for block in blocks for line in block.splitlines()]
    lines += [one["spec"]["entrypoint"] for one in documents() if one["kind"] == "RayJob"]
    return [found for line in lines for found in commands_in(line)]


def commands_in(line: str) -> Iterator[list[str]]:
    for part in re.split(r"\|\||&&|;|sh -c '", line):
        words = part.replace("'", "").split()
        starts = [i for i, word in enumerate(words) if Path(word).name == "cxr"]
        starts = [i for i in starts if i == 0 or words[i - 1] in ("-m", "--")]
        if starts:
            yield words[starts[-1] + 1 :]


def test_commands_are_found():
    assert list(commands_in("torchrun --nproc-per-node 4 -m cxr train a --run b")) == [
        ["train", "a", "--run", "b"]
    ]
    assert list(commands_in("sh -c 'cxr predict m --out o || test -s o'")) == [
        ["predict", "m", "--out", "o"]
    ]
    assert list(commands_in("sudo useradd --uid 10001 cxr")) == []
    assert {words[0] for words in commands()} >= {"train", "predict", "sweep", "doctor"}
    assert sum(words[0] in ("predict", "train") for words in commands()) >= 8


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_of_the_page_exists(words):
    """Typer's own parser takes it: command, options, types and number of arguments."""
    group: Any = typer.main.get_command(app)
    command = group.get_command(None, words[0])
    assert command is not None, words[0]
    context = command.make_context(words[0], words[1:], resilient_parsing=False)
    assert not context.args


def test_commands_named_in_the_text_exist():
    group: Any = typer.main.get_command(app)
    named = re.findall(r"`cxr ([a-z-]+)", PAGE.read_text("utf-8"))
    assert named and set(named) <= set(group.commands)


def test_files_and_places_named_in_the_page_exist():
    text = PAGE.read_text("utf-8")
    links = [link.partition("#")[0] for link in re.findall(r"\]\((?!https?:)([^)]+)\)", text)]
    paths = [*(PAGE.parent / link for link in links if link)]
    paths += [ROOT / found for found in re.findall(r"\bdeploy/[\w./-]+\.\w+", text)]
    assert paths and [str(path) for path in paths if not path.exists()] == []
    headings = {re.sub(r"[^a-z -]", "", h.lower()) for h in re.findall(r"^#+ (.+)$", text, re.M)}
    anchors = re.findall(r"\]\(#([\w-]+)\)", text)
    assert anchors and {a.replace("-", " ") for a in anchors} <= headings


# The figures


@pytest.fixture
def costs(monkeypatch):
    """The script as a module; it imports its neighbour `_bench`."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    path = ROOT / "benchmarks" / "cluster_costs.py"
    spec = importlib.util.spec_from_file_location("cluster_costs", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "cluster_costs", module)
    spec.loader.exec_module(module)
    return module


def test_the_page_has_the_figures_of_the_script(costs):
    given = costs.parser().parse_args([])
    page = PAGE.read_text("utf-8")
    assert costs.filled(page, costs.tables(costs.facts(given), given)) == page


def test_times_and_prices_by_hand(costs):
    """Two cores, 10 ms to decode and 30 to look: 50 images a second, 45 through Ray."""
    given = costs.parser().parse_args([])
    kind = costs.Kind("", bytes=1e6, decode_s=0.010)
    facts = costs.Facts({}, 0, 0.030, 0.9, True, {})
    two, many = costs.Node("", 2, 0.1), costs.Node("", 20, 1.0)
    assert costs.node_rate(facts, given, kind, two) == pytest.approx(45)
    assert costs.node_rate(facts, given, kind, many) == pytest.approx(450 * given.node_efficiency)
    assert costs.seconds(facts, given, kind, two, 1) == pytest.approx(1 / 45)
    ten = costs.seconds(facts, given, kind, two, 10)
    assert ten == pytest.approx(1 / (450 * given.cluster_efficiency))


def test_the_network_bounds_a_node(costs):
    """10 Gbit/s carry 125 images of 10 MB a second, however many cores there are."""
    given = costs.parser().parse_args(["--link", "10"])
    kind = costs.Kind("", bytes=1e7, decode_s=0.001)
    facts = costs.Facts({}, 0, 0.001, 1.0, True, {})
    node = costs.Node("", 64, 1.0)
    assert costs.seconds(facts, given, kind, node, 1) == pytest.approx(1 / 125)
    assert costs.rate_cell(facts, given, kind, node) == "125 (link)"


def test_a_gpu_node_is_reckoned_by_its_decoding_and_marked(costs):
    given = costs.parser().parse_args([])
    kind = costs.Kind("", bytes=1.0, decode_s=0.010)
    facts = costs.Facts({}, 0, 99.0, 1.0, True, {})
    node = costs.Node("", 16, 1.0, gpu=True)
    rate = 16 / 0.010 * given.node_efficiency
    assert costs.rate_cell(facts, given, kind, node) == f"≤ {costs.number(rate)}"


@pytest.mark.parametrize(
    ("seconds", "words"), [(7, "7 s"), (119, "119 s"), (120, "2 min"), (9000, "2.5 h")]
)
def test_durations(costs, seconds, words):
    assert costs.duration(seconds) == words


@pytest.mark.parametrize(
    ("kind", "syntax"), [(2, "JPEG2000Lossless"), (3, "ExplicitVRLittleEndian")]
)
def test_images_for_measuring_are_what_they_say(costs, tmp_path, kind, syntax, monkeypatch):
    import numpy as np
    import pydicom
    from PIL import Image

    monkeypatch.setattr(costs, "DIGITAL", (60, 50))
    film = tmp_path / "a.jpeg"
    Image.fromarray(np.arange(900, dtype=np.uint8).reshape(30, 30) % 251).save(film)
    made = pydicom.dcmread(costs.made(costs.KINDS[kind], film, tmp_path))
    assert made.file_meta.TransferSyntaxUID == getattr(pydicom.uid, syntax)
    assert made.pixel_array.shape == (60, 50) and made.pixel_array.max() > 255
