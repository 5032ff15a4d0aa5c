"""Many settings tried, one chosen on inner images, that one measured once on outer images.

OUT/plan.json              what was asked for; another is refused
OUT/outer.csv, inner-K.csv the splits (`nested`)
OUT/trials/NAME/           a run folder, or with several folds NAME/K/ one each
OUT/chosen.json            the choice, written before an outer validation image is looked at
OUT/best/                  the chosen setting on all outer training images: a run as any other
OUT/sweep.csv, sweep.html, sweep.json (last: where it is, all is done)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..._io import read_json, say, write_json
from ..._io.run_files import HISTORY, METRICS, REPORT_JSON
from ...config import RunConfig
from ...errors import TrainingError
from ...evaluate.schema import about
from ...report import read_history
from ...train.resume.lock import locked
from ...train.resume.run_folder import clear_unfinished
from ...workflows.train import read_run_manifest, train_run
from .choice import Trials, choice_of, folders_of, rows_of
from .nested import Nested, check_outside, nest, write_tables
from .page import write_page, write_table
from .plan import PLAN, Sweep, check_folder, plan_of
from .ranking import Judged, judge, optimism
from .space import Space, Trial, trials_of
from .text import caveats, sentences
from .trials import Task, Train

CHOSEN, SWEEP, BEST = "chosen.json", "sweep.json", "best"
OUTER_SEED = 1000  # added, so that inner and outer resamples are drawn apart
Facts = dict[str, Any]


def sweep(asked: Sweep, out: Path | str, *, train: Train = train_run) -> Facts:
    """Carries it out in `out`; returns what `sweep.json` holds. After any interruption: again.

    `train(config, folder)` trains one run. A trial that fails is a row with its reason.
    Raises UsageError for settings that no run takes or a folder that is not this sweep's,
    DataError when the images have changed, TrainingError when all trials fail or the last run.
    """
    out, space = Path(out).absolute(), asked.space()
    trials = trials_of(space, asked.search, asked.trials)
    plan = plan_of(asked, space)
    check_folder(out, space.base, plan)
    if (out / SWEEP).is_file():
        say(f"{out} is finished already")
        return _read(out / SWEEP)
    nested = nest(space.base, read_run_manifest(space.base), asked.inner_folds)
    with locked(out), asked.engine.ready():
        clear_unfinished(out)
        write_json(out / PLAN, plan)
        write_tables(nested, out)
        if not (out / CHOSEN).is_file():
            write_json(out / CHOSEN, _choose(asked, space, trials, nested, out, train))
        result = _measure(asked, trials, nested, out, train)
        write_table(result["trials"], out / "sweep.csv")
        write_page(result, out / "sweep.html")
        write_json(out / SWEEP, result)
    return result


def _choose(
    asked: Sweep, space: Space, trials: list[Trial], nested: Nested, out: Path, train: Train
) -> Facts:
    """Raises TrainingError, with the reasons in `sweep.csv`, when no trial came to its end."""
    running = Trials(asked, trials, nested, out)
    running.run(train)
    rows = rows_of(running)
    if not running.judged:
        write_table(rows, out / "sweep.csv")
        first, why = next(iter(running.failed.items()))
        raise TrainingError(f"all {len(rows)} trials failed; {running.said(first)}: {why}")
    return {
        "about": about(),
        "data": _data(space.base, nested),
        "space": {name: list(values) for name, values in space.varied.items()},
        "search": asked.search,
        "cpus_per_trial": asked.cpus,
        "trials": rows,
        "choice": choice_of(rows, running.judged, space),
    }


def _data(config: RunConfig, nested: Nested) -> Facts:
    inner = nested.inner[0].table["split"]
    return {
        "name": nested.outer.root.absolute().name,
        "images": len(nested.outer),
        "split": config.split,
        "seed": config.seed,
        "outer_train": len(nested.paths("train")),
        "outer_valid": len(nested.paths("valid")),
        "inner_folds": len(nested.inner),
        "inner_train": int((inner == "train").sum()),
        "inner_valid": int((inner == "valid").sum()),
        "caveats": caveats(config, nested.outer.patients()),
    }


def _measure(asked: Sweep, trials: list[Trial], nested: Nested, out: Path, train: Train) -> Facts:
    """The chosen setting, on images that had no part in the choice."""
    chosen, run, seed = _read(out / CHOSEN), out / BEST, asked.config.seed
    trial = next(one for one in trials if one.name == chosen["choice"]["trial"])
    inner = judge(folders_of(out, trial.name, len(nested.inner)), seed)
    say(f"training trial {trial.name}, the best, on all outer training images")
    _train_best(asked, Task(BEST, ((run, trial.config),), asked.cpus), out, train)
    check_outside(nested, run)
    outer = judge([run], seed + OUTER_SEED)
    result = {
        **chosen,
        "population": _population(asked, run),
        "outer": _outer(outer, run),
        "optimism": optimism(inner, outer),
    }
    return {**result, "sentences": sentences(result)}


def _train_best(asked: Sweep, task: Task, out: Path, train: Train) -> None:
    def finished(task: Task, reason: str) -> None:
        if reason:
            raise TrainingError(f"the last run, {out / BEST}, failed: {reason}")

    asked.engine.run([task], train, finished, out / "tune")


def _outer(outer: Judged, run: Path) -> Facts:
    stated = _read(run / METRICS)["valid"]
    return {
        "run": run.name,
        "n": stated["n"],
        "n_patients": stated["n_patients"],
        "auroc": outer.auroc,
        "log_loss": outer.log_loss,
        "epoch": _epoch(run / HISTORY),
    }


def _epoch(history: Path) -> Facts | None:
    """Which epoch the run kept, and the AUROC of its last; None where it left no history."""
    rows = read_history(history) if history.is_file() else []
    losses = [row["valid_loss"] for row in rows]
    known = [loss for loss in losses if loss is not None]
    if not known:
        return None
    taken = losses.index(min(known)) + 1
    return {"taken": taken, "of": len(rows), "auroc_at_last": rows[-1].get("auroc")}


def _population(asked: Sweep, run: Path) -> str:
    """In the words of the run."""
    report = _read(run / REPORT_JSON) if (run / REPORT_JSON).is_file() else {}
    return asked.config.population or str(report.get("population", "not described"))


def _read(path: Path) -> Facts:
    found: Facts = read_json(path)
    return found
