"""What follows training: choose on validation images, export, measure, write."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .._io import read_json, write_text
from .._io.run_files import CARD, ENVIRONMENT, FIGURES, HISTORY, MODEL, REPORT
from ..apply import load_learner
from ..apply.decision.rules import DecisionRules
from ..apply.engine import NetworkOutputs
from ..apply.explain.explanation import make_explanation
from ..bundle import BundleConfig, model_card
from ..config import RunConfig
from ..find import Manifest
from ..prepare.image_set import ImageSet
from ..report import MeasureSettings, ReportContext, evaluate_predictions, read_history
from ..report.card import card_figures
from ..report.checklists import read_run_facts, write_checklists
from ..train import Learner
from .describe import (
    abstention_of,
    calibration_of,
    check_of,
    describe_population,
    model_facts,
    run_flow,
    subgroups,
)
from .select import Selection, select_on_validation

BLOCK = 4096  # images in memory at a time


@dataclass(frozen=True)
class RunResult:
    """What a finished run left behind."""

    folder: Path
    model: Path
    report: Path
    metrics: dict[str, Any]


def finish_run(config: RunConfig, run: Path, learner: Learner, manifest: Manifest) -> RunResult:
    """Everything here is chosen on validation images, and measured on them."""
    chosen = select_on_validation(config, learner, manifest)
    population = config.population or describe_population(manifest)
    learner.export(
        (run / MODEL).absolute(),
        **chosen.calibration.for_bundle(),
        threshold=chosen.threshold,
        positive=chosen.predictions.positive,
        population=population,
        fingerprint=manifest.fingerprint(),
        abstention=chosen.abstention,
    )
    binary = chosen.predictions.binary
    metrics = evaluate_predictions(
        {"valid": chosen.predictions},
        run,
        MeasureSettings(
            threshold=chosen.threshold if binary else None,
            rule=config.threshold if binary else "",
            seed=config.seed,
        ),
        report_context(config, run, learner, manifest, chosen),
        more={"valid": more_figures(config, learner, manifest, chosen)},
        before_done=partial(write_card_and_checklists, run),
    )
    return RunResult(run, run / MODEL, run / REPORT, metrics)


def more_figures(
    config: RunConfig, learner: Learner, manifest: Manifest, chosen: Selection
) -> dict[str, Any]:
    """What a table of predictions alone cannot give."""
    images, predictions = learner.dls.valid.images, chosen.predictions
    calibration = calibration_of(
        chosen.calibration,
        chosen.outputs.logits.numpy(),
        images.targets,
        predictions,
        crossfit=True,
        seed=config.seed,
    )
    shown = manifest.select(images.rows)
    groups = subgroups(predictions, shown, chosen.threshold, config.seed)
    return {"calibration": calibration, **({"subgroups": groups} if groups else {})}


def report_context(
    config: RunConfig, run: Path, learner: Learner, manifest: Manifest, chosen: Selection
) -> ReportContext:
    """What the run knows beside its figures."""
    check, images = check_of(config, manifest), learner.dls.valid.images
    predictor = load_learner(run / MODEL)
    outputs = NetworkOutputs.from_torch(chosen.outputs)
    far = distances(predictor.rules, outputs, images)
    explanation = None
    if config.explain:
        explanation = make_explanation(
            predictor,
            chosen.predictions,
            images,
            learner.dls.train.images,
            run / FIGURES,
            root=manifest.root,
            seed=config.seed,
        )
    return ReportContext(
        model_facts=model_facts(config, learner, chosen.calibration),
        population=config.population or describe_population(manifest),
        check=check,
        history=read_history(run / HISTORY),
        environment=read_json(run / ENVIRONMENT),
        settings=vars(config),
        flow=run_flow(learner, manifest, check),
        abstention=abstention_of(
            predictor, chosen.predictions, outputs.logits, far, images.frames, set_here=True
        ),
        explanation=explanation,
        images=images_of(explanation, run / FIGURES),
    )


def distances(rules: DecisionRules, outputs: NetworkOutputs, images: ImageSet) -> np.ndarray | None:
    """`DecisionRules.distances` of all images, of which a few thousand are in memory at a time."""
    parts = []
    for start in range(0, len(images), BLOCK):
        some = slice(start, start + BLOCK)
        few = NetworkOutputs(*(array[some] for array in outputs))
        parts.append(rules.distances(few, images.pixels[images.rows[some]]))
    known = [far for far in parts if far is not None]
    return np.concatenate(known) if known else None


def images_of(explanation: dict[str, Any] | None, folder: Path) -> dict[str, bytes]:
    """By the names that the examples and their neighbours call them."""
    if explanation is None:
        return {}
    examples = [one for some in explanation["examples"].values() for one in some]
    shown = [*examples, *(near for one in examples for near in one["neighbours"])]
    return {one["image"]: (folder / one["image"]).read_bytes() for one in shown}


def write_card_and_checklists(run: Path, metrics: dict[str, Any]) -> None:
    """The model card and the reporting checklists, from the files of the run."""
    facts = read_run_facts(run, metrics=metrics)
    card = model_card(
        BundleConfig.from_json(json.dumps(facts.model)),
        card_figures(facts.figures, facts.split),
        settings=facts.settings,
        environment=facts.environment,
    )
    write_text(run / CARD, card)
    write_checklists(run, facts)
