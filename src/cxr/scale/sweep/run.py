"""Many settings tried, one chosen on inner images, that one measured once on outer images.

OUT/plan.json              what was sweep for; another is refused
OUT/outer.csv, inner-K.csv the splits (`nested`)
OUT/trials/NAME/           a run folder, or with several folds NAME/K/ one each
OUT/chosen.json            the choice, written before an outer validation image is looked at
OUT/best/                  the chosen setting on all outer training images: a run as any other
OUT/sweep.csv, sweep.html, sweep.json (last: where it is, all is done)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..._io import read_json, say, write_json
from ..._io.run_files import HISTORY, METRICS, REPORT_JSON
from ...config import RunConfig
from ...errors import CxrError, TrainingError
from ...evaluate.schema import about
from ...report import read_history
from ...train.resume.lock import locked
from ...train.resume.run_folder import clear_unfinished
from ...workflows.train import read_run_manifest, train_run
from .nested import Nested, check_outside, decode_once, inner_config, nest, write_tables
from .page import caveats, sentences, write_page, write_table
from .plan import PLAN, Space, Sweep, Trial, check_folder, in_words, plan_of, trials_of
from .ranking import TrialScore, choice_of, optimism, rows_of, score_runs
from .trials import Train, TrialTask, reason_of

CHOSEN, SWEEP, BEST = "chosen.json", "sweep.json", "best"
OUTER_SEED = 1000  # added, so that inner and outer resamples are drawn apart
Facts = dict[str, Any]


def run_sweep(sweep: Sweep, out: Path | str, *, train: Train = train_run) -> Facts:
    """Carries it out in `out`; returns what `sweep.json` holds. After any interruption: again.

    `train(config, folder)` trains one run. A trial that fails is a row with its reason.
    Raises UsageError for settings that no run takes or a folder that is not this sweep's,
    DataError when the images have changed, TrainingError when all trials fail or the last run.
    """
    out, space = Path(out).absolute(), sweep.space()
    trials = trials_of(space, sweep.search, sweep.trials)
    plan = plan_of(sweep, space)
    check_folder(out, space.base, plan)
    if (out / SWEEP).is_file():
        say(f"{out} is finished already")
        return _read(out / SWEEP)
    nested = nest(space.base, read_run_manifest(space.base), sweep.inner_folds)
    with locked(out), sweep.engine.ready():
        clear_unfinished(out)
        write_json(out / PLAN, plan)
        write_tables(nested, out)
        if not (out / CHOSEN).is_file():
            write_json(out / CHOSEN, _choose(sweep, space, trials, nested, out, train))
        result = _measure(sweep, trials, nested, out, train)
        write_table(result["trials"], out / "sweep.csv")
        write_page(result, out / "sweep.html")
        write_json(out / SWEEP, result)
    return result


def _choose(
    sweep: Sweep, space: Space, trials: list[Trial], nested: Nested, out: Path, train: Train
) -> Facts:
    """Raises TrainingError, with the reasons in `sweep.csv`, when no trial came to its end."""
    running = Trials(sweep, trials, nested, out)
    running.run(train)
    rows = rows_of(trials, running.scores, running.failed, running.seconds())
    if not running.scores:
        write_table(rows, out / "sweep.csv")
        first, why = next(iter(running.failed.items()))
        raise TrainingError(f"all {len(rows)} trials failed; {running.described(first)}: {why}")
    return {
        "about": about(),
        "data": _data(space.base, nested),
        "space": {name: list(values) for name, values in space.varied.items()},
        "search": sweep.search,
        "cpus_per_trial": sweep.cpus,
        "trials": rows,
        "choice": choice_of(rows, running.scores, space),
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


def _measure(sweep: Sweep, trials: list[Trial], nested: Nested, out: Path, train: Train) -> Facts:
    """The chosen setting, on images that had no part in the choice."""
    chosen, run, seed = _read(out / CHOSEN), out / BEST, sweep.config.seed
    trial = next(one for one in trials if one.name == chosen["choice"]["trial"])
    inner = score_runs(folders_of(out, trial.name, len(nested.inner)), seed)
    say(f"training trial {trial.name}, the best, on all outer training images")
    _train_best(sweep, TrialTask(BEST, ((run, trial.config),), sweep.cpus), out, train)
    check_outside(nested, run)
    outer = score_runs([run], seed + OUTER_SEED)
    result = {
        **chosen,
        "population": _population(sweep, run),
        "outer": _outer(outer, run),
        "optimism": optimism(inner, outer),
    }
    return {**result, "sentences": sentences(result)}


def _train_best(sweep: Sweep, task: TrialTask, out: Path, train: Train) -> None:
    def finished(task: TrialTask, reason: str) -> None:
        if reason:
            raise TrainingError(f"the last run, {out / BEST}, failed: {reason}")

    sweep.engine.run([task], train, finished, out / "tune")


def _outer(outer: TrialScore, run: Path) -> Facts:
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


def _population(sweep: Sweep, run: Path) -> str:
    """In the words of the run."""
    report = _read(run / REPORT_JSON) if (run / REPORT_JSON).is_file() else {}
    return sweep.config.population or str(report.get("population", "not described"))


def _read(path: Path) -> Facts:
    content: Facts = read_json(path)
    return content


class Trials:
    """`scores` and `failed` (why) by name; together they are all, once `run` returns."""

    def __init__(self, sweep: Sweep, trials: Sequence[Trial], nested: Nested, out: Path) -> None:
        self.sweep, self.trials, self.nested, self.out = sweep, trials, nested, out
        self.tasks = {
            trial.name: TrialTask(trial.name, self._runs(trial), sweep.cpus) for trial in trials
        }
        self.scores: dict[str, TrialScore] = {}
        self.failed: dict[str, str] = {}

    def _runs(self, trial: Trial) -> tuple[tuple[Path, RunConfig], ...]:
        inner = self.nested.inner
        folders = folders_of(self.out, trial.name, len(inner))
        return tuple(
            (folder, inner_config(trial.config, self.out / f"inner-{fold}.csv", table))
            for fold, (folder, table) in enumerate(zip(folders, inner, strict=True), start=1)
        )

    def run(self, train: Train) -> None:
        """What is finished already is scored, the rest is trained first."""
        for task in self.tasks.values():
            if task.done:
                self._finished(task, "")
        waiting = [trial.config for trial in self.trials if not self.tasks[trial.name].done]
        decode_once(self.nested.inner[0], waiting)
        say(f"{len(waiting):,} of {len(self.trials):,} trials to run")
        tasks = list(self.tasks.values())
        self.sweep.engine.run(tasks, train, self._finished, self.out / "tune")
        self._refuse_other_images()

    def described(self, name: str) -> str:
        settings = next(trial.settings for trial in self.trials if trial.name == name)
        return f"trial {name} ({in_words(settings)})"

    def _finished(self, task: TrialTask, reason: str) -> None:
        try:
            if reason:
                raise TrainingError(reason)
            score = score_runs([folder for folder, _ in task.runs], self.sweep.config.seed)
            self.scores[task.name] = score
            say(f"{self.described(task.name)}: AUROC {score.auroc['value']:.4f}")
        except CxrError as error:
            self.failed[task.name] = reason_of(error)
            say(f"{self.described(task.name)} failed: {self.failed[task.name]}")

    def _refuse_other_images(self) -> None:
        """Pairs need the very same images: one may be unreadable at one size alone."""
        names = sorted(self.scores)
        for name in names[1:]:
            if self.scores[name].images != self.scores[names[0]].images:
                self.failed[name] = f"scored on other images than trial {names[0]}"
        done = (name for name in names if name not in self.failed)
        self.scores = {name: self.scores[name] for name in done}  # not as they happened to end

    def seconds(self) -> dict[str, float | None]:
        """Of the training of each trial that has a score."""
        return {name: _seconds(self.tasks[name]) for name in self.scores}


def folders_of(out: Path, name: str, folds: int) -> list[Path]:
    """The run folders of a trial, one for each fold."""
    folder = out / "trials" / name
    return [folder] if folds == 1 else [folder / str(fold + 1) for fold in range(folds)]


def _seconds(task: TrialTask) -> float | None:
    """Of training alone, as its history says."""
    files = [folder / HISTORY for folder, _ in task.runs]
    if not all(file.is_file() for file in files):
        return None
    return round(sum(row["seconds"] or 0.0 for file in files for row in read_history(file)), 2)
