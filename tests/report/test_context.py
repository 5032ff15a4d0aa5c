"""The report's sections made of other steps' results."""

from __future__ import annotations

import json
import math
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cxr.errors import DataError, UsageError
from cxr.evaluate import measure
from cxr.evaluate.abstention.confident import summarise_abstention
from cxr.evaluate.calibration import reliability_bins
from cxr.evaluate.decision_curve import decision_curve
from cxr.evaluate.operating_point import summarise_operating_point
from cxr.evaluate.schema import about
from cxr.find import Manifest
from cxr.report import ReportContext, flow_facts, page_of, read_history, report_of
from cxr.report.content import tidy


class Text(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.text, self.images = "", list[dict[str, Any]]()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.images.append(dict(attrs))

    def handle_data(self, data: str) -> None:
        self.text += data


def figure(value: float, spread: float = 0.01, n: int = 500) -> dict[str, Any]:
    return {"value": value, "low": value - spread, "high": value + spread, "n": n}


def finding(code: str, severity: str = "warning", **more: Any) -> dict[str, Any]:
    empty = {"path": None, "group": None, "evidence": {}, "action": ""}
    return {"code": code, "severity": severity, "message": f"about {code}", **empty, **more}


def check(*findings: dict[str, Any], **splits: int) -> dict[str, Any]:
    data = {"images": 300, "patients": 120, "splits": splits, "checked": "2026-01-02"}
    return {"data": data, "summary": {"verdict": "No errors."}, "findings": list(findings)}


def stress(moved: float, spread: float = 0.01) -> dict[str, Any]:
    moves = {"accuracy": figure(moved, spread), "auroc": figure(moved / 2, spread)}
    change = {
        "name": "noise",
        "strength": "10 of 255",
        "difference": moves,
        "decisions_changed": figure(0.2),
    }
    still = {"accuracy": figure(0.0), "auroc": figure(0.0)}
    kept = {"name": "gamma", "strength": "0.6", "difference": still}
    return {
        "n": 300,
        "n_patients": 120,
        "split": "all",
        "plain": {},
        "changes": [change, kept],
        "strongest": {"settings": 1, "difference": moves},
        "summary": "Worst: noise.",
    }


def explanation(passed: bool = True, outside: float = 0.2) -> dict[str, Any]:
    example = {
        "path": "ill/7.png",
        "label": "ill",
        "predicted": "well",
        "probability": 0.1,
        "loss": 2.3,
        "image": "heat.png",
        "neighbours": [
            {"path": f"well/{i}.png", "label": "well", "distance": 0.1, "image": "near.png"}
            for i in range(2)
        ],
    }
    return {
        "method": "Grad-CAM",
        "sanity": {"randomised": {"similarity": 0.1, "passed": passed, "n": 20}},
        "outside_lungs": figure(outside),
        "examples": {"top_losses": [example], "most_certain": [], "least_certain": []},
    }


def png(side: int) -> bytes:
    out = BytesIO()
    Image.fromarray(np.arange(side * side).reshape(side, side).astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def build(simulate_binary: Any) -> Any:
    def make(
        split: str = "valid",
        measured: dict[str, Any] | None = None,
        size: dict[str, int] = {"n": 600, "patients": 300},  # noqa: B006
        **parts: Any,
    ) -> Any:
        predictions = simulate_binary(**size)
        metrics = measure(predictions, 0.4, resamples=100) | (measured or {})
        return report_of(
            {"about": about(), split: metrics},
            {split: predictions},
            ReportContext(tables="t.csv", **parts),
        )

    return make


def heads(report: dict[str, Any], kind: str) -> list[str]:
    return [item["head"] for item in report["verdict"][kind]]


def test_what_was_not_done_is_said_with_the_command_that_does_it(build: Any) -> None:
    text = Text(page_of(build(), {})).text
    for command in (
        "cxr check DATA",
        "cxr stress MODEL DATA",
        "cxr predict MODEL IMAGES --explain",
    ):
        assert command in text
    assert "Data flow" not in text and "Epoch by epoch" not in text


def test_shortcuts_stand_beside_the_model(build: Any) -> None:
    cue = finding("shortcut-borders", group="ill", evidence={"auroc": figure(0.93)})
    report = build(check=check(cue, finding("copy", path="a/b.png")))
    text = Text(page_of(report, {})).text
    assert "Borders and corners" in text and "AUROC 0.930 (0.920 to 0.940)" in text
    assert "shortcuts in the data could explain part of it" in text
    assert "Saying that it reads the lungs" in heads(report, "may_not")
    assert "Copies of one image, 1 file" in text
    assert "b.png" not in json.dumps(report)  # what concerns a single file stays in check.json


def test_framing_that_the_cut_takes_away_is_no_doubt_of_a_model_of_the_lungs(build: Any) -> None:
    for left, frame, doubted in (
        (0.6, "lungs", False),
        (0.85, "lungs", True),
        (0.6, "whole", True),
    ):
        evidence = {"auroc": figure(0.93), "auroc_after_cut": figure(left)}
        found = check(finding("shortcut-framing", group="ill", evidence=evidence))
        report = build(check=found, settings={"frame": frame})
        assert ("shortcuts in the data" in report["verdict"]["doubt"]) is doubted
        text = Text(page_of(report, {})).text
        assert "Place and size of the lungs" in text and "AUROC 0.930" in text
        assert "Place and size of the lungs, cut to the lungs" in text and f"AUROC {left}" in text


def test_a_quick_check_says_that_it_was_one(build: Any) -> None:
    found = check(finding("shortcut-framing", group="ill", evidence={"auroc": figure(0.93)}))
    assert "quick check" not in Text(page_of(build(check=found), {})).text
    assert (
        "quick check that training makes"
        in Text(page_of(build(check=found | {"quick": True}), {})).text
    )


def test_a_leak_counts_only_in_the_split_that_was_judged(build: Any) -> None:
    found = check(finding("patients-across-splits", "error"), train=200, valid=300)
    flow = {"found": 500, "left_out": [], "splits": {"train": {"n": 200, "classes": {}}}}
    same = build(check=found, flow=flow)
    assert "overlap" in same["verdict"]["doubt"]
    assert "Quoting these figures" in heads(same, "may_not")
    flow["splits"]["train"]["n"] = 150
    other = build(check=found, flow=flow)
    assert "overlap" not in other["verdict"]["doubt"]
    assert "not the one used here" in Text(page_of(other, {})).text


@pytest.mark.parametrize(
    ("moved", "spread", "told"), [(-0.2, 0.01, True), (-0.02, 0.01, False), (-0.06, 0.1, False)]
)
def test_only_a_sure_and_large_loss_is_a_verdict(
    moved: float, spread: float, told: bool, build: Any
) -> None:
    report = build(stress=stress(moved, spread))
    assert ("Images taken, stored or framed otherwise" in heads(report, "may_not")) is told
    text = Text(page_of(report, {})).text
    assert ("noise, 10 of 255" in text) is (moved + spread < 0)  # drawn where surely below 0
    assert "Worst: noise." in text


def test_images_are_shown_with_heat_and_neighbours(build: Any) -> None:
    images = {"heat.png": png(40), "near.png": png(20)}
    shown = Text(page_of(build(explanation=explanation()), images))
    assert len(shown.images) == 3
    assert all(one["src"].startswith("data:image/png;base64,") for one in shown.images)
    assert all(one["alt"] for one in shown.images)
    assert "Predicted welllabelled illProbability of PNEUMONIA: 0.10ill/7.png" in shown.text
    assert "Most like it in training: 2 well" in shown.text
    assert Text(page_of(build(explanation=explanation()), {})).images == []  # named instead


def test_examples_of_a_model_of_lungs_say_what_the_frame_is(build: Any) -> None:
    plain = Text(page_of(build(explanation=explanation()), {})).text
    assert "frame" not in plain.lower() and "Heat outside" not in plain
    facts = explanation()
    facts["examples"]["top_losses"][0] |= {"frame": [0.2, 0.1, 0.8, 0.9], "outside_lungs": 0.123}
    text = Text(page_of(build(explanation=facts), {})).text
    assert "The frame on an image holds the part that the model saw." in text
    assert "Heat outside the lungs: 12%" in text and "No lungs found" not in text
    facts["examples"]["top_losses"][0] |= {"frame": None, "outside_lungs": None}
    text = Text(page_of(build(explanation=facts), {})).text
    assert "No lungs found: the model saw it whole" in text and "The frame on" not in text


def test_heat_maps_that_fail_are_no_reasons(build: Any) -> None:
    assert "Seeing what drove an answer" in heads(build(explanation=explanation()), "may")
    for bad in (explanation(passed=False), explanation(outside=0.8)):
        report = build(explanation=bad)
        assert "Taking heat maps for reasons" in heads(report, "may_not")
        assert "Seeing what drove an answer" not in heads(report, "may")


def test_what_was_measured_besides_has_its_place(build: Any, simulate_binary: Any) -> None:
    predictions = simulate_binary()
    bins = reliability_bins(predictions.probabilities[:, 1], predictions.targets == 1)
    scaled = {name: figure(0.02) for name in ("ece", "brier", "log_loss")}
    group = {"n": 90, "n_patients": 40, "prevalence": figure(0.5)}
    rates = {name: figure(0.8) for name in ("auroc", "accuracy", "sensitivity", "specificity")}
    gap = {"value": -0.1, "low": -0.15, "high": -0.05}
    measured = {
        "operating_point": summarise_operating_point(predictions, 0.4, "youden", resamples=100),
        "decision_curve": decision_curve(predictions, resamples=100),
        "calibration": {
            "kind": "temperature",
            "crossfitted": True,
            "folds": 5,
            "before": scaled,
            "after": scaled,
            "bins_before": bins,
            "bins_after": bins,
        },
        "subgroups": {
            "sex": {
                "groups": [
                    {"name": "F", **group, **rates},
                    {"name": "M", **group, **rates},
                    {"name": "X", "n": 3, "n_patients": 3, "refused": "3 patients"},
                ],
                "worst": {"accuracy": {"name": "F", "value": 0.7, "gap": gap}},
                "missing": 2,
            }
        },
    }
    report = build(measured=measured)
    text = Text(page_of(report, {})).text
    for told in (
        "Before and after scaling", "ECE 0.020 (0.010 to 0.030)",
        "in 5 folds by patient", "Decision curve",
        "The rule: youden", "Not measured: X (3 images: 3 patients)",
        "2 images do not say their sex", "Accuracy is lowest where sex is F: \N{MINUS SIGN}0.100",
    ):  # fmt: skip
        assert told in text
    assert measured["operating_point"]["sentence"] in text
    assert "Saying that it serves all groups alike" in heads(report, "may_not")
    measured["subgroups"]["sex"]["worst"]["accuracy"]["beyond_chance"] = False
    assert "is lowest where" not in Text(page_of(build(measured=measured), {})).text


def test_chance_is_no_verdict_to_use_it(build: Any) -> None:
    report = build(measured={"auroc": {"value": 0.55, "low": 0.45, "high": 0.65, "n": 300}})
    assert report["verdict"]["headline"].startswith(
        "Not shown to distinguish PNEUMONIA from NORMAL"
    )
    assert heads(report, "may") == ["Trying the software out"]
    better = build(measured={"auroc": {"value": 0.85, "low": 0.81, "high": 0.9, "n": 300}})
    assert "moderately well on validation images" in better["verdict"]["headline"]


def test_no_praise_of_few_patients_or_without_an_interval(build: Any) -> None:
    """16 images, all of them ranked rightly."""
    perfect = {"value": 1.0, "low": 0.99, "high": 1.0, "n": 16}
    few = build(measured={"auroc": perfect}, size={"n": 16, "patients": 9})["verdict"]
    assert "too few to say how well it distinguishes PNEUMONIA from NORMAL" in few["headline"]
    assert [one["head"] for one in few["may"]] == ["Trying the software out"]
    assert "100 of each class are the least" in few["may"][0]["text"]
    bare = build(measured={"auroc": {"value": 1.0, "reason": "no interval", "n": 600}})["verdict"]
    assert bare["headline"].startswith("Not shown to distinguish")
    for verdict in (few, bare):
        assert "well" not in str(verdict["may"]) and "Even at the lower end" not in str(verdict)


def test_a_test_split_is_no_longer_missed(build: Any) -> None:
    assert build()["verdict"]["doubt"] == "Not yet shown on a test set."
    assert build("test")["verdict"]["doubt"] == ""
    assert "these very images" in build("train")["verdict"]["doubt"]


def test_no_folder_and_no_nan_is_written(build: Any) -> None:
    settings = {"data": "/home/anna/images", "out": "C:\\Users\\anna\\run", "rate": math.nan}
    report = build(settings=settings, environment={"python": "3", "versions": {"cxr": "1"}})
    assert report["parts"]["settings"] == {"data": "images", "out": "run", "rate": None}
    assert "anna" not in page_of(report, {})
    assert tidy([Path("/x/y"), ("a/b", 1, None, True)]) == ["y", ["a/b", 1, None, True]]


def test_history_is_drawn_from_three_epochs_on(tmp_path: Path, build: Any) -> None:
    path = tmp_path / "history.csv"
    rows = [f"0,{i},{1 / (i + 1)},{1 / (i + 2)},0.9,1.5" for i in range(3)]
    path.write_text("\n".join(["phase,epoch,train_loss,valid_loss,auroc,seconds", *rows]))
    history = read_history(path)
    assert history[2] == pytest.approx(
        {
            "phase": 0,
            "epoch": 2,
            "train_loss": 1 / 3,
            "valid_loss": 0.25,
            "auroc": 0.9,
            "seconds": 1.5,
        }
    )
    assert page_of(build(history=history), {}).count("by epoch</figcaption>") == 2
    two = page_of(build(history=history[:2]), {})
    assert "by epoch</figcaption>" not in two and "0.5000" in two
    path.write_text("epoch\nx\n")
    with pytest.raises(DataError, match="not a training history"):
        read_history(path)


def test_flow_counts_images_and_patients(build: Any) -> None:
    table = pd.DataFrame(
        {
            "path": [f"{i}.png" for i in range(8)],
            "label": ["well"] * 5 + ["ill"] * 3,
            "patient": ["a", "a", "b", "c", "d", "e", "e", None],
        }
    )
    manifest = Manifest(table, Path("images"), ("well", "ill"), False, "")
    rows = {"train": [0, 1, 2, 5], "valid": [3, 6], "test": []}
    flow = flow_facts(manifest, rows, quarantined=2, unreadable=1)
    assert flow["found"] == 10 and set(flow["splits"]) == {"train", "valid"}
    assert flow["left_out"] == [
        {"why": "quarantined by cxr check", "n": 2},
        {"why": "unreadable", "n": 1},
        {"why": "not used", "n": 1},
    ]
    assert flow["splits"]["train"] == {
        "n": 4,
        "n_patients": 3,
        "classes": {"well": {"n": 3, "n_patients": 2}, "ill": {"n": 1, "n_patients": 1}},
    }
    text = Text(page_of(build(flow=flow), {})).text
    assert "10 images found" in text and "4 images, 3 patients" in text and "1 unreadable" in text


def test_sure_answers_are_counted(build: Any, simulate_binary: Any) -> None:
    predictions = simulate_binary(n=200)
    sure = predictions.probabilities.max(axis=1) > 0.8
    unlike = np.arange(200) < 10
    facts = summarise_abstention(predictions, sure.tolist(), unlike.tolist(), sentences=["A rule."])
    right = predictions.table["correct"].to_numpy(bool)
    values = {name: one["value"] for name, one in facts["figures"].items()}
    assert values == pytest.approx(
        {
            "Confident answers": sure.mean(),
            "Right where confident": right[sure].mean(),
            "Right where not confident": right[~sure].mean(),
            "Images called unlike the training images": 0.05,
        }
    )
    assert all(one["low"] < one["value"] < one["high"] for one in facts["figures"].values())
    text = Text(page_of(build(abstention=facts), {})).text
    assert "A rule." in text and "Right where confident" in text
    unjudged = summarise_abstention(predictions, [None] * 200, [None] * 200, set_here=True)
    assert unjudged == {"sentences": [], "out_of_distribution_checked": False, "figures": {}}
    assert "Images of another kind" in heads(build(abstention=unjudged), "may_not")
    assert "Images of another kind" not in heads(build(abstention=facts), "may_not")


def test_a_part_of_another_kind_is_refused() -> None:
    with pytest.raises(UsageError, match=r"check has no data, summary; .*check\.json of cxr check"):
        ReportContext(check={"findings": []})
