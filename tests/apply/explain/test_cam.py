"""Heat maps: in range, in place, and empty where nothing speaks for the class."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from cxr.apply import load_learner
from cxr.apply.batch.image_results import explain_files, heat_map_names
from cxr.apply.explain.heat_map import grad_cam
from cxr.apply.explain.occlusion import occlusion
from cxr.apply.explain.overlay import draw_overlay, onto_image
from cxr.backbones import Architecture, logits_of
from cxr.errors import UsageError
from cxr.pixels import resize

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


class Brightness(nn.Module):
    """Says class 1 the brighter the image is."""

    architecture = Architecture("none", 2, 64)

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(1.0))

    def forward(self, grey: torch.Tensor) -> torch.Tensor:
        bright = self.gain * grey.float().mean((1, 2, 3))
        return torch.stack([torch.zeros_like(bright), bright], dim=1)


def test_occlusion_finds_the_patch_that_counts() -> None:
    pixels = np.zeros((64, 64), np.uint8)
    pixels[40:48, 16:24] = 200
    network = Brightness()
    ill = occlusion(lambda images: logits_of(network, images).numpy(), pixels, 1, False)
    assert np.argwhere(ill).tolist() == [[5, 2]]
    mean = round(float(pixels.mean()))
    # 64 of 4096 pixels fall from 200 to the mean.
    assert ill[5, 2].item() == pytest.approx((200 - mean) / 64, rel=1e-4)


def test_wrong_arguments(tiny_model: Path) -> None:
    predictor = load_learner(tiny_model)
    with pytest.raises(UsageError, match=r"uint8 \(32, 32\)"):
        predictor.heat_map(np.zeros((32, 32), np.uint8))
    with pytest.raises(UsageError, match="no class 2; there are 0 to 1: NORMAL, PNEUMONIA"):
        predictor.heat_map(np.zeros((64, 64), np.uint8), 2)


@pytest.mark.parametrize("method", ["squish", "pad", "crop"])
@pytest.mark.parametrize("shape", [(300, 200), (160, 320), (90, 90)])
def test_heat_lies_where_the_image_is(shape: tuple[int, int], method: str) -> None:
    row, column = shape[0] // 2 - 20, shape[1] // 2 + 15
    film = np.zeros(shape, np.uint8)
    film[row - 6 : row + 6, column - 6 : column + 6] = 255
    heat = resize(film, 64, method).astype(np.float32) / 255
    placed = onto_image(heat, shape, method)
    assert placed.shape == shape and placed.dtype == np.float32
    weights = placed / placed.sum()
    centre = (weights.sum(1) @ np.arange(shape[0]), weights.sum(0) @ np.arange(shape[1]))
    np.testing.assert_allclose(centre, (row - 0.5, column - 0.5), atol=2)


def test_what_was_cropped_off_is_not_explained() -> None:
    placed = onto_image(np.ones((64, 64), np.float32), (100, 300), "crop")
    assert placed[:, 100:200].min() == 1 and not placed[:, :100].any() and not placed[:, 200:].any()


def test_without_heat_the_image_is_drawn_as_it_is() -> None:
    film = np.random.default_rng(0).integers(0, 256, (80, 60), dtype=np.uint8)
    picture = draw_overlay(film, np.zeros((80, 60), np.float32), "A", "A")
    heated = draw_overlay(film, np.full((80, 60), 0.5, np.float32), "A", "A")
    assert is_grey(picture) and not is_grey(heated)


def is_grey(png: bytes) -> bool:
    from io import BytesIO

    red, green, blue = np.moveaxis(np.asarray(Image.open(BytesIO(png)).convert("RGB")), 2, 0)
    return bool((red == green).all() and (green == blue).all())


def test_files_become_images_and_bad_ones_a_line(
    tiny_model: Path, films: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no image")
    written = explain_files(
        load_learner(tiny_model), [films[0], bad, films[0], films[-1]], tmp_path / "heat"
    )
    names = [films[0].name, f"{films[0].name}-2", films[-1].name]
    assert [path.name for path in written] == [f"{name}.heat.png" for name in names]
    assert sorted((tmp_path / "heat").iterdir()) == sorted(written)
    assert written[0].read_bytes() == written[1].read_bytes() != written[2].read_bytes()
    for path in written:
        Image.open(path).verify()
    assert "bad.png: not an image" in capsys.readouterr().err


def test_an_old_folder_is_not_written_over(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "image.png").touch()
    with pytest.raises(UsageError, match="not an empty folder"):
        explain_files(load_learner(tiny_model), [], tmp_path)


def test_names_are_safe_and_unique() -> None:
    files = [Path("a/x.png"), Path("b/X.PNG"), Path("x.png-2"), Path("a b:é*.dcm"), Path("n" * 300)]
    names = list(heat_map_names(files))
    assert len({name.casefold() for name in names}) == len(files)
    assert names[0] == "x.png.heat.png" and names[3] == "a_b_é_.dcm.heat.png"
    assert all(len(name) < 150 and not set(name) & set('/\\:*?"<>| ') for name in names)
