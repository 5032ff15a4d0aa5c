from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cxr._io import progress_disabled
from cxr.errors import DataError, ImageError, TrainingError, UnknownName
from cxr.find import read_manifest
from cxr.find.phantom import write_phantom
from cxr.track import check_sinks, complete, read_log, tracking
from cxr.track import tracker as tracker_module
from cxr.track.log import LOG

EPOCHS = ((0, 0), (1, 0), (1, 1))  # phase and epoch
IMAGES = {"train": 40, "valid": 80}


class Memory:
    """A sink in memory that fails where it is told to; `kept` outlives it, as a server would."""

    name = "memory"
    kept: dict[int, dict[str, float]]
    calls: list[str]
    fails: set[str]

    def __init__(self, place: str = "") -> None:
        pass

    def _call(self, what: str) -> None:
        self.calls.append(what)
        if what in self.fails:
            raise ConnectionError(f"http://me:secret@server is away\nsecond line ({what})")

    def begin(self, config: Any, run: Path) -> int:
        self._call("begin")
        return max(self.kept, default=-1)

    def epoch(self, step: int, figures: dict[str, float], when: float) -> None:
        self._call(f"epoch {step}")
        assert step not in self.kept and when > 1e9
        self.kept[step] = figures

    def finished(self, result: Any) -> None:
        self._call("finished")

    def close(self, state: str) -> None:
        self._call(state)


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> type[Memory]:
    Memory.kept, Memory.calls, Memory.fails = {}, [], set()
    monkeypatch.setitem(tracker_module.SINKS, "memory", Memory)
    monkeypatch.setitem(tracker_module.NEEDS, "memory", ("json",))
    return Memory


@pytest.fixture
def train(learner_after):
    def train(track, epochs=EPOCHS):
        for phase, epoch in epochs:
            assert track.after_epoch(learner_after(phase, epoch), epoch) is False

    return train


def events(run: Path) -> list[str]:
    return [line["event"] for line in read_log(run / LOG)]


def test_a_run_from_begin_to_end(config, run, finish, memory, train):
    with tracking(config, run, ("memory",), IMAGES) as track:
        train(track)
        track.checkpoint_saved(phase=1, epoch=2, step=0, best=True)
        result = finish(run)
        track.finished(result)
    begin, *epochs, checkpoint, end = read_log(run / LOG)
    assert begin["settings"] == json.loads(json.dumps(vars(config))) and begin["images"] == IMAGES
    assert begin["environment"]["device"] == "cpu"
    assert [line["step"] for line in epochs] == [0, 1, 2]
    assert [(line["phase"], line["epoch"]) for line in epochs] == list(EPOCHS)
    assert (checkpoint["event"], checkpoint["best"]) == ("checkpoint", True)
    assert end["event"] == "end" and end["figures"]["valid"]["n"] == 80
    assert end["figures"]["valid"]["auroc"] == result.metrics["valid"]["auroc"]
    assert memory.calls == ["begin", "epoch 0", "epoch 1", "epoch 2", "finished", "finished"]
    assert memory.kept[2]["auroc"] == 0.925
    text = (run / LOG).read_text(encoding="utf-8")
    assert ".png" not in text and "secret" not in text


def test_going_on_counts_on_and_tells_nothing_twice(config, run, memory, train):
    def stopped():
        with tracking(config, run, ("memory",)) as track:
            train(track, EPOCHS[:2])
            raise KeyboardInterrupt("SIGTERM")

    with pytest.raises(KeyboardInterrupt):
        stopped()
    with tracking(config, run, ("memory",)) as track:
        train(track, EPOCHS[1:])  # the last epoch was not kept, and is trained again
    log = read_log(run / LOG)
    assert [line["event"] for line in log] == (
        ["begin", "epoch", "epoch", "stop", "resume", "epoch", "epoch"]
    )
    assert log[3]["signal"] == "SIGTERM"
    assert [line["step"] for line in log if line["event"] == "epoch"] == [0, 1, 1, 2]
    assert [call for call in memory.calls if call.startswith("epoch")] == (
        ["epoch 0", "epoch 1", "epoch 2"]
    )
    assert memory.calls.count("stopped") == 2


def test_what_a_sink_missed_it_is_told_when_the_run_goes_on(config, run, memory, train):
    with tracking(config, run) as track:
        train(track, EPOCHS[:2])
    with tracking(config, run, ("memory",)) as track:
        train(track, EPOCHS[2:])
    assert sorted(memory.kept) == [0, 1, 2]


