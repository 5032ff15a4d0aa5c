from __future__ import annotations

import pytest
import torch

from cxr import (
    CategoryBlock,
    DataBlock,
    ImageBlock,
    ImageDataBunch,
    MultiCategoryBlock,
    RandomSplitter,
    Resize,
    aug_transforms,
    get_image_files,
    parent_label,
)
from cxr.errors import DataError, UsageError


def second_post(**changes):
    options = {
        "blocks": (ImageBlock, CategoryBlock),
        "get_items": get_image_files,
        "splitter": RandomSplitter(valid_pct=0.2, seed=42),
        "get_y": parent_label,
        "item_tfms": Resize(64),
    }
    return DataBlock(**options | changes)


def test_the_second_posts_call(image_folder):
    dls = second_post().dataloaders(image_folder, bs=8)
    assert dls.vocab == ("NORMAL", "PNEUMONIA")
    files = get_image_files(image_folder)
    train, valid = RandomSplitter(0.2, seed=42)(files)
    assert dls.train.images.paths == [files[i] for i in train]
    assert dls.valid.images.paths == [files[i] for i in valid]
    grey, targets = dls.one_batch()
    assert grey.shape == (8, 1, 64, 64)
    assert targets.dtype == torch.int64
    figure = dls.valid.show_batch(max_n=4, nrows=1)
    assert len(figure.axes) == 4
    assert len(dls.show_batch(max_n=2, nrows=1).axes) == 2


def test_a_block_may_be_called_as_in_fastai(image_folder):
    called = second_post(blocks=(ImageBlock(), CategoryBlock()))
    assert called.items(image_folder).classes == second_post().items(image_folder).classes


def test_by_default_a_patient_is_on_one_side_and_nothing_is_augmented(image_folder):
    dls = DataBlock().dataloaders(image_folder)
    train, valid = set(dls.train.images.patients), set(dls.valid.images.patients)
    assert train and valid and not train & valid
    assert dls.train.augmentation is None
    assert dls.train.one_batch()[0].shape[-1] == 224


def test_get_patient_overrules_the_file_name(image_folder):
    dls = DataBlock(get_patient=lambda path: path.stem[-2:], item_tfms=Resize(32)).dataloaders(
        image_folder
    )
    assert set(dls.items.patients) == {"00", "_0", "01", "_1"}
    assert not set(dls.train.images.patients) & set(dls.valid.images.patients)


def test_tfms(image_folder):
    block = second_post(item_tfms=[Resize(32)], batch_tfms=aug_transforms(max_rotate=3))
    dls = block.dataloaders(image_folder, bs=4, seed=9, path="models here")
    assert dls.resize == Resize(32)
    assert dls.train.augmentation == aug_transforms(max_rotate=3)
    assert (dls.train.bs, dls.seed, str(dls.path)) == (4, 9, "models here")
    with pytest.raises(UsageError, match="item_tfms takes one Resize, not 2"):
        second_post(item_tfms=[Resize(32), Resize(64)]).dataloaders(image_folder)


def test_several_labels(image_folder):
    def labels(path):
        return {"PNEUMONIA", "opacity"} & {path.parent.name, "opacity" if "3" in path.stem else ""}

    block = second_post(blocks=(ImageBlock, MultiCategoryBlock), get_y=labels)
    dls = block.dataloaders(image_folder, bs=8)
    assert dls.multi_label
    assert dls.classes == ("PNEUMONIA", "opacity")
    for path, target in zip(dls.train.images.paths, dls.train.images.targets, strict=True):
        assert target.tolist() == [path.parent.name == "PNEUMONIA", "3" in path.stem]
    assert dls.one_batch()[1].dtype == torch.float32


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"get_y": lambda path: "chest"}, DataError, r"all 48 images have one label \(chest\)"),
        ({"get_items": lambda source: []}, DataError, "no images under"),
        (
            {"blocks": (ImageBlock, MultiCategoryBlock)},
            UsageError,
            "returns a list of label names, not a string",
        ),
        (
            {"blocks": (ImageBlock, MultiCategoryBlock), "get_y": lambda path: []},
            DataError,
            "no image has any label",
        ),
    ],
)
def test_refused_data(changes, error, message, image_folder):
    with pytest.raises(error, match=message):
        second_post(**changes).dataloaders(image_folder)


def test_refused_blocks():
    with pytest.raises(UsageError, match=r"\('category', 'image'\) are not known"):
        DataBlock(blocks=(CategoryBlock, ImageBlock))


def test_folders_named_train_and_val(split_images):
    data = ImageDataBunch.from_folder(split_images, size=64, bs=4).normalize()
    assert (len(data.train.images), len(data.valid.images)) == (16, 8)
    assert {path.parts[-3] for path in data.valid.images.paths} == {"val"}
    assert data.classes == ("NORMAL", "PNEUMONIA")
    figure = data.show_batch(rows=3, figsize=(7, 6))
    assert len(figure.axes) == 9
    assert figure.get_size_inches().tolist() == [7, 6]


def test_a_random_share_says_that_patients_are_on_both_sides(image_folder, capsys):
    data = ImageDataBunch.from_folder(
        image_folder, valid_pct=0.25, size=32, ds_tfms=aug_transforms(), resize_method="pad"
    )
    assert len(data.valid.images) == 12
    assert data.train.augmentation == aug_transforms()
    assert data.resize.method == "pad"
    assert "validation images" in capsys.readouterr().err


def test_a_seed_is_wanted(image_folder):
    with pytest.raises(UsageError, match="a run without one cannot be repeated"):
        ImageDataBunch.from_folder(image_folder, valid_pct=0.2, seed=None)
