"""The five steps as one function: a folder of X-rays in, a run folder out."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from ._io import atomic_path, say, write_json, write_text
from .backbones import timm_name
from .config import CONFIG, RunConfig
from .environment import environment
from .errors import DataError, UsageError
from .evaluate.threshold import parse_rule
from .find import Manifest, read_manifest, require_trainable
from .find.quarantine import without_quarantined
from .finishing import METRICS, TRAINED, RunResult, finish_run
from .prepare import Augmentation, DataLoaders, Resize, dataloaders_from_manifest, named_splitter
from .train import Learner, accuracy, auroc, error_rate, vision_learner
from .train.device import autocast, choose_device
from .train.recipe import Position, phases_of, resolve_strategy, run_phases
from .train.run_checkpoints import KeepCheckpoints

MANIFEST = "manifest.csv"
# What may differ when a run goes on: where its images lie and where it is computed. That the
# quarantine still leaves the same images shows in their list.
FREE_TO_CHANGE = ("data", "device", "quarantine", "skip_quarantined")


def train_run(config: RunConfig, run: Path | str, *, resume: bool = False) -> RunResult:
    """Trains, evaluates and exports into the folder `run`; every file is whole or absent.

    With `resume` an unfinished run goes on after its last finished epoch.
    Raises UsageError when `run` is taken, DataError when the data cannot be trained on.
    """
    run = Path(run)
    check_folder(run, config, resume)
    check_settings(config)
    manifest = read_run_manifest(config)
    dls = load_data(config, manifest)
    learner = make_learner(config, dls)
    split = with_split(manifest, dls)
    check_same_images(split, run / MANIFEST)
    write_text(run / CONFIG, config.to_yaml())
    write_json(run / "environment.json", environment(learner.device))
    split.write(run / MANIFEST)
    keep = KeepCheckpoints(run)
    start = keep.resume(learner) if resume else Position()
    say(f"training the {TRAINED[learner.strategy]} on {learner.compute}")
    # Random features hold nothing that a regression could begin with.
    recipe = config.recipe if learner.model.pretrained else "fine_tune"
    phases = phases_of(
        recipe, config.epochs, config.base_lr, config.freeze_epochs, learner.strategy
    )
    run_phases(learner, phases, [keep], start)
    keep.load_best(learner)
    return finish_run(config, run, learner, manifest)


def check_folder(run: Path, config: RunConfig, resume: bool) -> None:
    """A run folder is used once: nothing finished is ever written over."""
    if run.resolve().is_relative_to(Path(config.data).resolve()):
        raise UsageError(
            f"{run} lies inside {config.data}, where its figures would count as images; choose "
            "another --run folder"
        )
    if not run.exists() or (run.is_dir() and not any(run.iterdir())):
        return
    if not (run / CONFIG).is_file():
        raise UsageError(f"{run} is not empty and not a run; choose another --run folder")
    if (run / METRICS).is_file():
        raise UsageError(f"{run} holds a finished run; choose another --run folder")
    if not resume:
        raise UsageError(
            f"{run} holds an unfinished run; add --resume to go on, or choose another folder"
        )
    before = RunConfig.read(run / CONFIG)
    changed = [
        f"{name} was {old!r}, is {getattr(config, name)!r}"
        for name, old in vars(before).items()
        if old != getattr(config, name) and name not in FREE_TO_CHANGE
    ]
    if changed:
        raise UsageError(f"{run} cannot go on with other settings: {'; '.join(changed)}")


def check_settings(config: RunConfig) -> None:
    """What would otherwise come to light after the images are decoded, or even after training."""
    timm_name(config.backbone)
    autocast(choose_device(config.device), config.precision)
    parse_rule(config.threshold)
    resolve_strategy(config.strategy, config.weights is not None)


def check_same_images(split: Manifest, path: Path) -> None:
    """A run goes on with the images that it began with: others may have been trained on already."""
    if not path.is_file():
        return
    with TemporaryDirectory() as folder:
        now = split.write(Path(folder) / path.name).read_bytes()
    if now != path.read_bytes():
        raise DataError(
            f"the images, labels or their split under {split.root} are not those of {path}; put "
            "them back as they were, the quarantine too, or train in a new folder"
        )


def read_run_manifest(config: RunConfig) -> Manifest:
    """The images to train on: those of the data set without what is quarantined."""
    manifest = read_manifest(
        Path(config.data),
        layout=config.layout,
        label_column=config.label_column,
        label_columns=config.label_columns,
        path_column=config.path_column,
        patient_column=config.patient_column,
        patient_pattern=config.patient_pattern,
        image_root=config.image_root,
    )
    if config.quarantine is not None:
        manifest = without_quarantined(manifest, config.quarantine, config.skip_quarantined)
    require_trainable(manifest)
    return manifest


def load_data(config: RunConfig, manifest: Manifest) -> DataLoaders:
    """Decodes and splits; says in a line or two what there is."""
    say(f"{len(manifest):,} images, classes {', '.join(manifest.classes)}. {manifest.identity}")
    dls = dataloaders_from_manifest(
        manifest,
        named_splitter(config.split, config.valid_pct, config.seed),
        Resize(config.size, config.resize),
        bs=config.batch_size,
        augmentation=augmentation(config),
        seed=config.seed,
    )
    say(f"{len(dls.train.images):,} images to train on, {len(dls.valid.images):,} to validate")
    return dls


def augmentation(config: RunConfig) -> Augmentation | None:
    if not config.augment:
        return None
    return Augmentation.robust() if config.recipe == "robust" else Augmentation()


def make_learner(config: RunConfig, dls: DataLoaders) -> Learner:
    return vision_learner(
        dls,
        config.backbone,
        metrics=[accuracy if dls.multi_label else error_rate, auroc],
        weights=config.weights,
        device=config.device,
        precision=config.precision,
        strategy=config.strategy,
        class_weights=config.class_weights,
        label_smoothing=config.label_smoothing,
    )


def with_split(manifest: Manifest, dls: DataLoaders) -> Manifest:
    """The manifest of the run: `split` is train or valid, blank for what was left out."""
    rows = {"train": dls.train.images.rows, "valid": dls.valid.images.rows}
    return manifest.with_split(**{name: which.tolist() for name, which in rows.items()})


def find_rates(config: RunConfig, *, unfrozen: bool, plot: Path | None) -> dict[str, float]:
    """A learning-rate range test on the data of `config`; the curve is written to `plot`."""
    learner = make_learner(config, load_data(config, read_run_manifest(config)))
    if unfrozen:
        learner.unfreeze()
    rates = learner.lr_find(show_plot=False)
    if plot is not None:
        with atomic_path(plot) as temporary:
            learner.recorder.plot().savefig(temporary, format="png", dpi=120)
    return rates._asdict()
