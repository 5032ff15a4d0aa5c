from __future__ import annotations

import numpy as np

from cxr.bundle.abstention import NotFitted, OutOfDistributionDetector
from cxr.evaluate.abstention.fit import ValidationOutputs, fit_abstention_rules


def test_both_rules_from_rows_of_a_larger_array() -> None:
    rng = np.random.default_rng(7)
    pixels = rng.integers(0, 256, (600, 32, 32), dtype=np.uint8)
    rows = np.sort(rng.permutation(600)[:300])
    targets = np.arange(300) % 2
    outputs = rng.normal(size=(300, 2)), rng.normal(size=(300, 30)), rng.normal(size=(300, 12))
    validation = ValidationOutputs(*outputs, targets, [None] * 300, ["A", "B"])
    some = fit_abstention_rules(validation, pixels, rows)
    whole = fit_abstention_rules(validation, pixels[rows])
    assert isinstance(some.out_of_distribution, OutOfDistributionDetector) and isinstance(
        whole.out_of_distribution, OutOfDistributionDetector
    )
    assert (
        some.out_of_distribution.limit == whole.out_of_distribution.limit
        and len(some.out_of_distribution.distributions) == 3
    )


def test_no_validation_images_at_all() -> None:
    outputs = np.empty((0, 2)), np.empty((0, 30)), np.empty((0, 0))
    validation = ValidationOutputs(*outputs, np.empty(0, int), [], ["A", "B"])
    abstention = fit_abstention_rules(validation, np.empty((0, 64, 64), np.uint8))
    assert (
        isinstance(abstention.out_of_distribution, NotFitted)
        and "0 images" in abstention.out_of_distribution.reason
    )
    assert (
        isinstance(abstention.conformal, NotFitted)
        and "0 patients of A" in abstention.conformal.reason
    )
