from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import log_loss

from cxr import cnn_learner, models, vision_learner
from cxr.errors import BundleError, UnknownName, UsageError, WeightsError
from cxr.evaluate import make_predictions
from cxr.prepare import Augmentation
from cxr.train import Learner, accuracy, error_rate
from cxr.train.recipe import fine_tune_phases
from cxr.train.resume.snapshot import Position


def trainable_groups(learner):
    return [{parameter.requires_grad for parameter in group} for group in learner.layer_groups]


def test_a_pretrained_learner_is_frozen_and_a_random_one_is_not(make_learner):
    assert trainable_groups(make_learner()) == [{False}, {False}, {True}]
    assert trainable_groups(make_learner(weights=None)) == [{True}] * 3
    assert trainable_groups(make_learner(pretrained=False)) == [{True}] * 3


def test_freezing(make_learner):
    learner = make_learner()
    learner.unfreeze()
    assert trainable_groups(learner) == [{True}] * 3
    learner.freeze_to(-2)
    assert trainable_groups(learner) == [{False}, {True}, {True}]
    learner.freeze()
    assert trainable_groups(learner) == [{False}, {False}, {True}]
    for wrong in (3, -4):
        with pytest.raises(UsageError, match="there are 3 layer groups"):
            learner.freeze_to(wrong)


def test_the_first_posts_call(dls):
    learner = cnn_learner(dls, models.efficientnet_lite0, metrics=error_rate, device="cpu")
    assert cnn_learner is vision_learner
    assert learner.weights_source.startswith("ImageNet, packaged")
    assert learner.metric_names == ("error_rate",)
    assert learner.model.architecture.size == 32


def test_fit_keeps_one_rate_for_each_group(make_learner):
    learner = make_learner()
    learner.unfreeze()
    recorder = learner.fit(1, slice(1e-6, 1e-4))
    assert recorder.lrs == [1e-4] * 7
    assert recorder.moms == [0.95] * 7
    rates = {group["layer_group"]: group["lr"] for group in learner.optimizer.param_groups}
    assert rates == pytest.approx({0: 1e-6, 1: 1e-5, 2: 1e-4})


def test_the_default_rate_is_fastais(make_learner):
    learner = make_learner()
    learner.fit(1)
    assert learner.recorder.lrs == [1e-3] * 7


@pytest.mark.parametrize("epochs", [0, -1])
def test_no_epochs(epochs, make_learner):
    with pytest.raises(UsageError, match="at least 1 is needed"):
        make_learner().fit_one_cycle(epochs)


# Phases ----------------------------------------------------------------------------------------


class Recording:
    """A learner that only writes down what it is asked to do."""

    recorder = None
    fits = 0
    fit_phases = Learner.fit_phases

    def __init__(self):
        self.calls = []

    def freeze_to(self, n):
        self.calls.append(("freeze_to", n))

    def fit_one_cycle(self, epochs, rates, **options):
        self.fits += 1
        self.calls.append((epochs, rates, options["start_epoch"]))


PHASES = fine_tune_phases(3, freeze_epochs=2)
HEAD, WHOLE = PHASES[0].rates, PHASES[1].rates


def test_phases_run_one_after_another():
    learner = Recording()
    learner.fit_phases(PHASES)
    assert learner.calls == [("freeze_to", -1), (2, HEAD, 0), ("freeze_to", 0), (3, WHOLE, 0)]


def test_a_run_goes_on_in_the_middle_of_a_phase():
    learner = Recording()
    learner.fit_phases(PHASES, start=Position(phase=0, epoch=1))
    assert learner.calls == [("freeze_to", -1), (2, HEAD, 1), ("freeze_to", 0), (3, WHOLE, 0)]
    learner = Recording()
    learner.fit_phases(PHASES, start=Position(phase=1, epoch=2))
    assert learner.calls == [("freeze_to", 0), (3, WHOLE, 2)]


def test_a_finished_phase_still_counts_as_a_fit():
    """Seeds and the history number phases by the fits so far."""
    learner = Recording()
    learner.fit_phases(PHASES, start=Position(phase=0, epoch=2))
    assert learner.calls[-1] == (3, WHOLE, 0)
    assert learner.fits == 2


def test_a_finished_run_trains_nothing_more():
    learner = Recording()
    learner.fit_phases(PHASES, start=Position(phase=1, epoch=3))
    assert learner.calls == [("freeze_to", 0)]


# Looking at the result ---------------------------------------------------------------------------


