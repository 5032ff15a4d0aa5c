from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from cxr.errors import DataError, UsageError
from cxr.find import get_image_files, parent_label, patients_of
from cxr.prepare import Augmentation, PatientSplitter, Resize
from cxr.prepare.datablock import encode_labels
from cxr.prepare.items import Items
from cxr.prepare.loaders import make_dataloaders


def items_of(folder: Path) -> Items:
    paths = list(get_image_files(folder))
    targets, classes = encode_labels([parent_label(path) for path in paths])
    return Items(paths, targets, classes, patients_of(paths))


def every_fourth(paths):
    return [i for i in range(len(paths)) if i % 4], list(range(0, len(paths), 4))


@pytest.fixture
def damaged(image_folder, tmp_path):
    """The images, and how to damage some of them."""
    folder = tmp_path / "images"
    shutil.copytree(image_folder, folder)

    def damage(n):
        chosen = sorted(folder.rglob("*.png"))[:n]
        for path in chosen:
            path.write_bytes(path.read_bytes()[:200])
        return folder, chosen

    return damage


def test_two_loaders_share_one_array_of_pixels(image_folder):
    dls = make_dataloaders(items_of(image_folder), every_fourth, Resize(32), bs=8, seed=5)
    assert (len(dls.train.images), len(dls.valid.images)) == (36, 12)
    assert dls.train.images.pixels is dls.valid.images.pixels
    assert dls.train.shuffle and not dls.valid.shuffle
    assert dls.train.seed == dls.seed == 5
    assert dls.classes == dls.vocab == ("NORMAL", "PNEUMONIA")
    assert dls.c == 2 and not dls.multi_label
    grey, _ = dls.one_batch()
    assert grey.shape == (8, 1, 32, 32)


def test_every_image_keeps_its_own_label_and_patient(image_folder):
    dls = make_dataloaders(items_of(image_folder), every_fourth, Resize(32), bs=8)
    for images in (dls.train.images, dls.valid.images):
        for i, path in enumerate(images.paths):
            assert images.label_of(i) == path.parent.name
            assert images.patients[i] in path.name
            ill = images.gather(np.array([i])).float()[0, 0, 18:, :14].mean() > 120
            assert ill == (path.parent.name == "PNEUMONIA")


def test_only_training_is_augmented(image_folder):
    dls = make_dataloaders(
        items_of(image_folder), every_fourth, Resize(32), augmentation=Augmentation(), bs=8
    )
    assert dls.train.augmentation == Augmentation()
    assert dls.valid.augmentation is None


def test_an_unreadable_image_is_told_left_out_and_kept_on_disk(damaged, capsys):
    folder, (path, other) = damaged(2)
    whole = make_dataloaders(items_of(folder), every_fourth, Resize(32))
    left = {path, other}
    assert set(whole.unreadable) == left
    assert len(whole.train.images) + len(whole.valid.images) == 46
    assert not left & {*whole.train.images.paths, *whole.valid.images.paths}
    assert path.is_file()
    assert f"left out: {path}: " in capsys.readouterr().err


def test_a_damaged_image_moves_no_other_to_another_side(image_folder, damaged):
    folder, bad = damaged(2)
    split = PatientSplitter(0.25, seed=1)
    before = make_dataloaders(items_of(image_folder), split, Resize(32))
    after = make_dataloaders(items_of(folder), split, Resize(32))
    for name in ("train", "valid"):
        names = [path.name for path in getattr(before, name).images.paths]
        kept = [path.name for path in getattr(after, name).images.paths]
        assert kept == [n for n in names if n not in {path.name for path in bad}]


def test_more_than_one_in_twenty_is_refused(damaged):
    folder, bad = damaged(3)  # 6 % of 48
    with pytest.raises(DataError, match="3 of 48 images cannot be read, more than 5%") as error:
        make_dataloaders(items_of(folder), every_fourth, Resize(32))
    assert str(bad[0]) in str(error.value)


def test_too_few_images(image_folder):
    with pytest.raises(UsageError, match="batch size 1 is too small"):
        make_dataloaders(items_of(image_folder), every_fourth, Resize(32), bs=1)
    with pytest.raises(DataError, match="only 1 readable image would be in valid"):
        make_dataloaders(items_of(image_folder), lambda paths: (range(40), [47]), Resize(32))


def test_the_whole_image_is_shown_by_default():
    assert Resize(128) == Resize(128, "squish")


@pytest.mark.parametrize("size", [31, 2049, -1, 128.0, "128", None])
def test_refused_sizes(size):
    with pytest.raises(UsageError, match="is not a whole number from 32 to 2048"):
        Resize(size)


def test_refused_method():
    with pytest.raises(UsageError, match="'stretch' is not one of squish, pad, crop"):
        Resize(128, "stretch")


def test_images_without_lungs_stay_whole_and_say_so(image_folder):
    """These images are noise: there are no lungs to be cut to."""
    whole, lungs = (
        make_dataloaders(items_of(image_folder), every_fourth, Resize(32, frame=frame), bs=8)
        for frame in ("whole", "lungs")
    )
    for one, other in ((whole.train, lungs.train), (whole.valid, lungs.valid)):
        assert one.images.frames is None and other.images.frames.shape == (len(other.images), 6)
        positions = np.arange(len(one.images))
        lost = other.images.frames[:, 5] > 0
        assert lost.any()
        assert one.images.gather(positions[lost]).equal(other.images.gather(positions[lost]))
    with pytest.raises(UsageError, match="frame 'heart' is not one of lungs, whole"):
        Resize(32, frame="heart")
