"""Heat maps: in range, in place, and empty where nothing speaks for the class."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cxr.apply import load_learner
from cxr.apply.explain.heat_map import (
    blurred_to_sharp,
    departing,
    frozen_weights,
    grad_cam,
    integrated,
    log_odds,
    maps_and_slopes,
    stages_at,
    three_depths,
)
from cxr.backbones import Architecture

WriteModel = Callable[..., Path]


@pytest.mark.parametrize("backbone", ["test_resnet", "test_efficientnet", "test_vit"])
@pytest.mark.parametrize("labels", [1, 2, 3])
def test_shape_and_range(
    write_model: WriteModel, films: list[Path], backbone: str, labels: int
) -> None:
    classes = ("A", "B", "C")[:labels]
    predictor = load_learner(write_model(backbone, classes, multi_label=labels == 3))
    for index in (None, *range(labels)):
        heat = predictor.heat_map(predictor.pixels(films[0]), index).values
        assert heat.shape == (64, 64) and heat.dtype == np.float32
        assert heat.min() >= 0 and heat.max() in (0, 1)


def test_grad_cam_is_the_class_activation_map_of_a_pooled_linear_head(
    write_model: WriteModel, films: list[Path]
) -> None:
    # Zhou et al., CVPR 2016: for pooling and a linear head, weights instead of gradients do.
    predictor = load_learner(write_model("test_resnet"))
    network, pixels = predictor.network.eval(), predictor.pixels(films[1])
    norm, _, linear = network.head
    with torch.no_grad():
        maps = network.body.forward_features(network.normalise(torch.tensor(pixels)[None, None]))
        slopes = linear.weight * norm.weight / (norm.running_var + norm.eps).sqrt()
        cam = torch.einsum("k,khw->hw", slopes[1] - slopes[0], maps[0]).relu()
    assert cam.max() > 0
    found = grad_cam(network, pixels, 1, False)
    np.testing.assert_allclose(found / found.max(), cam / cam.max(), atol=1e-5)


def test_of_two_classes_a_place_speaks_for_one(write_model: WriteModel, films: list[Path]) -> None:
    network = load_learner(write_model("test_resnet")).network
    pixels = load_learner(write_model("test_resnet")).pixels(films[0])
    normal, ill = (grad_cam(network, pixels, index, False) for index in (0, 1))
    assert normal.max() > 0 or ill.max() > 0
    assert not (normal * ill).any()


@pytest.mark.parametrize("backbone", ["test_resnet", "test_vit"])
def test_a_head_that_looks_at_nothing_gives_zeros(
    write_model: WriteModel, films: list[Path], backbone: str
) -> None:
    predictor = load_learner(write_model(backbone))
    nn.init.zeros_(predictor.network.head[-1].weight)
    heat = predictor.heat_map(predictor.pixels(films[0]), 1).values
    assert not heat.any()  # a NaN would count as any


def test_explaining_leaves_no_gradients(tiny_model: Path, films: list[Path]) -> None:
    predictor = load_learner(tiny_model)
    predictor.heat_map(predictor.pixels(films[0]))
    assert all(p.grad is None for p in predictor.network.parameters())


def of_class_one(logits: Tensor) -> Tensor:
    return log_odds(logits, 1, False)


@pytest.mark.parametrize("backbone", ["test_resnet", "test_efficientnet"])
def test_the_heat_of_a_layer_adds_up_to_the_rise_of_the_score(
    write_model: WriteModel, films: list[Path], backbone: str
) -> None:
    predictor = load_learner(write_model(backbone))
    network = predictor.network
    path = blurred_to_sharp(predictor.pixels(films[0]), steps=200)
    with torch.no_grad():
        scores = of_class_one(network(path[[0, -1]]))
    for maps, slopes in maps_and_slopes(
        network, path, stages_at(network.body, (4, 8, 16)), of_class_one
    ):
        heat = integrated(maps, slopes)
        assert heat.shape == (1, 1, *maps.shape[2:])
        assert heat.sum().item() == pytest.approx(
            (scores[1] - scores[0]).item(), rel=0.02, abs=1e-4
        )


def test_the_path_runs_from_the_blurred_image_to_the_image() -> None:
    film = np.zeros((64, 64), np.uint8)
    film[20:24, 30:34] = 255
    path = blurred_to_sharp(film, steps=2)
    assert path.shape == (3, 1, 64, 64)
    np.testing.assert_allclose(path[2, 0], film / 255, atol=1e-6)
    np.testing.assert_allclose(path[1], (path[0] + path[2]) / 2, atol=1e-6)
    assert path[0].max() < 0.1 and path[0].mean().item() == pytest.approx(
        path[2].mean().item(), rel=1e-3
    )


def test_what_is_the_same_everywhere_departs_nowhere() -> None:
    maps, slopes = torch.ones(1, 3, 4, 4), torch.randn(1, 3, 4, 4)
    assert not departing(maps, slopes).any()
    maps[0, 1, 2, 3] = 17.0
    slopes[0, 1] = 2.0
    heat = departing(maps, slopes)
    assert heat.argmax() == 2 * 4 + 3
    assert heat[0, 0, 2, 3].item() == pytest.approx(2 * 15)  # 17 less the mean of 2


class Bright(nn.Module):
    """Three feature maps of a known image, and a log_odds that is its brightest place."""

    architecture = Architecture("none", 2, 64)

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(1.0))
        self.body = nn.Sequential(nn.AvgPool2d(4), nn.AvgPool2d(2), nn.AvgPool2d(2), nn.Flatten())
        self.body.feature_info = [
            {"module": str(i), "reduction": 4 * 2**i, "num_chs": 1} for i in range(3)
        ]
        self.normalise = nn.Identity()

    def head(self, features: Tensor) -> Tensor:
        strongest = self.gain * features.logsumexp(dim=1)
        return torch.stack([torch.zeros_like(strongest), strongest], dim=1)


def test_the_peak_lies_on_the_one_bright_spot() -> None:
    film = np.full((64, 64), 40, np.uint8)
    film[34:42, 18:26] = 250
    network = Bright()
    heat = three_depths(network, film, of_class_one).numpy()
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    assert 34 <= row < 42 and 18 <= column < 26
    assert heat[33:43, 17:27].sum() > 0.6 * heat.sum()
    assert network.gain.requires_grad and network.gain.grad is None


def test_other_bodies_are_refused(write_model: WriteModel, films: list[Path]) -> None:
    for backbone, known in (("test_resnet", True), ("test_vit", False)):
        predictor = load_learner(write_model(backbone))
        pixels = predictor.pixels(films[0])
        heat = three_depths(predictor.network, pixels, of_class_one)
        assert (heat is not None) == known


def test_weights_learn_again_afterwards() -> None:
    layers = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    layers[0].requires_grad_(False)
    with frozen_weights(layers):
        assert not any(weight.requires_grad for weight in layers.parameters())
    assert [weight.requires_grad for weight in layers.parameters()] == [False, False, True, True]
