"""What follows training: calibrate, choose the operating point, export, measure, report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .._io import read_json, say, write_text
from .._io.run_files import CARD, ENVIRONMENT, FIGURES, HISTORY, MODEL, REPORT
from ..apply import Predictor, load_learner
from ..apply.decision.confidence import confidences, rules_in_words
from ..apply.decision.rules import DecisionRules
from ..apply.engine import NetworkOutputs
from ..apply.explain.facts import explanation_facts
from ..backbones import TorchOutputs
from ..bundle import AbstentionRules, BundleConfig, model_card
from ..config import RunConfig
from ..errors import UsageError
from ..evaluate import (
    Predictions,
    abstention_facts,
    choose_threshold,
    make_predictions,
    measure_subgroups,
)
from ..evaluate.abstention.fit import fit_abstention_rules
from ..evaluate.calibration import Calibration, calibration_facts, choose_calibration
from ..find import Manifest
from ..find.fetch import receipt
from ..prepare.batches import ImageSet
from ..report import ReportParts, flow_facts, read_history
from ..report.checklists import read_run_facts, write_checklists
from ..report.results import evaluate_predictions
from ..train import Learner

DESCRIBING = ("age", "sex", "view", "site")  # columns by which subgroups are judged unasked
CHANGED_PASSES = 2
BLOCK = 4096  # images in memory at a time
TRAINED = {"full": "head and whole body", "cached": "head and upper half of the body"}


@dataclass(frozen=True)
class RunResult:
    """What a finished run left behind."""

    folder: Path
    model: Path
    report: Path
    metrics: dict[str, Any]


@dataclass(frozen=True)
class Judged:
    """The validation images as the network saw them, and what was chosen on them."""

    outputs: TorchOutputs
    calibration: Calibration
    predictions: Predictions  # decided at the threshold
    threshold: float
    abstention: AbstentionRules

    @property
    def positive_index(self) -> int:
        return self.predictions.positive_index if self.predictions.binary else 1


def finish_run(config: RunConfig, run: Path, learner: Learner, manifest: Manifest) -> RunResult:
    """Everything here is chosen on validation images, and measured on them."""
    judged = judge(config, learner, manifest)
    population = config.population or describe_population(manifest)
    learner.export(
        (run / MODEL).absolute(),
        **judged.calibration.for_bundle(),
        threshold=judged.threshold,
        positive=judged.predictions.positive,
        population=population,
        fingerprint=manifest.fingerprint(),
        abstention=judged.abstention,
    )
    binary = judged.predictions.binary
    metrics = evaluate_predictions(
        {"valid": judged.predictions},
        run,
        threshold=judged.threshold if binary else None,
        rule=config.threshold if binary else "",
        seed=config.seed,
        model_facts=model_facts(config, learner, judged.calibration),
        population=population,
        parts=report_parts(config, run, learner, manifest, judged),
        more={"valid": more_figures(config, learner, manifest, judged)},
        before_done=partial(write_papers, run),
    )
    return RunResult(run, run / MODEL, run / REPORT, metrics)


def judge(config: RunConfig, learner: Learner, manifest: Manifest) -> Judged:
    """Calibration, operating point and the rules for not answering, from one pass."""
    outputs, targets = learner.network_outputs("valid")
    logits, images = outputs.logits.numpy(), learner.dls.valid.images
    groups = make_predictions(**learner.predictions("valid", outputs.logits)).patient_groups
    calibration = choose_calibration(logits, targets.numpy(), groups, seed=config.seed)
    predictions = as_predictions(learner, manifest, calibration, outputs.logits)
    threshold = operating_point(config, learner, calibration, predictions)
    abstention = fit_abstention_rules(
        logits,
        outputs.features.numpy(),
        outputs.middle.numpy(),
        images.pixels,
        targets.numpy(),
        images.patients,
        learner.dls.classes,
        rows=images.rows,
        multi_label=learner.dls.multi_label,
    )
    return Judged(outputs, calibration, predictions.at(threshold), threshold, abstention)


def more_figures(
    config: RunConfig, learner: Learner, manifest: Manifest, judged: Judged
) -> dict[str, Any]:
    """What a table of predictions alone cannot give."""
    images, predictions = learner.dls.valid.images, judged.predictions
    calibration = calibration_facts(
        judged.outputs.logits.numpy(),
        images.targets,
        predictions.patient_groups,
        judged.calibration,
        positive=judged.positive_index,
        seed=config.seed,
    )
    shown = manifest.select(images.rows)
    groups = subgroups(predictions, shown, judged.threshold, config.seed)
    return {"calibration": calibration, **({"subgroups": groups} if groups else {})}


def as_predictions(
    learner: Learner, manifest: Manifest, calibration: Calibration, logits: torch.Tensor
) -> Predictions:
    calibrated = torch.from_numpy(calibration.apply(logits.numpy()))
    columns = learner.predictions("valid", calibrated)
    columns["paths"] = relative(columns["paths"], manifest.root)
    return make_predictions(**columns)


def operating_point(
    config: RunConfig, learner: Learner, calibration: Calibration, predictions: Predictions
) -> float:
    """0.5 where no single threshold applies: several labels, or more than two classes.

    Where images are changed in training as other machines would have made them, Youden's and cost
    rules look at the validation images so changed, too: a threshold that suits these as well holds
    better on the next hospital's (`docs/log.md`). A wanted share is that of the images themselves.
    """
    if not predictions.binary:
        return 0.5
    by_share = config.threshold.startswith(("sensitivity", "specificity"))
    if config.recipe != "robust" or not config.augment or by_share:
        return choose_threshold(predictions, config.threshold)
    logits = calibration.apply(learner.augmented_logits(CHANGED_PASSES).numpy())
    chances = [predictions.probabilities, learner.probabilities(torch.from_numpy(logits)).numpy()]
    times = 1 + CHANGED_PASSES
    together = make_predictions(
        predictions.table["path"].tolist() * times,
        np.concatenate(chances),
        np.tile(predictions.targets, times),
        predictions.classes,
        patients=predictions.table["patient"].tolist() * times,
        positive=predictions.positive,
    )
    return choose_threshold(together, config.threshold)


def relative(paths: Sequence[Path], root: Path) -> list[str]:
    """As the manifest writes them."""
    root = root.absolute()
    return [path.relative_to(root).as_posix() for path in paths]


def abstention_of(
    predictor: Predictor,
    predictions: Predictions,
    logits: np.ndarray,
    distances: np.ndarray | None,
    *,
    set_here: bool = False,
) -> dict[str, Any]:
    """How often the model is sure, and how often rightly; its rules in words.

    `logits` and `distances` are of the same images as the predictions, as given by
    `Predictor.logits_and_distances`.
    """
    judged = confidences(predictor.rules, logits, distances, predictions.probabilities.tolist())
    return abstention_facts(
        predictions,
        [one.confident for one in judged],
        [one.out_of_distribution for one in judged],
        sentences=rules_in_words(predictor.rules),
        set_here=set_here,
    )


def images_of(explanation: dict[str, Any] | None, folder: Path) -> dict[str, bytes]:
    """By the names that the examples and their neighbours call them."""
    if explanation is None:
        return {}
    examples = [one for some in explanation["examples"].values() for one in some]
    shown = [*examples, *(near for one in examples for near in one["neighbours"])]
    return {one["image"]: (folder / one["image"]).read_bytes() for one in shown}


def subgroups(
    predictions: Predictions, manifest: Manifest, threshold: float, seed: int
) -> dict[str, Any]:
    """By age, sex, view and site, where the images have them; what makes no groups is said."""
    found: dict[str, Any] = {}
    for name in DESCRIBING:
        if name in manifest.table and manifest.table[name].nunique() > 1:
            values = manifest.table[name].tolist()
            try:
                found |= measure_subgroups(predictions, {name: values}, threshold, seed=seed)
            except UsageError as error:
                say(f"no subgroups: {error}")
    return found


def describe_population(manifest: Manifest) -> str:
    """What is known of whom the images show; the user's own words are better."""
    known = (receipt(manifest.root) or {}).get("population")  # there when cxr fetched the data
    if known:
        return str(known)
    table = manifest.table
    parts = [f"{len(manifest):,} images from {manifest.root.absolute().name!r}"]
    patients = {patient for patient in manifest.patients() if patient is not None}
    if patients:
        parts.append(f"{len(patients):,} patients")
    if "age" in table and table["age"].notna().any():
        parts.append(f"ages {table['age'].min():g} to {table['age'].max():g}")
    if "sex" in table and table["sex"].notna().any():
        parts.append(f"sex {', '.join(sorted(set(table['sex'].dropna().astype(str))))}")
    return ", ".join(parts) + "; not described further"


