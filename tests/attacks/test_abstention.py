"""Hostile `trust.npz` members: only BundleError may come out, and nothing of them runs."""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cxr.backbones import Architecture, Network, build_network
from cxr.backbones.infer import logits_and_features_of
from cxr.bundle import BundleConfig, read_bundle, write_bundle
from cxr.bundle.abstention import (
    AbstentionRules,
    ConformalRule,
    FeatureDistribution,
    OutOfDistributionDetector,
)
from cxr.bundle.abstention_file import abstention_bytes, check_fits, read_abstention
from cxr.bundle.write import rewrite
from cxr.errors import BundleError

pytestmark = pytest.mark.timeout(60)
Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def network() -> Network:
    torch.set_num_threads(1)
    return build_network(Architecture("test_efficientnet", 2, 64), None, seed=1)[0].eval()


@pytest.fixture(scope="module")
def good() -> bytes:
    part = FeatureDistribution(
        np.zeros(64, np.float32),
        np.ones(64, np.float32),
        np.eye(3, 64, dtype=np.float32),
        np.full(3, 0.5, np.float32),
    )
    rule = ConformalRule(0.05, np.array([0.1, 0.2]), np.array([50, 60]))
    return abstention_bytes(
        AbstentionRules(rule, OutOfDistributionDetector({"layout": part}, 1.0, 0.02, 200))
    )


@pytest.fixture
def arrays(good: bytes) -> Arrays:
    with np.load(io.BytesIO(good)) as found:
        return {name: found[name] for name in found.files}


def packed(arrays: dict[str, Any], save: Callable[..., None] = np.savez) -> bytes:
    buffer = io.BytesIO()
    save(buffer, **arrays)
    return buffer.getvalue()


def text(**changes: Any) -> np.ndarray:
    about = {
        "abstention": {"alpha": 0.05},
        "unlike": {
            "limit": 1.0,
            "false_alarms": 0.02,
            "n_images": 200,
            "parts": {"layout": [0.0, 1.0]},
        },
    }
    return np.frombuffer(json.dumps(about | changes).encode(), np.uint8)


def unlike(**changes: Any) -> dict[str, Any]:
    known = {"limit": 1.0, "false_alarms": 0.02, "n_images": 9, "parts": {"layout": [0.0, 1.0]}}
    return {"unlike": known | changes}


def read(data: bytes, network: Network) -> AbstentionRules:
    abstention = read_abstention(data, network.architecture.n_classes, multi_label=False)
    seen = logits_and_features_of(network, np.zeros((1, 64, 64), np.uint8))
    check_fits(abstention, seen.features.numpy(), seen.middle.numpy())
    return abstention


def refused(data: bytes, network: Network) -> str:
    with pytest.raises(BundleError) as caught:
        read(data, network)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_packed_again_it_is_read(arrays: Arrays, network: Network) -> None:
    """What is refused below is refused for what was changed."""
    assert read(packed(arrays), network).out_of_distribution
    assert read(packed(arrays | {"about": text()}), network).out_of_distribution


class Runs:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (exec, ("raise SystemExit('a pickle was run')",))


def test_a_pickle_is_not_opened(arrays: Arrays, network: Network) -> None:
    for name in arrays:
        assert "cannot be read" in refused(packed(arrays | {name: np.array([Runs()])}), network)