@pytest.mark.parametrize("fails", ["begin", "epoch 0", "epoch 1", "finished"])
def test_a_sink_that_fails_is_said_once_and_tried_again_at_the_end(
    config, run, finish, memory, capsys, train, fails
):
    memory.fails = {fails}
    with tracking(config, run, ("memory",)) as track:
        train(track)
        said = capsys.readouterr().err.splitlines()
        assert len(said) == (fails != "finished")
        for line in said:
            assert (
                line.startswith("memory: http://server is away second line")
                and "secret" not in line
            )
            assert line.endswith(
                "training goes on without it, and it is tried once more at the end"
            )
        calls = list(memory.calls)
        memory.fails = {"finished"} if fails == "finished" else set()
        track.finished(finish(run))
    if fails == "finished":
        assert len(capsys.readouterr().err.splitlines()) == 2
        assert memory.calls.count("finished") == 2
    else:
        assert calls[-1] == fails  # nothing more was asked of it while training went on
        assert sorted(memory.kept) == [0, 1, 2] and memory.calls[-2:] == ["finished"] * 2
    assert events(run) == ["begin", "epoch", "epoch", "epoch", "end"]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (TrainingError("the loss is not a number"), "the loss is not a number"),
        (ImageError("anna/1.png", "it is cut off"), "it is cut off"),
        (DataError("anna/1.png has changed"), None),
        (ValueError("anna"), None),
    ],
)
def test_errors_are_logged_without_names_and_go_on_up(config, run, memory, error, text):
    with pytest.raises(type(error)) as caught, tracking(config, run, ("memory",)):
        raise error
    assert caught.value is error
    line = read_log(run / LOG)[-1]
    assert (line["event"], line["error"], line["text"]) == ("error", type(error).__name__, text)
    assert "anna" not in (run / LOG).read_text(encoding="utf-8")
    assert memory.calls[-1] == "failed"


def test_the_end_that_a_kill_took_is_told_later(config, run, finish, memory, train):
    with tracking(config, run, ("memory",)) as track:
        train(track)
    result = finish(run)
    complete(config, run, ("memory",), result)
    assert events(run)[-2:] == ["resume", "end"] and memory.calls[-1] == "finished"
    calls = list(memory.calls)
    complete(config, run, ("memory",), result)
    assert memory.calls == calls and events(run).count("end") == 1


def test_sinks_are_checked_before_training(memory, monkeypatch):
    check_sinks(("memory", "mlflow:http://127.0.0.1:1#images", "tensorboard"))
    with pytest.raises(UnknownName, match="unknown sink 'mlfow'; near names: mlflow"):
        check_sinks(("mlfow",))
    with pytest.raises(tracker_module.UsageError, match="tensorboard:here: it takes no place"):
        check_sinks(("tensorboard:here",))
    monkeypatch.setitem(tracker_module.NEEDS, "memory", ("not_there", "nor_this"))
    with pytest.raises(tracker_module.UsageError, match=r'not_there.*pip install "cxr\[track\]"'):
        check_sinks(("memory",))


def test_a_sink_given_twice_is_one(config, run, memory, train):
    with tracking(config, run, ("memory", "memory")) as track:
        train(track, EPOCHS[:1])
    assert memory.calls == ["begin", "epoch 0", "stopped"]


def test_a_real_fit_writes_what_the_history_has(tmp_path, config, run):
    import torch

    from cxr.prepare import Resize, dataloaders_from_manifest, named_splitter
    from cxr.train import error_rate, vision_learner
    from cxr.train.recipe import fine_tune_phases
    from cxr.train.resume.checkpoint_callback import CheckpointCallback

    torch.set_num_threads(1)
    with progress_disabled():
        films = read_manifest(write_phantom(tmp_path / "images", n_images=30, size=64))
        dls = dataloaders_from_manifest(films, named_splitter("patient", 0.3, 1), Resize(64), bs=8)
        learner = vision_learner(
            dls, "test_efficientnet", error_rate, weights=None, device="cpu", precision="fp32"
        )
        with CheckpointCallback(run) as keep, tracking(config, run) as track:
            learner.fit_phases(fine_tune_phases(2, freeze_epochs=1), [track, keep])
    epochs = [line for line in read_log(run / LOG) if line["event"] == "epoch"]
    rows = (run / "history.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert [line["step"] for line in epochs] == [0, 1, 2]
    for line, row in zip(epochs, rows, strict=True):
        phase, epoch, train_loss, valid_loss, error, seconds = map(float, row.split(","))
        assert (line["phase"], line["epoch"]) == (phase, epoch)
        found = [line["train_loss"], line["valid_loss"], line["metrics"]["error_rate"]]
        assert found == pytest.approx([train_loss, valid_loss, error], abs=1e-6)
        assert line["epoch_seconds"] == pytest.approx(seconds, abs=1e-3)
        assert line["images_per_second"] > 0 and line["learning_rate"] > 0
