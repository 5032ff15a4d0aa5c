"""A run in TensorBoard: curves, final figures, settings and the model card, in `tensorboard/`."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from .._io.run_files import CARD
from ..config import RunConfig
from ..errors import UsageError
from .figures import Figures, final_figures
from .sink import Result

FOLDER = "tensorboard"


class TensorBoardSink:
    """`--track tensorboard`. Always written from the first epoch on: a run that goes on, too.

    What an earlier process wrote is removed, and a TensorBoard that shows it already is told to
    forget it (`purge_step`); so there is one point a step.
    """

    name = "tensorboard"

    def __init__(self, place: str = "") -> None:
        if place:
            raise UsageError(
                f"--track tensorboard:{place}: it takes no place, it writes into the run folder; "
                "give --track tensorboard"
            )

    def begin(self, config: RunConfig, run: Path) -> int:
        folder = run / FOLDER
        for old in folder.glob("events.out.tfevents.*"):
            with suppress(OSError):  # Windows keeps what a TensorBoard reads; it is purged instead
                old.unlink()
        self.writer = _writer(folder)
        self.writer.add_text("settings", _code(config.to_yaml()), 0)
        self.writer.flush()
        self.step = 0
        return -1

    def epoch(self, step: int, figures: Figures, when: float) -> None:
        for name, value in figures.items():
            self.writer.add_scalar(name, value, step, when)
        self.writer.flush()
        self.step = step

    def finished(self, result: Result) -> None:
        for name, value in final_figures(result.metrics).items():
            self.writer.add_scalar(f"final/{name}", value, self.step)
        card = result.folder / CARD
        if card.is_file():
            self.writer.add_text("model card", card.read_text(encoding="utf-8"), self.step)
        self.writer.flush()

    def close(self, state: str) -> None:
        self.writer.close()


def _writer(folder: Path) -> Any:
    try:
        module = import_module("torch.utils.tensorboard")
    except ImportError:  # it needs tensorboard itself
        module = import_module("tensorboardX")
    return module.SummaryWriter(str(folder), purge_step=0)


def _code(text: str) -> str:
    """Markdown that shows `text` as it is."""
    return "".join(f"    {line}\n" for line in text.splitlines())
