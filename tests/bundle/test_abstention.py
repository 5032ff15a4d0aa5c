from __future__ import annotations

import zipfile
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from cxr.backbones import Network
from cxr.backbones.infer import logits_and_features_of
from cxr.bundle import BundleConfig, read_bundle, write_bundle
from cxr.bundle.abstention import (
    AbstentionRules,
    ConformalRule,
    FeatureDistribution,
    NotFitted,
    OutOfDistributionDetector,
    layout,
)
from cxr.bundle.abstention_file import abstention_bytes
from cxr.errors import BundleError


def likeness(rng: np.random.Generator, d: int, m: int = 4) -> FeatureDistribution:
    axes = np.linalg.qr(rng.normal(size=(d, m)))[0].T
    return FeatureDistribution(
        *(a.astype(np.float32) for a in (rng.normal(size=d), np.ones(d), axes, rng.random(m))),
        middle=0.1,
        spread=2.5,
    )


@pytest.fixture(scope="session")
def abstention(network: Network) -> AbstentionRules:
    rng = np.random.default_rng(0)
    seen = logits_and_features_of(network, np.zeros((1, 64, 64), np.uint8))
    widths = {"features": seen.features.shape[1], "middle": seen.middle.shape[1], "layout": 64}
    parts = {name: likeness(rng, d) for name, d in widths.items()}
    return AbstentionRules(
        ConformalRule(0.05, np.array([-1.5, 0.25]), np.array([80, 90])),
        OutOfDistributionDetector(parts, 1.2, 0.02, 170),
    )


def test_read_as_written(
    tmp_path: Path, network: Network, config: BundleConfig, abstention: AbstentionRules
):
    path = write_bundle(tmp_path / "model.cxr", network, config, abstention)
    found = read_bundle(path).abstention
    assert found is not None
    assert isinstance(found.conformal, ConformalRule) and isinstance(
        abstention.conformal, ConformalRule
    )
    np.testing.assert_array_equal(found.conformal.limits, abstention.conformal.limits)
    np.testing.assert_array_equal(found.conformal.patients, abstention.conformal.patients)
    assert isinstance(found.out_of_distribution, OutOfDistributionDetector) and isinstance(
        abstention.out_of_distribution, OutOfDistributionDetector
    )
    assert list(found.out_of_distribution.distributions) == list(
        abstention.out_of_distribution.distributions
    )
    for name, part in abstention.out_of_distribution.distributions.items():
        for field in fields(FeatureDistribution):
            np.testing.assert_array_equal(
                getattr(found.out_of_distribution.distributions[name], field.name),
                getattr(part, field.name),
            )
    assert (
        found.out_of_distribution.limit == abstention.out_of_distribution.limit
        and found.out_of_distribution.n_images == 170
    )
    again = write_bundle(tmp_path / "again.cxr", network, config, abstention)
    assert again.read_bytes() == path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        assert archive.getinfo("trust.npz").file_size == len(abstention_bytes(abstention)) < 1 << 20


def test_refusals_travel_with_their_reason(tmp_path: Path, network: Network, config: BundleConfig):
    refused = AbstentionRules(NotFitted("zu wenige Kinder, 3 < 40"), NotFitted("x" * 5000))
    found = read_bundle(write_bundle(tmp_path / "model.cxr", network, config, refused)).abstention
    assert found == AbstentionRules(refused.conformal, NotFitted("x" * 2000))


def test_a_file_without_it_is_read(model: Path) -> None:
    assert read_bundle(model).abstention is None


def test_several_labels_may_have_gaps(tmp_path: Path, network: Network, config: BundleConfig):
    limits = np.array([[0.5, np.nan], [1, 2]])
    abstention = AbstentionRules(
        ConformalRule(0.1, limits, np.array([[50, 3], [40, 40]])), NotFitted("none")
    )
    labels = replace(config, multi_label=True, positive=None)
    found = read_bundle(
        write_bundle(tmp_path / "model.cxr", network, labels, abstention)
    ).abstention
    assert found is not None and isinstance(found.conformal, ConformalRule)
    np.testing.assert_array_equal(found.conformal.limits, limits)
    with pytest.raises(BundleError, match=r"abstention.limits is float64 \(2, 2\)"):
        read_bundle(write_bundle(tmp_path / "model.cxr", network, config, abstention))


@pytest.mark.parametrize("name", ["features", "middle", "layout"])
def test_rules_of_another_network_are_refused(
    name: str, tmp_path: Path, network: Network, config: BundleConfig, abstention: AbstentionRules
) -> None:
    assert isinstance(abstention.out_of_distribution, OutOfDistributionDetector)
    parts = {
        **abstention.out_of_distribution.distributions,
        name: likeness(np.random.default_rng(1), 77),
    }
    other = AbstentionRules(
        abstention.conformal, replace(abstention.out_of_distribution, distributions=parts)
    )
    path = write_bundle(tmp_path / "model.cxr", network, config, other)
    with pytest.raises(BundleError, match=f"{name} is for 77 numbers, the model gives"):
        read_bundle(path)


def test_layout_is_block_means_without_brightness_and_contrast() -> None:
    rng = np.random.default_rng(2)
    pixels = rng.integers(0, 128, (3, 67, 67), dtype=np.uint8)
    expected = pixels[:, :64, :64].reshape(3, 8, 8, 8, 8).mean((2, 4)).reshape(3, 64)
    expected -= expected.mean(1, keepdims=True)
    expected /= np.maximum(expected.std(1, keepdims=True), 4)
    np.testing.assert_allclose(layout(pixels), expected, atol=1e-5)
    steep = np.repeat(np.arange(0, 64, dtype=np.uint8)[None, :, None], 64, axis=2)
    np.testing.assert_allclose(layout(steep), layout(2 * steep + 50), atol=1e-5)
    assert not layout(np.full((1, 64, 64), 9, np.uint8)).any()


def test_a_part_at_its_limit_is_one_and_the_distance_their_mean(
    abstention: AbstentionRules,
) -> None:
    assert isinstance(abstention.out_of_distribution, OutOfDistributionDetector)
    rng = np.random.default_rng(3)
    measures = {
        n: rng.normal(size=(5, len(p.centre)))
        for n, p in abstention.out_of_distribution.distributions.items()
    }
    logs = []
    for name, part in abstention.out_of_distribution.distributions.items():
        z = (measures[name] - part.centre) / part.scale
        inside = np.eye(len(z[0])) - part.axes.T @ np.diag(part.shrink) @ part.axes
        squared = np.einsum("ij,jk,ik->i", z, inside, z)
        logs.append((np.log(np.sqrt(squared)) - 0.1) / 2.5)
    np.testing.assert_allclose(
        abstention.out_of_distribution.distances(measures), np.mean(logs, axis=0) / 1.2, rtol=1e-4
    )
