"""What is said of the decision curve is what its lower figure shows."""

from __future__ import annotations

from typing import Any

from cxr._io.html import Html
from cxr.report.sections.curves import decision
from cxr.report.strength import ENOUGH


def split(lows: list[float], patients: int = ENOUGH) -> dict[str, Any]:
    gain = [{"value": low + 0.02, "low": low, "high": low + 0.04} for low in lows]
    curve = {
        "thresholds": [round(0.1 * (i + 1), 2) for i in range(len(lows))],
        "gain": gain,
        "prevalence_stated": False,
        "prevalence": 0.5,
        "positive": "PNEUMONIA",
        "n": 300,
    }
    counts = {"NORMAL": ENOUGH, "PNEUMONIA": patients}
    return {"metrics": {"decision_curve": curve}, "patients_by_class": counts}


def said(lows: list[float], patients: int = ENOUGH) -> str:
    return str(decision(split(lows, patients), {"decision_curve": Html("<svg></svg>")}))


def test_only_the_thresholds_whose_interval_is_above_0() -> None:
    assert "at thresholds from 0.20 to 0.30 and 0.50 to 0.50:" in said([-1, 0.1, 0.1, -1, 0.1])
    assert "At no threshold" in said([-0.01, 0.0, -0.2])


def test_too_few_patients_claim_nothing() -> None:
    text = said([0.1, 0.1], patients=ENOUGH - 1)
    assert "99 patients with PNEUMONIA: too few to say" in text and "is better than" not in text
