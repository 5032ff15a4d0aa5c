from __future__ import annotations

import copy
import io
import zipfile
from collections.abc import Callable

import numpy as np
import pytest
import torch

from cxr.backbones import Network, logits_of
from cxr.bundle.golden import MAX_IMAGES, check_golden, golden_bytes, golden_images
from cxr.errors import BundleError


def saved(save: Callable[..., None] = np.savez, **arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    save(file, **arrays)
    return file.getvalue()


@pytest.fixture
def outputs(network: Network) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(golden_bytes(network))) as golden:
        return dict(golden)


def test_the_images_come_from_a_formula() -> None:
    images = golden_images(64)
    assert images.shape == (3, 64, 64) and images.dtype == np.uint8
    assert np.array_equal(images, golden_images(64))
    assert all(image.std() > 30 for image in images)  # not flat: a flat image tests little
    assert images[0, 0, 0] == 128  # 127.5 + 100 sin 0, rounded to even


def test_the_outputs_are_those_of_the_network(
    network: Network, outputs: dict[str, np.ndarray]
) -> None:
    grey = torch.from_numpy(outputs["images"]).unsqueeze(1)
    with torch.inference_mode():
        assert np.array_equal(network(grey).numpy(), outputs["logits"])
    check_golden(network, saved(**outputs))


def test_other_weights_fail_the_self_test(network: Network, outputs: dict[str, np.ndarray]) -> None:
    other = copy.deepcopy(network)
    with torch.no_grad():
        other.head[2].weight[0] *= 1.1
    changed = np.abs(logits_of(other, outputs["images"]).numpy() - outputs["logits"]).max()
    assert changed > 2e-3
    with pytest.raises(BundleError, match="self-test failed: outputs differ by"):
        check_golden(other, saved(**outputs))


def test_a_difference_as_between_processors_passes(
    network: Network, outputs: dict[str, np.ndarray]
) -> None:
    check_golden(network, saved(images=outputs["images"], logits=outputs["logits"] + 1e-4))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda a: {"images": a["images"][:, :-1]}, "images of this model's size"),
        (lambda a: {"images": a["images"].astype(np.float32)}, "images of this model's size"),
        (lambda a: {"images": a["images"][0]}, "images of this model's size"),
        (lambda a: {"images": np.uint8(3)}, "images of this model's size"),
        (lambda a: {"images": a["images"][:0]}, "0 images"),
        (lambda a: {"images": golden_images(64, MAX_IMAGES + 1)}, "17 images"),
        (lambda a: {"logits": a["logits"][:2]}, "this model's outputs"),
        (lambda a: {"logits": a["logits"][:, :1]}, "this model's outputs"),
        (lambda a: {"logits": a["logits"].astype(np.float64)}, "this model's outputs"),
        (lambda a: {"logits": a["logits"] * np.nan}, "self-test failed"),
        (lambda a: {"logits": a["logits"][::-1]}, "self-test failed"),
        (lambda a: {"logits": a["logits"][:, ::-1]}, "self-test failed"),
        (lambda a: {"logits": np.array([print] * 3, object)}, "cannot be read.*allow_pickle"),
    ],
)
def test_wrong_contents_are_refused(
    change: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]],
    reason: str,
    network: Network,
    outputs: dict[str, np.ndarray],
) -> None:
    with pytest.raises(BundleError, match=reason):
        check_golden(network, saved(**(outputs | change(outputs))))


def test_a_missing_array_is_refused(network: Network, outputs: dict[str, np.ndarray]) -> None:
    with pytest.raises(BundleError, match="cannot be read"):
        check_golden(network, saved(images=outputs["images"]))


def test_a_compressed_bomb_is_not_unpacked(
    network: Network, outputs: dict[str, np.ndarray]
) -> None:
    bomb = saved(np.savez_compressed, images=np.zeros((2000, 64, 64), np.uint8), **{
        "logits": outputs["logits"]
    })  # fmt: skip
    assert len(bomb) < 20_000
    with pytest.raises(BundleError, match="it is compressed"):
        check_golden(network, bomb)


def test_a_header_that_claims_a_petabyte_is_refused(
    network: Network, outputs: dict[str, np.ndarray]
) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (10**15,)}
    )
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("images.npy", header.getvalue())
        archive.writestr("logits.npy", b"")
    with pytest.raises(BundleError, match=r"golden\.npz cannot be read"):
        check_golden(network, file.getvalue())


@pytest.mark.parametrize("data", [b"", b"PK", b"\x80\x04N.", bytes(1000)])
def test_what_is_no_archive_is_refused(data: bytes, network: Network) -> None:
    with pytest.raises(BundleError, match=r"golden\.npz cannot be read"):
        check_golden(network, data)
