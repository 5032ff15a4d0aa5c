from __future__ import annotations

import pytest
import torch
from torch import nn

from cxr.errors import BundleError, UsageError
from cxr.train.checkpoint import (
    load_training,
    load_weights,
    read_tensors,
    save_training,
    save_weights,
    write_tensors,
)


def network(width=4, seed=0):
    torch.manual_seed(seed)
    layers = nn.Sequential(nn.Conv2d(1, width, 3), nn.BatchNorm2d(width))
    return layers.to(memory_format=torch.channels_last)


def test_weights_and_facts_come_back(tmp_path):
    model, other = network(), network(seed=1)
    file = save_weights(
        model, tmp_path / "models" / "a.safetensors", {"classes": "x", "size": "64"}
    )
    load_weights(other, file, {"classes": "x"})
    for left, right in zip(model.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(left, right)
    assert other[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert read_tensors(file)[1] == {"classes": "x", "size": "64"}
    assert [path.name for path in file.parent.iterdir()] == ["a.safetensors"]


def test_a_fact_must_agree(tmp_path):
    file = save_weights(network(), tmp_path / "a.safetensors", {"backbone": "resnet18"})
    with pytest.raises(BundleError, match="is for backbone resnet18, this learner has resnet34"):
        load_weights(network(), file, {"backbone": "resnet34"})


def test_another_network_is_refused(tmp_path):
    file = save_weights(network(width=5), tmp_path / "a.safetensors", {})
    with pytest.raises(BundleError, match="holds the weights of another network"):
        load_weights(network(), file, {})


def test_a_missing_file_lists_what_there_is(tmp_path):
    save_weights(network(), tmp_path / "stage-1.safetensors", {})
    with pytest.raises(UsageError, match="there are: stage-1"):
        read_tensors(tmp_path / "stage-2.safetensors")
    with pytest.raises(UsageError, match="there are: none"):
        read_tensors(tmp_path / "nowhere" / "stage-1.safetensors")


def test_a_damaged_file_is_refused(tmp_path):
    file = save_weights(network(), tmp_path / "a.safetensors", {})
    whole = file.read_bytes()
    for content in (b"", whole[:40], whole[:-10], b"\xff" * 100):
        file.write_bytes(content)
        with pytest.raises(BundleError, match=r"a\.safetensors is damaged"):
            read_tensors(file)


def test_what_was_there_survives_a_failed_write(tmp_path):
    file = save_weights(network(), tmp_path / "a.safetensors", {})
    before = file.read_bytes()
    with pytest.raises(TypeError):
        write_tensors(file, {"a": torch.ones(2)}, {"size": 64})  # facts are text
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


def test_training_state_comes_back(tmp_path):
    model = network()
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.rand(2, 1, 8, 8)).sum().backward()
    optimizer.step()
    facts = {"phase": 1, "epoch": 0, "history": [[1, 0, float("nan")]]}
    weights, moments, found = load_training(
        save_training(model, optimizer, tmp_path / "last.safetensors", facts)
    )
    assert list(weights) == sorted(model.state_dict())
    for index, values in optimizer.state_dict()["state"].items():
        assert set(moments[index]) == {"step", "exp_avg", "exp_avg_sq"}
        assert all(torch.equal(moments[index][name], value) for name, value in values.items())
    assert found["phase"] == 1
    assert found["history"][0][:2] == [1, 0]