def caveats(config: RunConfig, learner: Learner) -> list[str]:
    """What a reader must know before the figures."""
    found = []
    known = [patient for patient in learner.dls.items.patients if patient is not None]
    if config.split == "random":
        found.append(
            "The split is random by image: a patient may be on both sides, and then the figures "
            "are too good."
        )
    elif not known:
        found.append("No patient identity was found: images of one patient may be on both sides.")
    if not learner.model.pretrained:
        found.append("The network was trained from random numbers, without pretrained weights.")
    return found


def model_facts(config: RunConfig, learner: Learner, calibration: Calibration) -> dict[str, Any]:
    dls = learner.dls
    return {
        "backbone": config.backbone,
        "initial weights": learner.weights_source,
        "input": f"{config.size} x {config.size} pixels, {config.resize}",
        "recipe": config.recipe,
        "training": TRAINED[learner.strategy],
        "split": f"{config.split}, seed {config.seed}",
        "training images": len(dls.train.images),
        "validation images": len(dls.valid.images),
        "unreadable images left out": len(dls.unreadable),
        "calibration": calibration.kind,
        "temperature": round(calibration.temperature, 4),
        "caveats": caveats(config, learner),
    }


def distances(rules: DecisionRules, outputs: NetworkOutputs, images: ImageSet) -> np.ndarray | None:
    """`DecisionRules.distances` of all images, of which a few thousand are in memory at a time."""
    found = []
    for start in range(0, len(images), BLOCK):
        some = slice(start, start + BLOCK)
        few = NetworkOutputs(*(array[some] for array in outputs))
        found.append(rules.distances(few, images.pixels[images.rows[some]]))
    known = [far for far in found if far is not None]
    return np.concatenate(known) if known else None


