from __future__ import annotations

import numpy as np
import pytest
import torch

from cxr.backbones import EFFICIENTNET_LITE0, Architecture, FeatureExtractor, build_network


@pytest.fixture(scope="module")
def extractor():
    return FeatureExtractor(64)


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (70, 64, 64), dtype=np.uint8)


def test_features_are_those_of_the_frozen_body(extractor, pixels):
    network, _ = build_network(Architecture(EFFICIENTNET_LITE0, 1, 64))
    network.eval()
    with torch.inference_mode():
        expected = network.features(torch.from_numpy(pixels[:8]).unsqueeze(1)).numpy()
    found = extractor(pixels)
    assert found.shape == (70, extractor.n_features) and found.dtype == np.float32
    # bf16 where the processor has it: two to three digits.
    assert np.corrcoef(found[:8].ravel(), expected.ravel())[0, 1] > 0.995


def test_a_change_is_made_to_each_batch(extractor, pixels):
    whole = extractor(255 - pixels)
    np.testing.assert_array_equal(extractor(pixels, change=lambda batch: 255 - batch), whole)


def test_nothing_to_look_at(extractor):
    assert extractor(np.zeros((0, 64, 64), np.uint8)).shape == (0, extractor.n_features)


def test_turned_views_of_memory_and_mapped_files(extractor, pixels, tmp_path):
    np.save(tmp_path / "x.npy", pixels)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    np.testing.assert_array_equal(extractor(mapped), extractor(pixels))
    turned = np.rot90(pixels, 1, (1, 2))
    np.testing.assert_array_equal(extractor(turned), extractor(turned.copy()))
