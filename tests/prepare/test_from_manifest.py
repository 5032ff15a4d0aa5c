from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cxr.errors import UsageError
from cxr.find import get_image_files, read_manifest
from cxr.pixels.frame import locator_version
from cxr.pixels.shards.read import open_shards
from cxr.pixels.shards.write import write_shards
from cxr.prepare import (
    Augmentation,
    FolderSplitter,
    ManifestSplitter,
    PatientSplitter,
    RandomSplitter,
    Resize,
    dataloaders_from_manifest,
    named_splitter,
)


def test_a_manifest_becomes_loaders(image_folder):
    manifest = read_manifest(image_folder)
    dls = dataloaders_from_manifest(
        manifest, PatientSplitter(0.25, seed=3), Resize(32), bs=4, seed=3, path="somewhere"
    )
    assert dls.classes == manifest.classes
    assert list(dls.items.paths) == manifest.paths()
    assert not set(dls.train.images.patients) & set(dls.valid.images.patients)
    assert (dls.train.bs, dls.seed, str(dls.path)) == (4, 3, "somewhere")


def test_unknown_labels_stay_unknown(image_folder, tmp_path):
    """Several label columns of 1, 0 and blank."""
    files = get_image_files(image_folder)
    table = pd.DataFrame(
        {
            "path": [path.relative_to(image_folder).as_posix() for path in files],
            "Edema": [1, 0, None] * 16,
            "Mass": [None, 1, 0] * 16,
        }
    )
    table.to_csv(tmp_path / "labels.csv", index=False)
    manifest = read_manifest(
        tmp_path / "labels.csv", label_columns=("Edema", "Mass"), image_root=image_folder
    )
    dls = dataloaders_from_manifest(manifest, RandomSplitter(0.25, seed=0), Resize(32), bs=8)
    assert dls.multi_label
    targets = dls.train.images.targets
    assert targets.dtype == np.float32
    assert np.isnan(targets).any(axis=0).all()
    expected = table.set_index("path")[["Edema", "Mass"]]
    for path, target in zip(dls.train.images.paths, targets, strict=True):
        np.testing.assert_array_equal(
            target, expected.loc[path.relative_to(image_folder).as_posix()]
        )


def test_splitters_by_name():
    assert named_splitter("patient", 0.3, 7) == PatientSplitter(0.3, seed=7)
    assert named_splitter("random", 0.3, 7) == RandomSplitter(0.3, seed=7)
    assert isinstance(named_splitter("folders", 0.3, 7), FolderSplitter)
    assert isinstance(named_splitter("manifest", 0.3, 7), ManifestSplitter)
    with pytest.raises(UsageError, match="'patients' is not one of patient, random, folders"):
        named_splitter("patients", 0.3, 7)


