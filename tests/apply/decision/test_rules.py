from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cxr.apply import load_learner
from cxr.errors import UsageError
from cxr.evaluate.calibration import Calibration, at_prevalence

WriteModel = Callable[..., Path]
LOGITS = torch.tensor([[1.0, 3.0], [0.5, -2.0], [12.0, -9.0]])
VECTOR = Calibration("vector", (0.5, 0.5), (0.3, -0.3))


@pytest.mark.parametrize(
    "calibration", [VECTOR, Calibration("temperature", (0.4, 0.4), (0.0, 0.0))]
)
def test_the_model_file_calibrates_as_the_fit_did(
    calibration: Calibration, write_model: WriteModel
) -> None:
    predictor = load_learner(write_model(**calibration.for_bundle()))
    expected = torch.from_numpy(calibration.apply(LOGITS.numpy())).softmax(dim=1)
    found = predictor.probabilities(LOGITS, calibrated=True)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(predictor.probabilities(LOGITS), LOGITS.softmax(dim=1))


@pytest.mark.parametrize("positive", ["NORMAL", "PNEUMONIA"])
def test_another_prevalence_multiplies_the_odds(positive: str, write_model: WriteModel) -> None:
    predictor = load_learner(
        write_model(positive=positive, training_data={"prevalence": 0.74}, **VECTOR.for_bundle())
    )
    i = predictor.vocab.index(positive)
    calibrated = predictor.probabilities(LOGITS, calibrated=True)
    found = predictor.probabilities(LOGITS, prevalence=0.05)
    np.testing.assert_allclose(found[:, i], at_prevalence(calibrated[:, i], 0.74, 0.05), rtol=1e-4)
    torch.testing.assert_close(found.sum(dim=1), torch.ones(3))


@pytest.mark.parametrize(
    ("config", "prevalence", "reason"),
    [
        ({}, 0.1, "does not record"),
        ({"training_data": {"prevalence": 1.0}}, 0.1, "does not record"),
        ({"training_data": {"prevalence": "0.5"}}, 0.1, "does not record"),
        ({"training_data": {"prevalence": 0.5}}, 0.0, "above 0 and below 1"),
        ({"training_data": {"prevalence": 0.5}}, float("nan"), "above 0 and below 1"),
        ({"training_data": {"prevalence": 0.5}, "multi_label": True}, 0.1, "one finding"),
        ({"training_data": {"prevalence": 0.5}, "classes": ("a", "b", "c")}, 0.1, "one finding"),
    ],
)
def test_a_prevalence_that_cannot_be_had_is_refused(
    config: dict[str, Any], prevalence: float, reason: str, write_model: WriteModel
) -> None:
    predictor = load_learner(write_model(**config))
    logits = torch.zeros(1, len(predictor.vocab))
    with pytest.raises(UsageError, match=reason):
        predictor.probabilities(logits, prevalence=prevalence)
