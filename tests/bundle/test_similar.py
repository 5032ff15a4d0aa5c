from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.spatial.distance import cosine

from cxr.backbones import Network, logits_and_features_of
from cxr.bundle import BundleConfig, read_bundle, write_bundle
from cxr.bundle.add_similar import with_similar
from cxr.bundle.members import read_members
from cxr.bundle.similar import SIDE, Similar, read_similar, similar_bytes
from cxr.errors import BundleError, DataError, UsageError
from cxr.find import Manifest, read_manifest
from cxr.pixels import load_grey


@pytest.fixture
def similar() -> Similar:
    rng = np.random.default_rng(0)
    return Similar(
        rng.normal(size=(6, 5)).astype(np.float16),
        np.eye(2, dtype=np.uint8)[[0, 1, 0, 1, 1, 0]],
        rng.integers(0, 256, (6, SIDE, SIDE), dtype=np.uint8),
    )


@pytest.fixture
def films(tmp_path: Path) -> Manifest:
    """Two classes of four images; one of train cannot be read, one is of validation."""
    rng, rows = np.random.default_rng(1), []
    for i in range(8):
        label = ("NORMAL", "PNEUMONIA")[i % 2]
        path = tmp_path / "images" / label / f"secret-name-{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (80, 100), dtype=np.uint8)).save(path)
        if i == 3:
            path.write_bytes(b"broken")
        rows.append((f"{label}/{path.name}", label, f"p{i}", "valid" if i == 6 else "train"))
    table = pd.DataFrame(rows, columns=["path", "label", "patient", "split"])
    table.to_csv(tmp_path / "images.csv", index=False)
    return read_manifest(tmp_path / "images.csv", image_root=tmp_path / "images")


def test_what_is_written_is_read(similar: Similar) -> None:
    found = read_similar(similar_bytes(similar), 2, multi_label=False)
    for name in ("features", "labels", "thumbnails"):
        np.testing.assert_array_equal(getattr(found, name), getattr(similar, name))
    assert len(found) == 6
    assert similar_bytes(found) == similar_bytes(similar)


def test_what_all_images_share_makes_none_alike(similar: Similar) -> None:
    shifted = replace(similar, features=similar.features + np.float16(64))
    held = shifted.features.astype(np.float32)
    opposite = 2 * held.mean(axis=0) - held[0]
    index, distance = shifted.nearest(opposite, k=6)[-1]
    assert index == 0 and distance == pytest.approx(2, abs=1e-3)


def test_the_nearest_by_scipys_distance(similar: Similar) -> None:
    asked = np.random.default_rng(2).normal(size=5).astype(np.float32)
    found = similar.nearest(asked, k=4)
    held = similar.features.astype(np.float64)
    centre, spread = held.mean(axis=0), held.std(axis=0)
    away = (asked - centre) / spread
    expected = [cosine(away, row) for row in (held - centre) / spread]
    assert [index for index, _ in found] == list(np.argsort(expected)[:4])
    np.testing.assert_allclose([d for _, d in found], np.sort(expected)[:4], atol=1e-6)
    assert len(similar.nearest(asked, k=100)) == 6
    usual = similar.features.astype(np.float32).mean(axis=0)
    assert similar.nearest(usual, k=1) == [(0, 1.0)]  # like none more than another
    with pytest.raises(BundleError, match="for 5 features"):
        similar.nearest(asked[:4])


