"""The five steps as one function: a folder of X-rays in, a run folder out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from .._io import atomic_path, progress_disabled, read_json, say, write_json, write_text
from .._io.run_files import CHECK, CONFIG, ENVIRONMENT, MANIFEST, METRICS, MODEL, REPORT
from ..backbones import timm_name
from ..config import RunConfig
from ..errors import UsageError
from ..evaluate.threshold import DEFAULT_RULE, parse_rule, require_rule_fits
from ..find import Manifest, read_manifest, require_trainable
from ..find.quarantine import without_quarantined
from ..pixels.shards.index import is_shards
from ..pixels.shards.read import open_shards
from ..prepare import Augmentation, DataLoaders, Resize, dataloaders_from_manifest, named_splitter
from ..track import check_sinks, complete, tracking
from ..track.environment import environment
from ..train import Learner, accuracy, auroc, error_rate, vision_learner
from ..train.callbacks import Callback
from ..train.device import autocast, choose_device
from ..train.distributed.followers import FollowerCallback, share_leader_snapshot
from ..train.distributed.process_group import ALONE, ProcessGroup, joined
from ..train.recipe import phases_of, resolve_strategy
from ..train.resume.checkpoint_callback import SECONDS, CheckpointCallback
from ..train.resume.lock import clear_lock, locked
from ..train.resume.run_folder import check_folder, check_same_images, clear_unfinished, differences
from ..train.resume.stop import Stop
from .checked import check_of
from .describe import TRAINED, rows_of_splits
from .finish import RunResult, finish_run
from .set_aside import RunData, decode_test, say_set_aside, trainable_data

START = b"train"  # what the leading process tells the others


def train_run(
    config: RunConfig,
    run: Path | str,
    *,
    resume: bool = False,
    checkpoint_seconds: float = SECONDS,
    track: Sequence[str] = (),
) -> RunResult:
    """Trains, evaluates and exports into the folder `run`; every file is whole or absent.

    An unfinished run with the same settings and images goes on where it was and ends with the very
    same result; `resume` asks for no more than that: a finished one is returned as it is. Its state
    is kept after each epoch and every `checkpoint_seconds` inside. `track` names where it is
    followed besides its own log (`tracking`).

    Raises UsageError when `run` is taken, by another process too, or holds a run with other
    settings, DataError when the data cannot be trained on or have changed, and Stopped, a
    KeyboardInterrupt, for Ctrl-C and SIGTERM.
    """
    result = train_in_group(
        config, run, resume=resume, checkpoint_seconds=checkpoint_seconds, track=track
    )
    if result is None:
        raise UsageError("this process follows another, which has the result; call train_in_group")
    return result


def train_in_group(
    config: RunConfig,
    run: Path | str,
    *,
    resume: bool = False,
    checkpoint_seconds: float = SECONDS,
    track: Sequence[str] = (),
) -> RunResult | None:
    """`train_run` for one of several processes (`ProcessGroup`): None in all but the leading one.

    All must find the images; only the leading one looks at `run`.
    """
    run = Path(run)
    check_sinks(track)
    with joined() as group, Stop(group).listening() as stop:
        if not group.leads:
            train_as_follower(config, group, stop)
            return None
        finished = resume and (run / METRICS).is_file()
        group.broadcast(b"" if finished else START)
        if finished:
            result = finished_run(config, run)
            complete(config, run, track, result)
            clear_lock(run)
            return result
        check_folder(run, config, METRICS)
        check_settings(config)
        with locked(run):
            if check_folder(run, config, METRICS):
                say(f"{run} holds an unfinished run with these settings, which goes on now")
            clear_unfinished(run)
            with CheckpointCallback(run, checkpoint_seconds, stop) as checkpoints:
                return train_as_leader(config, run, checkpoints, group, track)


def train_as_leader(
    config: RunConfig,
    run: Path,
    checkpoints: CheckpointCallback,
    group: ProcessGroup = ALONE,
    sinks: Sequence[str] = (),
) -> RunResult:
    """From the newest state in `run`, or from the start."""
    data = read_run_data(config)
    say_set_aside(config, data)
    learner = make_learner(config, load_data(config, data.development, group), group)
    data = decode_test(config, data)
    split = with_split(data, learner.dls)
    check_same_images(split, run / MANIFEST)
    checkpoints.resume(learner)
    write_text(run / CONFIG, config.to_yaml())
    write_json(run / ENVIRONMENT, environment(learner.device, group.size))
    split.write(run / MANIFEST)
    check = check_of(config, data, learner.dls)
    if check is not None:
        write_json(run / CHECK, check)
    among = "" if group.alone else f", {group.size} processes"
    say(f"training the {TRAINED[learner.strategy]} on {learner.compute}{among}")
    images = {"train": len(learner.dls.train.images), "valid": len(learner.dls.valid.images)}
    with tracking(config, run, sinks, images) as track:
        checkpoints.on_saved = track.checkpoint_saved
        train_phases(config, learner, [track, checkpoints])
        group.disband()
        checkpoints.load_best(learner)
        result = finish_run(config, run, learner, data)
        track.finished(result)
    return result


def train_as_follower(config: RunConfig, group: ProcessGroup, stop: Stop) -> None:
    """The training alone, silently, in a process that does not lead."""
    with progress_disabled():
        if group.broadcast(b"") == START:
            data = read_run_data(config)
            learner = make_learner(config, load_data(config, data.development, group), group)
            train_phases(config, learner, [FollowerCallback(stop)])


def train_phases(config: RunConfig, learner: Learner, callbacks: Sequence[Callback]) -> None:
    """From the state that the leading process has put into its learner, or from the start."""
    # Random features hold nothing that a regression could begin with.
    recipe = config.recipe if learner.model.pretrained else "fine_tune"
    phases = phases_of(
        recipe, config.epochs, config.base_lr, config.freeze_epochs, learner.strategy
    )
    learner.fit_phases(phases, callbacks, share_leader_snapshot(learner), one_table=True)


def finished_run(config: RunConfig, run: Path) -> RunResult:
    """What lies there. Raises UsageError when it was made with other settings."""
    changed = differences(RunConfig.read(run / CONFIG), config)
    if changed:
        raise UsageError(
            f"{run} holds a finished run with other settings: {'; '.join(changed)}; choose another "
            "--run folder"
        )
    say(f"{run} is finished already")
    return RunResult(run, run / MODEL, run / REPORT, read_json(run / METRICS))


def check_settings(config: RunConfig) -> None:
    """What would otherwise come to light after the images are decoded, or even after training."""
    timm_name(config.backbone)
    autocast(choose_device(config.device), config.precision)
    parse_rule(config.threshold or DEFAULT_RULE)
    resolve_strategy(config.strategy, config.weights is not None)


def read_run_data(config: RunConfig) -> RunData:
    """The images to train and validate on, and those that are set aside to test with."""
    everything = read_everything(config)
    return replace(trainable_data(kept(config, everything)), everything=everything)


def read_run_manifest(config: RunConfig) -> Manifest:
    """The images of the data set without what is quarantined."""
    return kept(config, read_everything(config))


def read_everything(config: RunConfig) -> Manifest:
    if is_shards(config.data):
        return open_shards(config.data).manifest()
    return read_manifest(config.data, config.manifest_options)


def kept(config: RunConfig, manifest: Manifest) -> Manifest:
    """Those that are not quarantined."""
    if config.quarantine is not None:
        manifest = without_quarantined(manifest, config.quarantine, config.skip_quarantined)
    require_trainable(manifest)
    require_rule_fits(config.threshold, len(manifest.classes), manifest.multi_label)
    return manifest


def load_data(config: RunConfig, manifest: Manifest, group: ProcessGroup = ALONE) -> DataLoaders:
    """Decodes and splits; says in a line or two what there is."""
    say(f"{len(manifest):,} images, classes {', '.join(manifest.classes)}. {manifest.identity}")
    with group.leader_first():  # whose cache the others find
        dls = dataloaders_from_manifest(
            manifest,
            named_splitter(config.split, config.valid_pct, config.seed),
            Resize(config.size, config.resize, config.frame),
            bs=config.batch_size,
            augmentation=augmentation(config),
            seed=config.seed,
            shards=open_shards(config.data) if is_shards(config.data) else None,
            window=config.window,
        )
    smallest = min(dls.train.bs // 2, dls.train.n_images, dls.valid.n_images)
    if smallest < group.size:
        raise UsageError(
            f"{group.size} processes are too many for batches of {config.batch_size} from "
            f"{dls.train.n_images:,} and {dls.valid.n_images:,} images; use {max(1, smallest)}"
        )
    say(f"{len(dls.train.images):,} images to train on, {len(dls.valid.images):,} to validate")
    return dls


def augmentation(config: RunConfig) -> Augmentation | None:
    if not config.augment:
        return None
    return Augmentation.robust() if config.recipe == "robust" else Augmentation()


def make_learner(config: RunConfig, dls: DataLoaders, group: ProcessGroup = ALONE) -> Learner:
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
        group=group,
    )


def with_split(data: RunData, dls: DataLoaders) -> Manifest:
    """The manifest of the run: `split` is train, valid or test, blank for what was left out."""
    return data.whole.with_split(**rows_of_splits(data, dls))


def find_rates(config: RunConfig, *, unfrozen: bool, plot: Path | None) -> dict[str, float]:
    """A learning-rate range test on the data of `config`; the curve is written to `plot`."""
    learner = make_learner(config, load_data(config, read_run_data(config).development))
    if unfrozen:
        learner.unfreeze()
    rates = learner.lr_find(show_plot=False)
    if plot is not None:
        with atomic_path(plot) as temporary:
            learner.recorder.plot().savefig(temporary, format="png", dpi=120)
    return rates._asdict()
