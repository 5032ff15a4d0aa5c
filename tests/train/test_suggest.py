"""Our four suggestions against fast.ai's, see tests/reference/make_fastai_reference.py."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from cxr.train.lr_finder import readable_part
from cxr.train.suggest import suggest

REFERENCE = Path(__file__).parents[1] / "reference" / "fastai_lr_find.json"
FASTAI = json.loads(REFERENCE.read_text(encoding="utf-8"))
NUM_IT = FASTAI["num_it"]


def as_float32(values):
    """fast.ai reads its curves in float32."""
    return np.array(values, dtype=np.float32).astype(np.float64)


def curve_of(case):
    losses = [math.nan if loss is None else loss for loss in case["losses"]]
    rates = 1e-7 * (10 / 1e-7) ** (np.arange(NUM_IT) / NUM_IT)
    return as_float32(rates[: len(losses)]).tolist(), as_float32(losses).tolist()


@pytest.mark.parametrize("case", FASTAI["cases"], ids=lambda case: case["curve"])
def test_the_very_suggestions_of_fastai(case):
    found = suggest(*readable_part(*curve_of(case), NUM_IT))
    assert found._fields == ("valley", "steep", "minimum", "slide")
    for name, rate in found._asdict().items():
        assert rate == pytest.approx(case[name], rel=1e-9), name


def test_the_reference_has_curves_of_all_kinds():
    names = {case["curve"] for case in FASTAI["cases"]}
    assert {"falling", "noisy valley", "plateau", "diverging", "valley, then NaN"} < names
    trained = [case for case in FASTAI["cases"] if case["curve"].startswith("trained: ")]
    assert len(trained) >= 3
    assert any(len(case["losses"]) < NUM_IT for case in trained)  # stopped as it diverged


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_a_curve_is_read_up_to_where_it_breaks(broken):
    losses = [1.0] * 60 + [broken] + [2.0] * 39
    rates, kept = readable_part([float(i) for i in range(100)], losses, 100)
    assert rates.tolist() == list(range(10, 60))
    assert len(kept) == 50
    assert np.isfinite(kept).all()
