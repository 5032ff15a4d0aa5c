from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cxr.backbones import Network, logits_of
from cxr.bundle import BundleConfig, read_bundle, write_bundle
from cxr.errors import BundleError, UsageError


class WritesAFile:
    """As a pickle: whoever opens it creates the file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


def test_the_network_answers_as_before(model: Path, network: Network, config: BundleConfig) -> None:
    bundle = read_bundle(str(model))
    images = np.random.default_rng(0).integers(0, 256, (5, 64, 64), dtype=np.uint8)
    assert bundle.config == config and bundle.path == model
    assert not bundle.network.training
    assert torch.equal(logits_of(bundle.network, images), logits_of(network, images))


def test_a_dropout_of_its_own_is_kept(
    tmp_path: Path, network: Network, config: BundleConfig
) -> None:
    path = write_bundle(tmp_path / "model.cxr", network, replace(config, dropout=0.5))
    assert read_bundle(path).network.head[1].p == 0.5


@pytest.mark.parametrize("name", ["nothing.cxr", "."])
def test_no_file_is_wrong_usage(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"no model file .*; train one with"):
        read_bundle(tmp_path / name)


@pytest.mark.parametrize("name", ["export.pkl", "learn.PTH", "model.cxr"])
@pytest.mark.parametrize("kind", ["pickle", "torch zip", "torch legacy"])
def test_a_pickle_is_refused_and_never_opened(tmp_path: Path, name: str, kind: str) -> None:
    path, trap = tmp_path / name, tmp_path / "the pickle was opened"
    if kind == "pickle":
        path.write_bytes(pickle.dumps(WritesAFile(trap)))
    else:
        torch.save(WritesAFile(trap), path, _use_new_zipfile_serialization=kind == "torch zip")
    with pytest.raises(BundleError, match=r"can run any code.*export the model again with cxr"):
        read_bundle(path)
    assert not trap.exists()
    torch.load(path, weights_only=False) if kind != "pickle" else pickle.loads(path.read_bytes())
    assert trap.exists()  # the trap was a real one


def test_an_old_pickle_under_another_name_is_not_opened_either(tmp_path: Path) -> None:
    path, trap = tmp_path / "model.cxr", tmp_path / "the pickle was opened"
    path.write_bytes(pickle.dumps(WritesAFile(trap), protocol=0))
    with pytest.raises(BundleError, match="not a cxr model"):
        read_bundle(path)
    assert not trap.exists()


def test_a_model_of_another_locator_is_refused_in_one_line(
    tmp_path: Path, network: Network, config: BundleConfig
) -> None:
    lungs = replace(config, frame="lungs", locator="c9f0f874403da658")
    path = write_bundle(tmp_path / "model.cxr", network, lungs)
    with pytest.raises(BundleError, match=r"model\.cxr.*locator c9f0f.*train it again") as caught:
        read_bundle(path)
    assert "\n" not in str(caught.value)