def test_labels_in_words(similar: Similar) -> None:
    assert similar.label(1, ["NORMAL", "PNEUMONIA"]) == "PNEUMONIA"
    both = replace(similar, labels=np.ones((6, 2), np.uint8))
    assert both.label(0, ["A", "B"]) == "A; B"
    neither = replace(similar, labels=np.zeros((6, 2), np.uint8))
    assert neither.label(0, ["A", "B"]) == ""
    for several in (both, neither):
        read_similar(similar_bytes(several), 2, multi_label=True)
        with pytest.raises(BundleError, match="labels are not those"):
            read_similar(similar_bytes(several), 2, multi_label=False)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"features": np.zeros((6, 5), np.float32)}, "features are float32"),
        ({"features": np.full((6, 5), np.nan, np.float16)}, "not finite"),
        ({"features": np.full((6, 5), np.inf, np.float16)}, "not finite"),
        ({"features": np.zeros((0, 5), np.float16)}, "features are"),
        ({"features": np.zeros((6, 0), np.float16)}, "features are"),
        ({"features": np.zeros(6, np.float16)}, "features are"),
        ({"features": np.zeros((5, 5), np.float16)}, "labels are"),
        ({"features": np.zeros((20_001, 1), np.float16)}, "at most 20,000 cases"),
        ({"features": np.array([len], object)}, "objects, which are pickles"),
        ({"labels": np.zeros((6, 3), np.uint8)}, "labels are"),
        ({"labels": np.zeros((6, 2), np.int64)}, "labels are"),
        ({"labels": np.full((6, 2), 2, np.uint8)}, "labels are not those"),
        ({"thumbnails": np.zeros((6, 96, 97), np.uint8)}, "thumbnails are"),
        ({"thumbnails": np.zeros((6, 96, 96), np.float32)}, "thumbnails are"),
        ({"names": np.zeros(6, np.uint8)}, "it holds features, labels, names, thumbnails"),
    ],
)
def test_wrong_contents_are_refused(changes: dict[str, Any], reason: str, similar: Similar) -> None:
    file = io.BytesIO()
    np.savez(file, **{**vars(similar), **changes})
    with pytest.raises(BundleError, match=r"similar\.npz") as caught:
        read_similar(file.getvalue(), 2, multi_label=False)
    assert reason in str(caught.value)


def test_training_images_are_added_to_a_model(
    model: Path, network: Network, films: Manifest, tmp_path: Path
) -> None:
    out = with_similar(model, tmp_path / "out.cxr", films)
    members = read_members(out)
    found = read_similar(members["similar.npz"], 2, multi_label=False)
    assert len(found) == 6 and read_bundle(out).config == read_bundle(model).config
    rows = [0, 1, 2, 4, 5, 7]  # of train, and readable
    paths = [films.paths()[row] for row in rows]
    for path, label in zip(paths, films.table["label"][rows], strict=True):
        pixels = load_grey(path, 64)
        seen = logits_and_features_of(network, pixels[np.newaxis])
        (index, distance), *_ = found.nearest(seen.features.numpy()[0])
        assert distance < 1e-5 and found.label(index, ("NORMAL", "PNEUMONIA")) == label
        np.testing.assert_array_equal(found.thumbnails[index], load_grey(path, SIDE, "pad"))
    assert b"secret-name" not in out.read_bytes()


def test_drawn_at_random_and_the_same_each_time(
    model: Path, films: Manifest, tmp_path: Path
) -> None:
    one, again = (with_similar(model, tmp_path / f"{i}.cxr", films, most=3) for i in range(2))
    other = with_similar(model, tmp_path / "2.cxr", films, most=3, seed=1)
    assert one.read_bytes() == again.read_bytes() != other.read_bytes()
    assert len(read_similar(read_members(one)["similar.npz"], 2, False)) == 3


def test_images_that_do_not_fit_the_model(
    model: Path, films: Manifest, network: Network, config: BundleConfig, tmp_path: Path
) -> None:
    out = tmp_path / "out.cxr"
    with pytest.raises(UsageError, match="1 to 20,000 are allowed"):
        with_similar(model, out, films, most=0)
    names = replace(config, classes=("A", "B"), positive="A")
    with pytest.raises(UsageError, match="other classes than the model"):
        with_similar(write_bundle(tmp_path / "ab.cxr", network, names), out, films)
    with pytest.raises(DataError, match="no readable training image"):
        with_similar(model, out, films.select([3, 6]))
    assert not out.exists()
    assert json.loads(read_members(model)["config.json"])["classes"] == ["NORMAL", "PNEUMONIA"]


def test_the_order_of_the_models_classes_counts(
    films: Manifest, network: Network, config: BundleConfig, tmp_path: Path
) -> None:
    turned = replace(config, classes=("PNEUMONIA", "NORMAL"))
    path = write_bundle(tmp_path / "model.cxr", network, turned)
    found = read_similar(read_members(with_similar(path, path, films))["similar.npz"], 2, False)
    readable = [(films.paths()[row], films.table["label"][row]) for row in (0, 1, 2, 4, 5, 7)]
    label_of = {load_grey(path, SIDE, "pad").tobytes(): label for path, label in readable}
    labels = [label_of[thumbnail.tobytes()] for thumbnail in found.thumbnails]
    assert [found.label(i, turned.classes) for i in range(len(found))] == labels
