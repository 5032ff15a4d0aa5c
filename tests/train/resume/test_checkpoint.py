from __future__ import annotations

import pytest
import torch
from torch import nn

from cxr.errors import BundleError, UsageError
from cxr.train.recorder import Recorder
from cxr.train.resume.checkpoint import (
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


def test_a_flipped_bit_is_found(tmp_path):
    """Wherever it is: in the contents, in a fact, in a name."""
    file = save_weights(network(), tmp_path / "a.safetensors", {"classes": "many"})
    whole = file.read_bytes()
    for at in (len(whole) - 1, len(whole) // 2, whole.index(b"many"), whole.index(b"running_mean")):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(BundleError, match=r"a\.safetensors is damaged"):
            read_tensors(file)
    file.write_bytes(whole)
    read_tensors(file)


def test_the_one_before_is_kept(tmp_path):
    last, before = tmp_path / "last.safetensors", tmp_path / "previous.safetensors"
    for value in (1.0, 2.0, 3.0):
        write_tensors(last, {"a": torch.tensor([value])}, {}, before)
    assert [float(read_tensors(one)[0]["a"]) for one in (last, before)] == [3.0, 2.0]
    assert len(list(tmp_path.iterdir())) == 2


def test_training_state_comes_back(make_learner, tmp_path):
    learner = make_learner()
    learner.unfreeze()
    learner.fit(1)
    state = learner.snapshot(1, 3, 4.5)
    file = save_training(state, tmp_path / "last.safetensors", {"history": [[1, float("nan")]]})
    found, facts = load_training(file)
    for name in ("phase", "epoch", "step", "seconds", "micro_batches"):
        assert getattr(found, name) == getattr(state, name)
    assert (found.phase, found.epoch, found.step, found.seconds) == (0, 1, 3, 4.5)
    assert found.weights.keys() == learner.model.state_dict().keys()
    moments = learner.optimizer.state_dict()["state"]
    assert found.moments.keys() == moments.keys()
    for index, values in moments.items():
        assert set(found.moments[index]) == {"step", "exp_avg", "exp_avg_sq"}
        for name, value in values.items():
            assert torch.equal(found.moments[index][name], value)
    assert torch.equal(found.random["cpu"], torch.get_rng_state())
    again = Recorder(learner.metric_names)
    again.restore(found.record)
    assert again == learner.recorder and again.step(1, 1, 1) == learner.recorder.step(1, 1, 1)
    assert facts["history"][0][0] == 1


def test_weights_alone_are_no_state(tmp_path):
    file = save_weights(network(), tmp_path / "a.safetensors", {})
    with pytest.raises(BundleError, match="is no state of a training run"):
        load_training(file)