def test_compressed_twice_or_no_archive(arrays: Arrays, good: bytes, network: Network) -> None:
    assert "it is compressed" in refused(packed(arrays, np.savez_compressed), network)
    twice = io.BytesIO(good)
    with zipfile.ZipFile(twice, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("about.npy", b"x")
    assert "there twice" in refused(twice.getvalue(), network)
    for data in (b"", b"PK", b"\x80\x04N.", good[:-30], good[: len(good) // 2], bytes(1000)):
        assert "cannot be read" in refused(data, network)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    "name", ["abstention.limits", "layout.centre", "layout.scale", "layout.axes", "layout.shrink"]
)
def test_not_finite(name: str, value: float, arrays: Arrays, network: Network) -> None:
    arrays[name].flat[0] = value
    message = refused(packed(arrays), network)
    assert f"{name} holds values that are not finite" in message


@pytest.mark.parametrize(
    "change",
    [
        lambda a: a[:1],
        lambda a: a[None],
        lambda a: np.concatenate([a, a]),
        lambda a: a.astype(np.complex64),
        lambda a: a.astype(np.float16),
        lambda a: a.astype("U9"),
        lambda a: np.zeros((), a.dtype),
    ],
)
@pytest.mark.parametrize(
    "name", ["abstention.limits", "abstention.patients", "layout.scale", "layout.shrink"]
)
def test_wrong_shapes_and_types(
    name: str, change: Callable[[np.ndarray], np.ndarray], arrays: Arrays, network: Network
) -> None:
    assert f"{name} is " in refused(packed(arrays | {name: change(arrays[name])}), network)


def test_axes_of_other_shapes(arrays: Arrays, network: Network) -> None:
    for axes in (np.zeros(3), np.zeros((3, 0)), np.zeros((3, 63)), np.zeros((2, 64))):
        changed = arrays | {"layout.axes": axes.astype(np.float32)}
        assert "layout." in refused(packed(changed), network)


@pytest.mark.parametrize(
    ("name", "value"),
    [("layout.scale", 0), ("layout.scale", -1), ("layout.shrink", -0.1), ("layout.shrink", 1.5)],
)
def test_values_that_no_fit_gives(
    name: str, value: float, arrays: Arrays, network: Network
) -> None:
    arrays[name][1] = value
    assert "that is not positive, or a variance" in refused(packed(arrays), network)


def test_missing_and_extra_arrays(arrays: Arrays, network: Network) -> None:
    for name in arrays:
        left = {key: a for key, a in arrays.items() if key != name}
        assert "not in order" in refused(packed(left), network)
    for name in ("evil", "features.axes", "x" * 300):
        assert "also holds" in refused(packed(arrays | {name: np.zeros(3)}), network)


@pytest.mark.parametrize(
    "about",
    [
        np.frombuffer(b"no json", np.uint8),
        np.frombuffer(b"\xff\xfe{}", np.uint8),
        np.frombuffer(b"[" * 60_000, np.uint8),
        np.zeros(70_000, np.uint8),
        np.zeros((2, 2), np.uint8),
        np.frombuffer(b"[]", np.uint8),
        np.frombuffer(b"{}", np.uint8),
        text(more=1),
        text(abstention=None),
        text(abstention={"refused": 3}),
        text(abstention={"refused": "x" * 3000}),
        text(abstention={"refused": "x", "alpha": 0.1}),
        text(abstention={}),
        text(abstention={"alpha": True}),
        text(abstention={"alpha": 2}),
        text(abstention={"alpha": float("nan")}),
        text(unlike=[]),
        text(unlike={}),
        text(**unlike(parts={})),
        text(**unlike(parts=["layout"])),
        text(**unlike(parts={"layout": 1})),
        text(**unlike(parts={"layout": [0]})),
        text(**unlike(parts={"layout": [0, 0]})),
        text(**unlike(parts={"layout": ["0", 1]})),
        text(**unlike(parts={"../layout": [0, 1]})),
        text(**unlike(parts={"middle": [0, 1]})),
        text(**unlike(limit=0)),
        text(**unlike(limit=10**400)),
        text(**unlike(n_images=float("inf"))),
    ],
)
def test_hostile_texts(about: np.ndarray, arrays: Arrays, network: Network) -> None:
    assert "not in order" in refused(packed(arrays | {"about": about}), network)


def test_random_damage(good: bytes, network: Network) -> None:
    rng, found = random.Random(7), 0
    for _ in range(150):
        damaged = bytearray(good)
        for _ in range(rng.choice((1, 3, 30))):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        try:
            read(bytes(damaged), network)
            found += 1
        except BundleError:
            continue
    assert found < 100


def test_in_a_model_file_it_is_refused_with_the_path(
    good: bytes, network: Network, tmp_path: Path
) -> None:
    config = BundleConfig(("a", "b"), "test_efficientnet", 64)
    path = write_bundle(tmp_path / "model.cxr", network, config)
    rewrite(path, path, {"trust.npz": good[:-1]})
    with pytest.raises(BundleError, match=r"model\.cxr is refused: trust\.npz cannot be read"):
        read_bundle(path)
    write_bundle(path, network, config)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("trust.npz", good, compress_type=zipfile.ZIP_DEFLATED)
    with pytest.raises(BundleError, match=r"trust\.npz is compressed"):
        read_bundle(path)
