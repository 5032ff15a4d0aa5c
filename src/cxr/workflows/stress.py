"""What do other images and damage do to a model file's figures?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .._io.run_files import MANIFEST
from ..apply import load_learner
from ..apply.stress import stress_test
from ..apply.stress.run import IMAGES
from ..config import ManifestOptions
from ..errors import UsageError
from ..find import read_manifest
from ..report.stress import write_stress
from .evaluate import TRAINED_ON_THESE, check_same_labels, choose_split
from .set_aside import trained_among

CHOSEN_ON_THESE = (
    "The model was not trained on these images, but its threshold was chosen on them: figures of "
    "plain images are a little too good, differences less so."
)


def stress_model(
    model: Path | str,
    data: Path | str,
    out: Path | str,
    *,
    split: str | None = None,
    images: int = IMAGES,
    seed: int = 0,
    options: ManifestOptions | None = None,
) -> dict[str, Any]:
    """Runs a model file over labelled images, plain and changed, and writes `stress.json` and
    `stress.png` into `out`; see `cxr.apply.stress.stress_test`.

    `split` takes only the images of that name ("test" by default where the data have one),
    `images` at most so many of them. Raises DataError when labels and classes differ, UsageError
    when `out` lies inside the data.
    """
    model, data, out = Path(model), Path(data), Path(out)
    if data.is_dir() and out.resolve().is_relative_to(data.resolve()):
        raise UsageError(
            f"{out} lies inside {data}, where its figure would count as an image; choose another "
            "--out"
        )
    predictor = load_learner(model)
    config = predictor.config
    manifest = read_manifest(data, options, classes=config.classes)
    check_same_labels(manifest, config)
    whole = manifest
    manifest, name = choose_split(manifest, split)
    same = trained_among(whole, name, config)
    caveat = CHOSEN_ON_THESE if name == "valid" and _is_own_table(data, model) else TRAINED_ON_THESE
    result = stress_test(
        predictor,
        manifest,
        images=images,
        seed=seed,
        model_name=model.name,
        split=name,
        caveats=[caveat] if same else [],
    )
    return write_stress(result, out)


def _is_own_table(data: Path, model: Path) -> bool:
    """Whether `data` is the table of the run that made the model: it says who validated."""
    return data.resolve() == model.resolve().parent / MANIFEST