def report_parts(
    config: RunConfig, run: Path, learner: Learner, manifest: Manifest, judged: Judged
) -> ReportParts:
    """What the run knows beside its figures."""
    check, images = check_of(config, manifest), learner.dls.valid.images
    predictor = load_learner(run / MODEL)
    outputs = NetworkOutputs.from_torch(judged.outputs)
    far = distances(predictor.rules, outputs, images)
    explanation = None
    if config.explain:
        explanation = explanation_facts(
            predictor,
            judged.predictions,
            images,
            learner.dls.train.images,
            run / FIGURES,
            root=manifest.root,
            seed=config.seed,
        )
    return ReportParts(
        check=check,
        history=read_history(run / HISTORY),
        environment=read_json(run / ENVIRONMENT),
        settings=vars(config),
        flow=flow_facts(
            manifest,
            rows_of_parts(learner, manifest),
            quarantined=check["data"]["images"] - len(manifest) if check else 0,
            unreadable=len(learner.dls.unreadable),
        ),
        abstention=abstention_of(predictor, judged.predictions, outputs.logits, far, set_here=True),
        explanation=explanation,
        images=images_of(explanation, run / FIGURES),
    )


def rows_of_parts(learner: Learner, manifest: Manifest) -> dict[str, Sequence[int]]:
    """Trained on, validated on, and kept for testing."""
    rows: dict[str, Sequence[int]] = {
        "train": learner.dls.train.images.rows.tolist(),
        "valid": learner.dls.valid.images.rows.tolist(),
    }
    used = set(rows["train"]) | set(rows["valid"])
    known = manifest.splits() or []
    rows["test"] = [i for i, name in enumerate(known) if name == "test" and i not in used]
    return rows


def check_of(config: RunConfig, manifest: Manifest) -> dict[str, Any] | None:
    """What `cxr check` found in these data, where its list of faulty files was used."""
    if config.quarantine is None:
        return None
    path = Path(config.quarantine).with_name("check.json")
    if not path.is_file():
        return None
    check = read_json(path)
    data = check.get("data", {})
    of_these = data.get("name") == manifest.root.absolute().name
    return check if of_these and data.get("images", 0) >= len(manifest) else None


def write_papers(run: Path, metrics: dict[str, Any]) -> None:
    """The model card and the reporting checklists, from the files of the run."""
    facts = read_run_facts(run, metrics=metrics)
    card = model_card(
        BundleConfig.from_json(json.dumps(facts.model)),
        facts.figures,
        split=facts.split,
        settings=facts.settings,
        environment=facts.environment,
    )
    write_text(run / CARD, card)
    write_checklists(run, facts)
