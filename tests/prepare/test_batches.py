from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from cxr.prepare.augment import Augmentation
from cxr.prepare.batches import Batches
from cxr.prepare.order import Window


def order_of(batches):
    """Which images one pass shows: image i is i/255 all over."""
    return [round(float(image.mean()) * 255) for grey, _ in batches for image in grey]


def test_a_batch_is_grey_values_and_targets(image_set):
    grey, targets = Batches(image_set(10), bs=4).one_batch()
    assert grey.shape == (4, 1, 64, 64)
    assert grey.dtype == torch.float32
    assert torch.equal(grey[3], torch.full((1, 64, 64), 3 / 255))
    assert targets.tolist() == [0, 1, 0, 1]


def test_unshuffled_batches_show_all_in_order(image_set):
    batches = Batches(image_set(10), bs=4)
    assert len(batches) == 3
    assert [len(grey) for grey, _ in batches] == [4, 4, 2]
    assert order_of(batches) == order_of(batches) == list(range(10))


def test_shuffled_batches_leave_out_the_smaller_rest_as_fastai_does(image_set):
    batches = Batches(image_set(10), bs=4, shuffle=True)
    assert len(batches) == 2
    first, second = order_of(batches), order_of(batches)
    assert len(set(first)) == len(first) == 8
    assert first != second
    assert [len(grey) for grey, _ in Batches(image_set(3), bs=4, shuffle=True)] == [3]


def test_the_order_follows_from_the_seed_not_from_the_callers_generator(image_set):
    torch.manual_seed(0)
    first = order_of(Batches(image_set(20), bs=4, shuffle=True, seed=7))
    torch.manual_seed(1)
    torch.rand(3)
    before = torch.random.get_rng_state()
    assert order_of(Batches(image_set(20), bs=4, shuffle=True, seed=7)) == first
    assert torch.equal(torch.random.get_rng_state(), before)
    assert order_of(Batches(image_set(20), bs=4, shuffle=True, seed=8)) != first


def test_augmentation_is_drawn_from_the_same_generator(image_set):
    def one(seed, augmentation):
        batches = Batches(image_set(8), 8, shuffle=True, augmentation=augmentation, seed=seed)
        return batches.one_batch()[0]

    light = Augmentation(contrast=2, p=1)
    assert torch.equal(one(1, light), one(1, light))
    assert not torch.equal(one(1, light), one(2, light))
    assert not torch.equal(one(1, light), one(1, None))


def test_rows_point_into_shared_pixels(image_set):
    half = replace(image_set(10), rows=np.array([8, 2, 5]), targets=np.array([1, 0, 1]))
    batches = Batches(half, bs=2)
    assert batches.n_images == len(half) == 3
    assert order_of(batches) == [8, 2, 5]
    assert half.gather(np.array([1])).dtype == torch.uint8


def test_looking_changes_nothing(image_set):
    looked = Batches(image_set(20), bs=4, shuffle=True, augmentation=Augmentation())
    alone = Batches(image_set(20), bs=4, shuffle=True, augmentation=Augmentation())
    looked.show_batch()
    for left, right in zip(looked, alone, strict=True):
        assert torch.equal(left[0], right[0])


def test_show_batch_of_either_post(image_set):
    batches = Batches(image_set(20), bs=4)
    row = batches.show_batch(max_n=4, nrows=1)
    assert [axis.get_title() for axis in row.axes] == ["NORMAL", "PNEUMONIA"] * 2
    assert len({round(axis.get_position().y0, 6) for axis in row.axes}) == 1
    square = batches.show_batch(rows=3, figsize=(7, 6))
    assert len(square.axes) == 9
    assert len({round(axis.get_position().y0, 6) for axis in square.axes}) == 3
    assert square.get_size_inches().tolist() == [7, 6]
    shown = square.axes[5].images[0].get_array()
    assert np.allclose(shown, 5 / 255)


def test_the_labels_of_an_image(image_set):
    assert image_set(2).label_of(1) == "PNEUMONIA"
    several = np.array([[1, 1], [0, 1], [0, np.nan]], dtype=np.float32)
    images = image_set(3, targets=several)
    assert [images.label_of(i) for i in range(3)] == ["NORMAL; PNEUMONIA", "PNEUMONIA", "none"]


def test_a_window_decides_the_order(image_set):
    window = Window.over(np.arange(40) // 10, 4, 2)
    batches = Batches(image_set(40), 8, shuffle=True, window=window)
    batches.generator.manual_seed(1)
    steps = batches.batch_indices()
    assert sorted(np.concatenate(list(steps))) == list(range(40))
    batches.generator.manual_seed(1)
    assert [w.tolist() for w in batches.batch_indices()[2:]] == [w.tolist() for w in steps[2:]]


def test_a_pass_can_begin_in_its_middle_and_be_cut(image_set):
    whole = Batches(image_set(40), 8, shuffle=True, augmentation=Augmentation(), seed=3)
    later = Batches(image_set(40), 8, shuffle=True, augmentation=Augmentation(), seed=3)
    wanted = list(whole)[2:]
    found = list(later.epoch(2, lambda which: which[1::2]))
    assert len(found) == len(wanted) == 3
    for (grey, y), (all_grey, all_y) in zip(found, wanted, strict=True):
        torch.testing.assert_close(grey, all_grey[1::2])
        assert torch.equal(y, all_y[1::2])
