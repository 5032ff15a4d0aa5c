"""The trials of a sweep, run and judged on inner images; the best of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..._io import say
from ..._io.run_files import HISTORY
from ...config import RunConfig
from ...errors import CxrError, TrainingError
from ...report import read_history
from .nested import Nested, decode_once, inner_config
from .plan import Sweep
from .ranking import Judged, Lead, behind, best_of, judge
from .space import Space, Trial, in_words
from .trials import Task, Train, reason_of

Row = dict[str, Any]


class Trials:
    """`judged` and `failed` (why) by name; together they are all, once `run` returns."""

    def __init__(self, asked: Sweep, trials: Sequence[Trial], nested: Nested, out: Path) -> None:
        self.asked, self.trials, self.nested, self.out = asked, trials, nested, out
        self.tasks = {
            trial.name: Task(trial.name, self._runs(trial), asked.cpus) for trial in trials
        }
        self.judged: dict[str, Judged] = {}
        self.failed: dict[str, str] = {}

    def _runs(self, trial: Trial) -> tuple[tuple[Path, RunConfig], ...]:
        inner = self.nested.inner
        folders = folders_of(self.out, trial.name, len(inner))
        return tuple(
            (folder, inner_config(trial.config, self.out / f"inner-{fold}.csv", table))
            for fold, (folder, table) in enumerate(zip(folders, inner, strict=True), start=1)
        )

    def run(self, train: Train) -> None:
        """What is finished already is judged, the rest is trained first."""
        for task in self.tasks.values():
            if task.done:
                self._finished(task, "")
        waiting = [trial.config for trial in self.trials if not self.tasks[trial.name].done]
        decode_once(self.nested.inner[0], waiting)
        say(f"{len(waiting):,} of {len(self.trials):,} trials to run")
        tasks = list(self.tasks.values())
        self.asked.engine.run(tasks, train, self._finished, self.out / "tune")
        self._refuse_other_images()

    def said(self, name: str) -> str:
        settings = next(trial.settings for trial in self.trials if trial.name == name)
        return f"trial {name} ({in_words(settings)})"

    def _finished(self, task: Task, reason: str) -> None:
        try:
            if reason:
                raise TrainingError(reason)
            found = judge([folder for folder, _ in task.runs], self.asked.config.seed)
            self.judged[task.name] = found
            say(f"{self.said(task.name)}: AUROC {found.auroc['value']:.4f}")
        except CxrError as error:
            self.failed[task.name] = reason_of(error)
            say(f"{self.said(task.name)} failed: {self.failed[task.name]}")

    def _refuse_other_images(self) -> None:
        """Pairs need the very same images: one may be unreadable at one size alone."""
        names = sorted(self.judged)
        for name in names[1:]:
            if self.judged[name].images != self.judged[names[0]].images:
                self.failed[name] = f"judged on other images than trial {names[0]}"
        done = (name for name in names if name not in self.failed)
        self.judged = {name: self.judged[name] for name in done}  # not as they happened to end


def folders_of(out: Path, name: str, folds: int) -> list[Path]:
    """The run folders of a trial, one for each fold."""
    folder = out / "trials" / name
    return [folder] if folds == 1 else [folder / str(fold + 1) for fold in range(folds)]


def rows_of(trials: Trials) -> list[Row]:
    """One for each trial, in JSON types; `behind_best` as `behind` gives it."""
    names = [trial.name for trial in trials.trials if trial.name in trials.judged]
    some = [trials.judged[name] for name in names]
    leads = dict(zip(names, behind(some, best_of(some)[0]) if some else [], strict=True))
    return [_row(trial, trials, leads.get(trial.name)) for trial in trials.trials]


def _row(trial: Trial, trials: Trials, lead: Lead | None) -> Row:
    judged = trials.judged.get(trial.name)
    return {
        "trial": trial.name,
        "settings": trial.settings,
        "auroc": judged.auroc if judged else None,
        "log_loss": judged.log_loss if judged else None,
        "behind_best": lead,
        "seconds": _seconds(trials.tasks[trial.name]) if judged else None,
        "error": trials.failed.get(trial.name),
    }


def _seconds(task: Task) -> float | None:
    """Of training alone, as its history says."""
    files = [folder / HISTORY for folder, _ in task.runs]
    if not all(file.is_file() for file in files):
        return None
    return round(sum(row["seconds"] or 0.0 for file in files for row in read_history(file)), 2)


def choice_of(rows: Sequence[Row], judged: Mapping[str, Judged], space: Space) -> Row:
    """The best by inner AUROC, and which others the inner images cannot tell from it."""
    names = list(judged)
    order = [names[i] for i in best_of(list(judged.values()))]
    by_name = {row["trial"]: row for row in rows}
    best, default = by_name[order[0]], space.default()
    return {
        "made_on": "inner validation images alone",
        "judged_by": "auroc",
        "trial": order[0],
        "settings": best["settings"],
        "auroc": best["auroc"],
        "runner_up": order[1] if len(order) > 1 else None,
        "default": next((r["trial"] for r in rows if r["settings"] == default), None),
        "default_settings": default,
        "not_told_apart": [n for n in order[1:] if not by_name[n]["behind_best"]["apart"]],
    }
