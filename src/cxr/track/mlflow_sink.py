"""A run in MLflow: settings, curves, figures with their intervals, and the files of the run."""

from __future__ import annotations

import logging
import os
import warnings
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from .._io import read_json, say, write_json
from .._io.run_files import (
    CARD,
    CONFIG,
    ENVIRONMENT,
    FIGURES,
    HISTORY,
    METRICS,
    MODEL,
    REPORT,
    REPORT_JSON,
)
from ..config import RunConfig
from ..errors import DataError
from .figures import Figures, final_figures
from .sink import Result, without_login

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Param

EXPERIMENT = "cxr"
IDS = "mlflow.json"
DATABASE, ARTIFACTS = "mlflow.db", "mlartifacts"  # beside the run folder
FILES = (
    METRICS,
    REPORT,
    HISTORY,
    CONFIG,
    CARD,
    ENVIRONMENT,
    MODEL,
)
CURVE = "valid_loss"  # which every epoch has
LONGEST = 6000  # of a parameter or a tag
# A server that hangs holds up an epoch for so many seconds once: what is missed then is told later.
VARIABLES = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # nothing of cxr phones home
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "4",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # which belongs to `--json`
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


class MlflowSink:
    """`--track mlflow[:URI][#EXPERIMENT]`. The same MLflow run for as long as the run goes on.

    Without a URI it is MLFLOW_TRACKING_URI, else a database beside the run folder. Predictions and
    the manifest, which name images and patients, are not sent.
    """

    name = "mlflow"

    def __init__(self, place: str = "") -> None:
        uri, _, experiment = place.partition("#")
        self.uri, self.experiment = uri, experiment or EXPERIMENT

    def begin(self, config: RunConfig, run: Path) -> int:
        given = self.uri or os.environ.get("MLFLOW_TRACKING_URI")
        uri = given or database_beside(run)
        self.client = connect(uri)
        ids = _read_ids(run / IDS)
        place = f"{without_login(given or DATABASE)}#{self.experiment}"
        self.id = ids.get(place, "")
        if not self._is_there():
            self.id = self._create(config, run, uri)
            write_json(run / IDS, {**ids, place: self.id})
        if not self.client.get_run(self.id).data.params:
            self.client.log_batch(self.id, params=_params(config))
        history = self.client.get_metric_history(self.id, CURVE)
        self.step = max((point.step for point in history), default=-1)
        say(f"tracked in MLflow: experiment {self.experiment} at {without_login(uri)}")
        return self.step

    def epoch(self, step: int, figures: Figures, when: float) -> None:
        self._log(figures, step, when)
        self.step = step

    def finished(self, result: Result) -> None:
        """The same points at the same time, however often: MLflow keeps them once."""
        folder = result.folder
        when = (folder / METRICS).stat().st_mtime
        self._log(final_figures(result.metrics), max(self.step, 0), when)
        for name in FILES:
            if (folder / name).is_file():
                self.client.log_artifact(self.id, str(folder / name))
        for name, text in _described(folder).items():
            self.client.set_tag(self.id, name, text[:LONGEST])
        if (folder / FIGURES).is_dir():
            self.client.log_artifacts(self.id, str(folder / FIGURES), "figures")

    def close(self, state: str) -> None:
        status = {"finished": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}[state]
        self.client.set_terminated(self.id, status)

    def _is_there(self) -> bool:
        """Whether the run that was begun earlier is on this server; it runs again then."""
        from mlflow.exceptions import MlflowException

        if not self.id:
            return False
        try:
            info = self.client.get_run(self.id).info
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return False
        if info.lifecycle_stage != "active":
            return False
        self.client.update_run(self.id, "RUNNING")
        return True

    def _create(self, config: RunConfig, run: Path, uri: str) -> str:
        tags = {"cxr.version": version("cxr"), "cxr.population": config.population[:LONGEST]}
        new = self.client.create_run(self._experiment(run, uri), tags=tags, run_name=run.name)
        return str(new.info.run_id)

    def _experiment(self, run: Path, uri: str) -> str:
        """Its id; made where there is none, by another process at the same moment perhaps."""
        from mlflow.exceptions import MlflowException

        found = self.client.get_experiment_by_name(self.experiment)
        if found is None:
            files = run.absolute().parent / ARTIFACTS
            beside = files.as_uri() if uri == database_beside(run) else None
            try:
                return str(self.client.create_experiment(self.experiment, beside))
            except MlflowException:
                found = self.client.get_experiment_by_name(self.experiment)
                if found is None:
                    raise
        return str(found.experiment_id)

    def _log(self, figures: Figures, step: int, when: float) -> None:
        from mlflow.entities import Metric

        points = [Metric(name, value, int(when * 1000), step) for name, value in figures.items()]
        self.client.log_batch(self.id, metrics=points, synchronous=True)


def connect(uri: str) -> MlflowClient:
    """A client that sends nothing to anybody else, waits briefly, and does not chat."""
    for name, value in VARIABLES.items():
        os.environ.setdefault(name, value)
    warnings.filterwarnings("ignore", module=r"(mlflow|sqlalchemy|alembic)(\.|$)")
    from mlflow import MlflowClient

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return MlflowClient(tracking_uri=uri)


def database_beside(run: Path) -> str:
    """In the folder that the run folder is in."""
    return f"sqlite:///{(run.absolute().parent / DATABASE).as_posix()}"


def _params(config: RunConfig) -> list[Param]:
    from mlflow.entities import Param

    return [Param(name, str(value)[:LONGEST]) for name, value in asdict(config).items()]


def _described(folder: Path) -> dict[str, str]:
    """Tags: whose images they are, and the card without its YAML, which MLflow shows as text."""
    found = {}
    if (folder / CARD).is_file():
        card = (folder / CARD).read_text(encoding="utf-8")
        below = card.split("\n---\n", 1)[-1] if card.startswith("---\n") else card
        found["mlflow.note.content"] = below.strip()
    if (folder / REPORT_JSON).is_file():
        found["cxr.population"] = str(read_json(folder / REPORT_JSON).get("population", ""))
    return found


def _read_ids(path: Path) -> dict[str, str]:
    """MLflow's runs of this folder by place; a damaged file counts as none."""
    try:
        found = read_json(path)
    except (FileNotFoundError, DataError):
        return {}
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}
