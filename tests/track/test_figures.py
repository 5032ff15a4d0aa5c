from __future__ import annotations

import math

from cxr.track.figures import curves, epoch_facts, final_figures, main_figures

FIGURE = {"value": 0.9, "low": 0.8, "high": 0.95, "n": 80}
METRICS = {
    "about": {"format": 1},
    "valid": {
        "n": 80,
        "n_patients": {"value": None, "reason": "not known"},
        "classes": ["NORMAL", "SICK"],
        "multi_label": False,
        "threshold": 0.4,
        "auroc": FIGURE,
        "ppv": {"value": None, "reason": "nothing was called SICK"},
        "ece": {"value": 0.1, "reason": "too few patients"},
        "calibration": {"before": {"ece": FIGURE}},
    },
}


def test_an_epoch(learner_after):
    assert epoch_facts(learner_after(1, 1), 1) == {
        "phase": 1,
        "epoch": 1,
        "train_loss": 0.39,
        "valid_loss": 0.4,
        "metrics": {"error_rate": 0.25, "auroc": 0.925},
        "learning_rate": 1e-3,
        "images_per_second": 20.0,
        "epoch_seconds": 2.0,
    }


def test_what_is_undefined_is_null_and_no_point_of_a_curve(learner_after):
    facts = epoch_facts(learner_after(0, 0, auroc=math.nan), 0)
    assert facts["metrics"] == {"error_rate": 0.25, "auroc": None}
    assert facts["learning_rate"] is None
    assert curves(facts) == {
        "train_loss": 0.5,
        "valid_loss": 0.4,
        "error_rate": 0.25,
        "images_per_second": 20.0,
        "epoch_seconds": 2.0,
    }


def test_final_figures_with_their_intervals():
    assert final_figures(METRICS) == {
        "valid_n": 80.0,
        "valid_threshold": 0.4,
        "valid_auroc": 0.9,
        "valid_auroc_low": 0.8,
        "valid_auroc_high": 0.95,
        "valid_ece": 0.1,
    }


def test_main_figures_are_those_of_metrics_json():
    valid = METRICS["valid"]
    assert main_figures(METRICS) == {
        "valid": {name: valid[name] for name in ("n", "threshold", "auroc", "ece")}
    }