@pytest.fixture(scope="module")
def shards(image_folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("shards")
    write_shards(read_manifest(image_folder), out, 32, images_per_shard=10)
    return out


@pytest.fixture
def streamed(shards, tmp_path, monkeypatch):
    """The same behind a URI, through a cache with room for so many shards."""
    from cxr.pixels.shards import store as shards_store

    class Far(shards_store.RemoteStore):
        def open(self, name):
            return (shards / name).open("rb")

    def make(room: int):
        monkeypatch.setenv("CXR_SHARD_CACHE_GB", str((room + 0.5) * (10 * 32 * 32 + 128) / 1e9))
        monkeypatch.setenv("CXR_CACHE_DIR", str(tmp_path))
        found = open_shards(shards)
        return type(found)(found.index, Far("far://images", None, "images"))

    return make


@pytest.mark.parametrize("splitter", [PatientSplitter(0.25, seed=3), RandomSplitter(0.25, seed=3)])
def test_shards_give_what_the_images_give(image_folder, shards, streamed, splitter):
    manifest = read_manifest(image_folder)
    options = {"bs": 8, "seed": 3, "augmentation": Augmentation()}
    plain = dataloaders_from_manifest(manifest, splitter, Resize(32), **options)
    for source in (open_shards(shards), streamed(room=5)):
        dls = dataloaders_from_manifest(
            source.manifest(), splitter, Resize(32), shards=source, **options
        )
        assert dls.train.window is None
        for one, other in ((plain.train, dls.train), (plain.valid, dls.valid)):
            np.testing.assert_array_equal(one.images.rows, other.images.rows)
            assert list(one.images.patients) == list(other.images.patients)
            for batches in (one, other):
                batches.generator.manual_seed(3)
            for (grey, target), (same, also) in zip(one, other, strict=True):
                assert grey.equal(same) and target.equal(also)


def test_a_part_of_the_images_keeps_its_pixels(image_folder, shards):
    """As a quarantine leaves it."""
    source = open_shards(shards)
    part = source.manifest().select(np.arange(48) % 5 > 0)
    dls = dataloaders_from_manifest(part, RandomSplitter(0.25), Resize(32), shards=source)
    whole = dataloaders_from_manifest(read_manifest(image_folder), RandomSplitter(0.25), Resize(32))
    known = {}
    for images in (whole.train.images, whole.valid.images):
        known |= {path.name: images.gather(np.array([i])) for i, path in enumerate(images.paths)}
    for i, path in enumerate(dls.train.images.paths):
        assert dls.train.images.gather(np.array([i])).equal(known[path.name])


def test_shards_of_another_size_are_refused(shards):
    source = open_shards(shards)
    with pytest.raises(UsageError, match=r"32 x 32 pixels \(squish\), not 64 x 64 .* --size 32"):
        dataloaders_from_manifest(
            source.manifest(), RandomSplitter(0.25), Resize(64), shards=source
        )


def loaders(source, **options):
    return dataloaders_from_manifest(
        source.manifest(), RandomSplitter(0.25, seed=1), Resize(32), shards=source, **options
    )


def test_a_window_where_the_cache_is_too_small(shards, streamed, monkeypatch):
    monkeypatch.setattr("cxr.prepare.loaders.WINDOW", 1)
    dls = loaders(streamed(room=3))
    assert dls.train.window.size == 1
    images, order = dls.train.images, dls.train.window.order(7)
    found = order.take(0, len(images))
    assert sorted(found.tolist()) == list(range(len(images)))
    same = loaders(open_shards(shards)).train.images
    assert images.gather(found[:20]).equal(same.gather(found[:20]))
    assert loaders(open_shards(shards), window=2).train.window.size == 2
    assert loaders(streamed(room=3), window=1).train.window.size == 1


@pytest.mark.parametrize("window", [None, 0, 2, 100])
def test_a_window_that_the_cache_cannot_hold(streamed, window):
    """5 shards; a window of 2 needs the 2 that come next as well."""
    with pytest.raises(UsageError, match=r"room for 3 shards, [45] are needed .*CXR_SHARD_CACHE"):
        loaders(streamed(room=3), window=window)


def test_a_window_needs_shards(image_folder):
    with pytest.raises(UsageError, match="window of 3 shards needs shards"):
        dataloaders_from_manifest(
            read_manifest(image_folder), RandomSplitter(0.25), Resize(32), window=3
        )


def test_shards_of_another_frame_are_refused(shards):
    source = open_shards(shards)
    said = "holds whole images, not images cut to the lungs; train with --frame whole, or write"
    with pytest.raises(UsageError, match=said):
        dataloaders_from_manifest(
            source.manifest(), RandomSplitter(0.25), Resize(32, frame="lungs"), shards=source
        )


def test_shards_cut_by_another_lung_locator_are_refused(image_folder, tmp_path, monkeypatch):
    write_shards(read_manifest(image_folder), tmp_path, 32, frame="lungs")
    source = open_shards(tmp_path)

    def load():
        return dataloaders_from_manifest(
            source.manifest(), RandomSplitter(0.25), Resize(32, frame="lungs"), shards=source
        )

    load()
    monkeypatch.setattr("cxr.prepare.from_manifest.locator_version", lambda: "0123")
    said = f"cut by lung locator {locator_version()}, and this cxr cuts by 0123; run the same cxr"
    with pytest.raises(UsageError, match=said):
        load()
