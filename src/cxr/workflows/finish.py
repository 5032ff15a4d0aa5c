"""What follows training: choose on validation images, export, measure, write."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .._io import read_json, write_text
from .._io.run_files import CARD, CHECK, ENVIRONMENT, FIGURES, HISTORY, MODEL, REPORT
from ..apply import Predictor, load_learner
from ..apply.decision.rules import DecisionRules
from ..apply.engine import NetworkOutputs
from ..apply.explain.explanation import make_explanation
from ..bundle import BundleConfig, model_card
from ..config import RunConfig
from ..evaluate.threshold import DEFAULT_RULE
from ..find import Manifest
from ..prepare.image_set import ImageSet
from ..report import MeasureSettings, ReportContext, evaluate_predictions, read_history
from ..report.card import card_figures
from ..report.checklists import read_run_facts, write_checklists
from ..train import Learner
from .describe import (
    abstention_of,
    calibration_of,
    describe_population,
    model_facts,
    run_flow,
    subgroups,
)
from .evaluate import Evaluated, how_it_answers, predict_decoded
from .evaluate import more_figures as evaluated_figures
from .select import Selection, select_on_validation
from .set_aside import RunData, shared_facts

BLOCK = 4096  # images in memory at a time


@dataclass(frozen=True)
class RunResult:
    """What a finished run left behind."""

    folder: Path
    model: Path
    report: Path
    metrics: dict[str, Any]


def finish_run(config: RunConfig, run: Path, learner: Learner, data: RunData) -> RunResult:
    """Chooses on validation images, exports, and measures on these and on the test images."""
    manifest = data.development
    chosen = select_on_validation(config, learner, manifest)
    learner.export(
        (run / MODEL).absolute(),
        **chosen.calibration.for_bundle(),
        **thresholds_for_bundle(chosen),
        positive=chosen.predictions.positive,
        population=config.population or describe_population(manifest),
        fingerprint=manifest.fingerprint(),
        abstention=chosen.abstention,
    )
    binary = chosen.predictions.binary
    predictor = load_learner(run / MODEL)
    predictions = {"valid": chosen.predictions}
    more = {"valid": more_figures(config, learner, manifest, chosen)}
    tested = test_predictions(predictor, data)
    if tested is not None:
        predictions = {"test": tested.predictions, **predictions}
        more["test"] = test_figures(config, predictor, data, tested)
    metrics = evaluate_predictions(
        predictions,
        run,
        MeasureSettings(
            threshold=chosen.threshold,
            rule=(config.threshold or DEFAULT_RULE) if binary else "",
            seed=config.seed,
        ),
        replace(
            report_context(config, run, learner, data, chosen, predictor),
            abstention=how_it_abstains(predictor, chosen, learner.dls.valid.images, tested),
        ),
        more=more,
        before_done=partial(write_card_and_checklists, run),
    )
    return RunResult(run, run / MODEL, run / REPORT, metrics)


def thresholds_for_bundle(chosen: Selection) -> dict[str, Any]:
    """Of `ExportFacts`: one threshold, or those of several labels."""
    several = isinstance(chosen.threshold, tuple)
    return {"thresholds" if several else "threshold": chosen.threshold}


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


def test_predictions(predictor: Predictor, data: RunData) -> Evaluated | None:
    """By the finished file and its rules; None where there are no test images."""
    if data.test is None or data.decoded is None:
        return None
    return predict_decoded(predictor, data.test, data.decoded, "test")


def test_figures(
    config: RunConfig, predictor: Predictor, data: RunData, tested: Evaluated
) -> dict[str, Any]:
    """The same of test images, which the calibration has not seen; and how far they stand apart."""
    figures = evaluated_figures(predictor.config, tested, {}, config.seed)
    point = predictor.config.operating_point
    groups = subgroups(tested.predictions, tested.manifest, point, config.seed)
    return {
        "set_aside": shared_facts(data),
        **figures,
        **({"subgroups": groups} if groups else {}),
    }


def report_context(
    config: RunConfig,
    run: Path,
    learner: Learner,
    data: RunData,
    chosen: Selection,
    predictor: Predictor,
) -> ReportContext:
    """What the run knows beside its figures and how it abstains."""
    manifest = data.development
    explanation = None
    if config.explain:
        explanation = make_explanation(
            predictor,
            chosen.predictions,
            learner.dls.valid.images,
            learner.dls.train.images,
            run / FIGURES,
            root=manifest.root,
            seed=config.seed,
        )
    return ReportContext(
        model_facts=model_facts(config, learner, data, chosen.calibration),
        population=config.population or describe_population(manifest),
        check=read_json(run / CHECK) if (run / CHECK).is_file() else None,
        history=read_history(run / HISTORY),
        environment=read_json(run / ENVIRONMENT),
        settings=vars(config),
        flow=run_flow(learner, data),
        explanation=explanation,
        images=images_of(explanation, run / FIGURES),
    )


def how_it_abstains(
    predictor: Predictor, chosen: Selection, valid: ImageSet, tested: Evaluated | None
) -> dict[str, Any]:
    """On test images where there are any; else on those that set the rules."""
    if tested is not None:
        return how_it_answers(predictor, tested)
    outputs = NetworkOutputs.from_torch(chosen.outputs)
    far = distances(predictor.rules, outputs, valid)
    return abstention_of(
        predictor, chosen.predictions, outputs.logits, far, valid.frames, set_here=True
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
        card_figures(facts.figures, facts.split, facts.metrics.get("valid")),
        settings=facts.settings,
        environment=facts.environment,
    )
    write_text(run / CARD, card)
    write_checklists(run, facts)
