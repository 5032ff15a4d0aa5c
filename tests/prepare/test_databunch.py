from __future__ import annotations

import pytest

from cxr import ImageDataBunch, aug_transforms
from cxr.errors import UsageError


def test_folders_named_train_and_val(split_images):
    data = ImageDataBunch.from_folder(split_images, size=64, bs=4).normalize()
    assert (len(data.train.images), len(data.valid.images)) == (16, 8)
    assert {path.parts[-3] for path in data.valid.images.paths} == {"val"}
    assert data.classes == ("NORMAL", "PNEUMONIA")
    figure = data.show_batch(rows=3, figsize=(7, 6))
    assert len(figure.axes) == 9
    assert figure.get_size_inches().tolist() == [7, 6]


def test_a_random_share_says_that_patients_are_on_both_sides(films, capsys):
    data = ImageDataBunch.from_folder(
        films, valid_pct=0.25, size=32, ds_tfms=aug_transforms(), resize_method="pad"
    )
    assert len(data.valid.images) == 12
    assert data.train.augmentation == aug_transforms()
    assert data.resize.method == "pad"
    assert "validation images" in capsys.readouterr().err


def test_a_seed_is_wanted(films):
    with pytest.raises(UsageError, match="a run without one cannot be repeated"):
        ImageDataBunch.from_folder(films, valid_pct=0.2, seed=None)
