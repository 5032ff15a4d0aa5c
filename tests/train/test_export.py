from __future__ import annotations

import numpy as np
import torch

from cxr import load_learner


def test_the_exported_model_predicts_what_the_learner_does(make_learner, tmp_path):
    learner = make_learner()
    learner.fit(1)
    path = learner.export()
    assert path == tmp_path / "model.cxr"
    predictor = load_learner(path)
    images = learner.dls.valid.images
    logits = predictor.logits(images.pixels, images.rows)
    torch.testing.assert_close(logits, learner.logits()[0], rtol=1e-5, atol=1e-6)
    image = images.gather(np.array([0]))[0, 0].numpy()
    assert predictor.predict(image)[0] == learner.predict(image)[0]


def test_it_says_what_it_was_made_from(make_learner, tmp_path):
    learner = make_learner()
    path = learner.export(
        "other.cxr", temperature=1.5, threshold=0.4, positive="PNEUMONIA", fingerprint="abc"
    )
    assert path == tmp_path / "other.cxr"
    config = load_learner(path).config
    assert config.classes == ("NORMAL", "PNEUMONIA")
    assert (config.backbone, config.size, config.resize_method) == ("test_resnet", 32, "squish")
    assert (config.temperature, config.threshold) == (1.5, 0.4)
    assert config.population == "not stated by whoever trained this model"
    assert config.weights_source == learner.weights_source
    assert dict(config.training_data) == {
        "fingerprint": "abc",
        "n_train": 56,
        "n_valid": 16,
        "n_patients": 36,
        "prevalence": 0.5,
    }