def test_get_preds_and_validate_agree_with_scikit_learn(make_learner):
    learner = make_learner(metrics=[error_rate, accuracy])
    chances, targets = learner.get_preds()
    assert chances.shape == (16, 2)
    assert targets.tolist() == learner.dls.valid.images.targets.tolist()
    loss, wrong, right = learner.validate()
    exact = chances.double() / chances.double().sum(1, keepdim=True)
    assert loss == pytest.approx(log_loss(targets, exact), rel=1e-5)
    assert wrong == pytest.approx((chances.argmax(1) != targets).double().mean().item())
    assert right == pytest.approx(1 - wrong)


def test_predictions_of_training_images_keep_their_order(make_learner):
    learner = make_learner()
    chances, targets = learner.get_preds(ds_idx=0)
    assert chances.shape == (56, 2)
    assert targets.tolist() == learner.dls.train.images.targets.tolist()
    with pytest.raises(UsageError, match="split 'test' is not one of train, valid"):
        learner.logits("test")


def test_logits_of_changed_images_are_the_same_every_time(make_learner, dls):
    learner = make_learner()
    with pytest.raises(UsageError, match="these data are not augmented"):
        learner.augmented_logits(2)
    dls.train.augmentation = Augmentation(p=0)
    plain = learner.logits("valid")[0]
    torch.testing.assert_close(
        learner.augmented_logits(2), plain.repeat(2, 1), rtol=1e-4, atol=1e-5
    )
    dls.train.augmentation = Augmentation.robust()
    changed = learner.augmented_logits(2)
    assert torch.equal(changed, learner.augmented_logits(2))
    assert not torch.allclose(changed[:16], changed[16:], atol=1e-3)


def test_the_predictions_table_is_what_evaluation_takes(make_learner):
    learner = make_learner()
    columns = learner.predictions("valid", learner.logits("valid")[0] / 2)
    table = make_predictions(**columns)
    assert len(table) == 16
    expected = (learner.logits("valid")[0] / 2).double().softmax(1)
    np.testing.assert_allclose(columns["probabilities"], expected.numpy(), rtol=1e-5)
    own = -np.log(columns["probabilities"][np.arange(16), columns["targets"]])
    np.testing.assert_allclose(columns["losses"], own, rtol=1e-4)
    assert columns["patients"] == [f"p{i // 2}" for i in range(56, 72)]


def test_predict_takes_what_load_grey_takes(make_learner, tmp_path):
    learner = make_learner()
    images = learner.dls.valid.images
    grey = images.gather(np.array([3]))[0, 0].numpy()
    Image.fromarray(grey).save(tmp_path / "image.png")
    expected = learner.get_preds()[0][3]
    for item in (tmp_path / "image.png", grey, Image.fromarray(grey)):
        name, index, chances = learner.predict(item)
        torch.testing.assert_close(chances, expected, rtol=1e-5, atol=1e-7)
        assert index == expected.argmax()
        assert name == learner.dls.classes[int(index)]


def test_predict_several_labels(make_learner, multi_label_dls):
    learner = make_learner(multi_label_dls)
    name, present, chances = learner.predict(np.zeros((40, 50), dtype=np.uint8))
    assert present.tolist() == (chances > 0.5).long().tolist()
    found = [c for c, here in zip(("Opacity", "Nodule"), present, strict=True) if here]
    assert name == "; ".join(found)


# Keeping it --------------------------------------------------------------------------------------


def test_save_and_load(make_learner, tmp_path):
    learner = make_learner()
    learner.fit(1)
    file = learner.save("stage-1")
    assert file == tmp_path / "models" / "stage-1.safetensors"
    other = make_learner(seed=7)
    assert other.validate() != learner.validate()
    assert other.load("stage-1") is other
    assert other.validate() == learner.validate()
    with pytest.raises(UsageError, match="there are: stage-1"):
        learner.load("stage-2")


def test_weights_of_other_classes_are_refused(make_learner, three_class_dls):
    make_learner().save("two")
    with pytest.raises(BundleError, match=r'for classes .*NORMAL.*this learner has .*"virus"'):
        make_learner(three_class_dls).load("two")


# Refused -----------------------------------------------------------------------------------------


def test_what_is_refused_at_once(dls, make_learner):
    with pytest.raises(UnknownName, match=r"near names: .*resnet18"):
        vision_learner(dls, "resnet81")
    with pytest.raises(UsageError, match="precision 'half'"):
        make_learner(precision="half")
    with pytest.raises(UsageError, match="device 'gpu'"):
        make_learner(device="gpu")
    with pytest.raises(UsageError, match="class weights"):
        make_learner(class_weights="even")
    with pytest.raises(UsageError, match="no weights file"):
        make_learner(weights="absent.pth")
    with pytest.raises(UnknownName, match="option of a learner 'strategie'; near names: strat"):
        make_learner(strategie="full")


def test_weights_for_another_backbone_are_refused(dls, weights):
    with pytest.raises(WeightsError, match="does not fit this backbone"):
        vision_learner(dls, "test_efficientnet", weights=weights, device="cpu")
