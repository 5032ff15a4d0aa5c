"""A run as it is followed: every epoch into its log and its sinks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._io import read_json
from .._io.run_files import ENVIRONMENT
from ..config import RunConfig
from ..errors import CxrError, DataError, ImageError, UnknownName, UsageError
from .figures import curves, epoch_facts, main_figures
from .log import LOG, Line, RunLog, read_log
from .mlflow_sink import MlflowSink
from .sink import GuardedSink, Result, Sink
from .tensorboard_sink import TensorBoardSink

if TYPE_CHECKING:
    from ..train.state import TrainingState

WITHOUT = "training goes on without it, and it is tried once more at the end"
AGAIN = "it is tried once more"
LOST = "this run is not whole there, the run folder is"

SINKS: dict[str, Callable[[str], Sink]] = {
    "mlflow": MlflowSink,
    "tensorboard": TensorBoardSink,
}
# Any of the packages will do.
NEEDS = {"mlflow": ("mlflow",), "tensorboard": ("tensorboard", "tensorboardX")}


@contextmanager
def tracking(
    config: RunConfig,
    run: Path | str,
    sinks: Sequence[str] = (),
    images: Mapping[str, int] | None = None,
) -> Iterator[RunTracker]:
    """Follows a run: gives a callback for its fits, and logs how the block was left.

    `run` holds `config.yaml` by now; `images` are the numbers of each split. To be entered by one
    process, which holds the folder. A run that goes on goes on in the same log and in the same run
    of each sink. Raises UnknownName or UsageError as `check_sinks`; a sink that fails later is said
    and left alone.
    """
    track = RunTracker(config, Path(run), make_sinks(sinks))
    track.begin(dict(images or {}))
    try:
        yield track
    except BaseException as error:
        track.left(error)
        raise
    track.close("stopped")


def complete(config: RunConfig, run: Path | str, sinks: Sequence[str], result: Result) -> None:
    """For a finished run: writes the end into log and sinks, where a kill prevented it."""
    lines = read_log(Path(run) / LOG)
    if lines and lines[-1]["event"] != "end":
        with tracking(config, run, sinks) as track:
            track.finished(result)


def check_sinks(sinks: Sequence[str]) -> None:
    """Before training: raises UnknownName for a sink that there is not, UsageError for a package
    that is missing or an option that means nothing."""
    make_sinks(sinks)


def make_sinks(sinks: Sequence[str]) -> list[GuardedSink]:
    """`mlflow`, `mlflow:URI#EXPERIMENT`, `tensorboard`; each once. Errors as `check_sinks`."""
    return [GuardedSink(_make(text)) for text in dict.fromkeys(sinks)]


def _make(text: str) -> Sink:
    kind, _, rest = text.partition(":")
    if kind not in SINKS:
        raise UnknownName("sink", kind, SINKS, "give --track mlflow[:URI] or --track tensorboard")
    if not any(util.find_spec(package) for package in NEEDS[kind]):
        raise UsageError(
            f'--track {kind} needs {NEEDS[kind][0]}, which is not installed; run: pip install "cxr'
            '[track]"'
        )
    return SINKS[kind](rest)


class RunTracker:
    """A callback of the fit. It goes before `CheckpointCallback`: then the log has every epoch that
    is saved.
    """

    def __init__(self, config: RunConfig, run: Path, sinks: Sequence[GuardedSink]) -> None:
        self.config, self.run = config, run
        self.log = RunLog(run / LOG)
        self._sinks = list(sinks)
        self._epochs: dict[tuple[int, int], Line] = {}

    def begin(self, images: Mapping[str, int]) -> None:
        before = read_log(self.log.path)
        self._epochs = _epochs_of(before)
        self.log.write(
            "resume" if before else "begin",
            settings=asdict(self.config),
            environment=_environment(self.run),
            images=dict(images),
        )
        for one in self._sinks:
            one.attempt(WITHOUT, self._take_up, one)

    def before_train(self, learner: TrainingState) -> None:
        pass

    def after_batch(self, learner: TrainingState, snapshot: object) -> None:
        pass

    def after_epoch(self, learner: TrainingState, epoch: int) -> bool:
        facts = epoch_facts(learner, epoch)
        place = (facts["phase"], epoch)
        step = sum(other < place for other in self._epochs)
        line = self._epochs[place] = self.log.write("epoch", step=step, **facts)
        for one in self._sinks:
            if not one.down:
                one.attempt(WITHOUT, _send_epoch, one, step, line)
        return False

    def after_fit(self, learner: TrainingState) -> None:
        pass

    def checkpoint_saved(self, phase: int, epoch: int, step: int, best: bool = False) -> None:
        """A checkpoint is on the disk. May be called by another thread."""
        self.log.write("checkpoint", phase=phase, epoch=epoch, step_of_epoch=step, best=best)

    def finished(self, result: Result) -> None:
        """The result to every sink, to those that failed as a second try; then the log's end."""
        for one in self._sinks:
            if one.down or not one.attempt(AGAIN, one.sink.finished, result):
                one.down = not one.attempt(LOST, self._all_of, one, result)
        self.log.write("end", figures=main_figures(result.metrics))
        self.close("finished")

    def left(self, error: BaseException) -> None:
        """The block ended by `error`, which goes on up."""
        if isinstance(error, KeyboardInterrupt):
            self.log.write("stop", signal=str(error) or "SIGINT")
            self.close("stopped")
        else:
            self.log.write("error", error=type(error).__name__, text=_public_text(error))
            self.close("failed")

    def close(self, state: str) -> None:
        """Once; later calls find no sinks."""
        sinks, self._sinks = self._sinks, []
        for one in sinks:
            if not one.down:
                one.attempt(LOST, one.sink.close, state)

    def _take_up(self, one: GuardedSink) -> None:
        """Sends first what the sink has missed of the epochs so far."""
        one.done = one.sink.begin(self.config, self.run)
        for step, place in enumerate(sorted(self._epochs)):
            _send_epoch(one, step, self._epochs[place])

    def _all_of(self, one: GuardedSink, result: Result) -> None:
        self._take_up(one)
        one.sink.finished(result)


def _send_epoch(one: GuardedSink, step: int, line: Line) -> None:
    one.epoch(step, curves(line), datetime.fromisoformat(line["time"]).timestamp())


def _epochs_of(lines: Sequence[Line]) -> dict[tuple[int, int], Line]:
    """The epochs of a log by phase and number; one that was trained again counts once."""
    epochs = {}
    for line in lines:
        place = line.get("phase"), line.get("epoch")
        if line["event"] == "epoch" and all(isinstance(number, int) for number in place):
            epochs[place] = line
    return epochs  # type: ignore[return-value]


def _environment(run: Path) -> Any:
    """As the run folder has it; None where it has none."""
    path = run / ENVIRONMENT
    return read_json(path) if path.is_file() else None


def _public_text(error: BaseException) -> str | None:
    """What may be written down: other libraries' words, and ours about data, may name patients."""
    if isinstance(error, ImageError):
        return error.reason
    return str(error) if isinstance(error, CxrError) and not isinstance(error, DataError) else None
