"""Read back with TensorBoard's own reader."""

from __future__ import annotations

from pathlib import Path

import pytest

from cxr.track import tracking

pytest.importorskip("tensorboard", reason='not installed: pip install "cxr[track]"')
EPOCHS = ((0, 0), (1, 0), (1, 1))


def read(run: Path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(run / "tensorboard")).Reload()


def values(events, name: str) -> list[tuple[int, float]]:
    return [(event.step, pytest.approx(event.value)) for event in events.Scalars(name)]


def test_curves_figures_and_card(config, run, finish, learner_after):
    with tracking(config, run, ("tensorboard",)) as track:
        for phase, epoch in EPOCHS:
            track.after_epoch(learner_after(phase, epoch), epoch)
        assert values(read(run), "valid_loss") == [(0, 0.4), (1, 0.4), (2, 0.4)]  # as it goes
        result = finish(run)
        track.finished(result)
    events = read(run)
    assert values(events, "train_loss") == [(0, 0.5), (1, 0.4), (2, 0.39)]
    assert values(events, "learning_rate") == [(1, 1e-3), (2, 1e-3)]
    figure = result.metrics["valid"]["auroc"]
    assert values(events, "final/valid_auroc") == [(2, figure["value"])]
    assert values(events, "final/valid_auroc_low") == [(2, figure["low"])]
    texts = {name: events.Tensors(name)[0] for name in events.Tags()["tensors"]}
    assert set(texts) == {"settings/text_summary", "model card/text_summary"}
    settings = texts["settings/text_summary"].tensor_proto.string_val[0].decode()
    assert "    backbone: test_efficientnet\n" in settings


@pytest.mark.parametrize("kept", [True, False])
def test_going_on_leaves_one_point_a_step(config, run, learner_after, monkeypatch, kept):
    """Also where the old file cannot be removed, and stays for TensorBoard to purge."""
    if kept:
        monkeypatch.setattr(Path, "unlink", lambda *_, **__: (_ for _ in ()).throw(OSError()))
    for some in (EPOCHS[:2], EPOCHS[1:]):  # an epoch is trained again
        with tracking(config, run, ("tensorboard",)) as track:
            for phase, epoch in some:
                track.after_epoch(learner_after(phase, epoch), epoch)
    files = list((run / "tensorboard").iterdir())
    assert len(files) == (2 if kept else 1)
    assert values(read(run), "train_loss") == [(0, 0.5), (1, 0.4), (2, 0.39)]
