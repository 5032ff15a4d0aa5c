from __future__ import annotations

import math

import pytest
import torch

from cxr.errors import UsageError
from cxr.prepare import Augmentation, aug_transforms

SIDE = 65
STILL = {"rotate": 0, "zoom": 1, "shift": 0, "brightness": 0, "contrast": 1, "p": 1}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def smooth(n):
    """Images whose grey values change slowly, from 0.2 to 0.8."""
    ramp = torch.linspace(0, math.pi, SIDE).sin()
    return (0.2 + 0.6 * ramp[:, None] * ramp[None, :]).expand(n, 1, SIDE, SIDE).clone()


def spots(n, y, x):
    """Black images with one soft bright spot; y and x from -1 to 1, 0 in the middle."""
    axis = torch.linspace(-1, 1, SIDE)
    distance = (axis[:, None] - y) ** 2 + (axis[None, :] - x) ** 2
    return torch.exp(-distance / 0.01).expand(n, 1, SIDE, SIDE).clone()


def centres(images):
    """(y, x) of the bright spot of each image."""
    axis = torch.linspace(-1, 1, SIDE)
    mass = images[:, 0] / images[:, 0].sum(dim=(1, 2), keepdim=True)
    return (mass.sum(2) * axis).sum(1), (mass.sum(1) * axis).sum(1)


def test_limits_of_nothing_change_nothing():
    images = smooth(3)
    torch.testing.assert_close(Augmentation(**STILL)(images, generator()), images)


def test_shape_and_range_are_kept():
    images = torch.rand(16, 1, 40, 40, generator=generator())
    changed = Augmentation(rotate=30, zoom=1.5, brightness=0.6, contrast=3, p=1)(
        images, generator()
    )
    assert changed.shape == images.shape
    assert changed.min() >= 0
    assert changed.max() <= 1


def test_the_share_p_of_the_images_is_changed():
    images = smooth(400)
    changed = Augmentation(p=0.25)(images, generator())
    share = ((changed - images).abs().amax(dim=(1, 2, 3)) > 1e-4).float().mean()
    assert 0.18 < share < 0.32
    torch.testing.assert_close(Augmentation(p=0)(images, generator()), images)


def test_rotation_turns_both_ways_up_to_its_limit():
    images = spots(200, 0, 0.5)
    y, x = centres(Augmentation(**STILL | {"rotate": 20})(images, generator()))
    angles = torch.rad2deg(torch.atan2(y, x))
    torch.testing.assert_close(torch.hypot(y, x), torch.full_like(x, 0.5), atol=0.01, rtol=0)
    assert -20.5 < angles.min() < -15
    assert 15 < angles.max() < 20.5


def test_zoom_goes_in_and_out_by_its_factor():
    images = spots(200, 0, 0.5)
    _, x = centres(Augmentation(**STILL | {"zoom": 1.25})(images, generator()))
    assert 0.5 / 1.25 - 0.01 < x.min() < 0.43
    assert 0.58 < x.max() < 0.5 * 1.25 + 0.01


def test_shift_is_a_share_of_the_side():
    images = spots(200, 0, 0)
    for place in centres(Augmentation(**STILL | {"shift": 0.1})(images, generator())):
        share = place / 2 * (SIDE - 1) / SIDE  # -1 and 1 are the middles of the outer pixels
        assert -0.1001 < share.min() < -0.08
        assert 0.08 < share.max() < 0.1001


def test_brightness_is_added_and_contrast_multiplies_about_the_middle():
    images = smooth(200)
    added = Augmentation(**STILL | {"brightness": 0.1})(images, generator()) - images
    assert added.amax(dim=(1, 2, 3)) == pytest.approx(added.amin(dim=(1, 2, 3)), abs=1e-5)
    assert -0.1001 < added.min() < -0.09
    assert 0.09 < added.max() < 0.1001
    changed = Augmentation(**STILL | {"contrast": 1.2})(images, generator())
    factor = ((changed - 0.5) / (images - 0.5))[:, 0, 0, 0]
    assert 1 / 1.2001 < factor.min() < 0.86
    assert 1.16 < factor.max() < 1.2001


def test_gamma_is_a_power_both_ways():
    images = smooth(200)
    changed = Augmentation(**STILL | {"gamma": 1.5})(images, generator())
    power = (changed.log() / images.log())[:, 0, 30, 30]
    torch.testing.assert_close(changed, images ** power.view(-1, 1, 1, 1))
    assert 1 / 1.5001 < power.min() < 0.7
    assert 1.4 < power.max() < 1.5001


def stripes(n, period):
    wave = torch.sin(2 * math.pi * torch.arange(64) / period)
    return (0.5 + 0.2 * wave).expand(n, 1, 64, 64).clone()


def swing(images):
    return images[:, 0, 16:48, 16:48].std(dim=(1, 2))


def test_sharpness_weighs_detail_and_leaves_what_is_large():
    sharpness = Augmentation(**STILL | {"sharpness": 1})
    fine, large = (
        swing(sharpness(stripes(300, period), generator())) / swing(stripes(1, period))
        for period in (2.5, 64)
    )
    assert fine.min() < 0.2
    assert fine.max() > 1.7
    torch.testing.assert_close(large, torch.ones(300), atol=0.05, rtol=0)


def test_noise_has_up_to_its_spread_and_is_each_images_own():
    changed = Augmentation(**STILL | {"noise": 0.05})(
        torch.full((100, 1, 65, 65), 0.5), generator()
    )
    grain = (changed - 0.5)[:, 0]
    assert grain.mean().abs() < 1e-3
    spread = grain.std(dim=(1, 2))
    assert spread.min() < 0.005
    assert 0.045 < spread.max() < 0.0515
    kinds = grain.flatten(1) / spread[:, None]
    alike = kinds @ kinds.T / kinds.shape[1]
    assert (alike - torch.eye(100)).abs().max() < 0.1


def test_robust_changes_what_machines_change_too():
    limits = Augmentation.robust()
    images = smooth(8)
    assert torch.equal(limits(images, generator(1)), limits(images, generator(1)))
    assert limits.noise > 0 and limits.sharpness > 0 and limits.gamma > 1
    assert limits.rotate == Augmentation().rotate


def test_no_image_is_mirrored():
    """The spot at the lower left stays there, however far the image is moved."""
    y, x = centres(aug_transforms(max_lighting=0, p=1)(spots(300, 0.5, -0.5), generator()))
    assert (y > 0.2).all()
    assert (x < -0.2).all()


def test_one_seed_one_result_whatever_the_global_generator():
    images = smooth(4)
    first = Augmentation()(images, generator(5))
    before = torch.random.get_rng_state()
    assert torch.equal(Augmentation()(images, generator(5)), first)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not torch.equal(Augmentation()(images, generator(6)), first)


def test_fastais_name_and_its_defaults():
    assert aug_transforms() == Augmentation()
    chosen = aug_transforms(max_rotate=5, max_zoom=1.3, max_lighting=0.4, p=0.5)
    assert chosen == Augmentation(rotate=5, zoom=1.3, brightness=0.2, contrast=1.4, p=0.5)
    with pytest.raises(UsageError, match="heart lies on the wrong side; leave do_flip=False"):
        aug_transforms(do_flip=True)


@pytest.mark.parametrize(
    "wrong", [{"rotate": -1}, {"rotate": 360}, {"p": 1.1}, {"zoom": 0.9}, {"contrast": 0.5}]
)
def test_refused_limits(wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(UsageError, match=f"augmentation {name}={value} "):
        Augmentation(**wrong)
