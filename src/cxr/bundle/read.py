"""Reading `model.cxr`: parse, validate, then construct. Nothing in the file can run."""

from __future__ import annotations

import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from ..backbones import Architecture, Network
from ..errors import BundleError, UnknownName, UsageError
from .config import BundleConfig
from .golden import check_golden
from .write import CARD, CONFIG, GOLDEN, WEIGHTS

LIMITS = {CONFIG: 8 << 20, CARD: 8 << 20, GOLDEN: 64 << 20, WEIGHTS: 4 << 30, "model.onnx": 4 << 30}
REQUIRED = (CONFIG, GOLDEN, WEIGHTS)
PICKLES = (".pkl", ".pickle", ".pth", ".pt", ".joblib")
# What zipfile raises for one damaged archive or another.
DAMAGED = (
    zipfile.BadZipFile,
    EOFError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    ValueError,
    struct.error,
)


@dataclass(frozen=True)
class Bundle:
    """A verified model file: `network` in evaluation mode and its configuration."""

    path: Path
    config: BundleConfig
    network: Network


def read_bundle(path: Path | str) -> Bundle:
    """Raises UsageError when there is no such file, BundleError with the reason when refused."""
    path = Path(path)
    members = read_members(path)
    config = BundleConfig.from_json(_utf8(members[CONFIG]))
    architecture = Architecture(
        config.backbone, len(config.classes), config.size, config.dropout
    )
    tensors = _tensors(members[WEIGHTS])
    _check_tensors(tensors, _shapes(architecture, path), path)
    network = Network(architecture)
    network.load_state_dict(tensors)
    network.eval()
    check_golden(network, members[GOLDEN])
    return Bundle(path, config, network)


def read_members(path: Path) -> dict[str, bytes]:
    """The members by name, after checks of names, sizes, storage and checksums."""
    if not path.is_file():
        raise UsageError(f"no model file {path}; train one with: cxr train DATA --run runs/a")
    refuse_pickle(path)
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            _check_members(infos, path)
            return {info.filename: archive.read(info) for info in infos}
    except DAMAGED as error:
        raise BundleError(f"{path} is damaged or not a cxr model ({error})") from error


def _check_members(infos: list[zipfile.ZipInfo], path: Path) -> None:
    names = [info.filename for info in infos]
    unknown = sorted(set(names) - set(LIMITS))
    if unknown or len(set(names)) != len(names):
        what = f"holds {unknown[0]!r}" if unknown else "holds a member twice"
        raise BundleError(f"{path} is not a cxr model: it {what}")
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        raise BundleError(f"{path} is not a whole cxr model: {', '.join(missing)} missing")
    size = path.stat().st_size
    for info in infos:
        if info.compress_type != zipfile.ZIP_STORED or info.file_size > LIMITS[info.filename]:
            raise BundleError(f"{path}: {info.filename} is compressed or too large; refused")
        if info.file_size > size:
            raise BundleError(f"{path}: {info.filename} claims more bytes than the file has")


def refuse_pickle(path: Path) -> None:
    """A fast.ai or torch export is a pickle: opening one can run any code. It is never opened."""
    with path.open("rb") as file:
        start = file.read(2)
    named = path.suffix.lower() in PICKLES
    if named or start[:1] == b"\x80" or (start == b"PK" and _holds_pickle(path)):
        raise BundleError(
            f"{path} is a Python pickle, which can run any code when it is opened, so cxr never "
            "opens one; export the model again with cxr (learn.export() writes model.cxr)"
        )


def _holds_pickle(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith(".pkl") for name in archive.namelist())
    except DAMAGED:
        return False


def _utf8(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BundleError("config.json is not UTF-8; the model file is damaged") from error


def _tensors(data: bytes) -> dict[str, Tensor]:
    try:
        return load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise BundleError(f"model.safetensors is damaged ({error})") from error


def _shapes(architecture: Architecture, path: Path) -> dict[str, Tensor]:
    """The network's tensors without memory behind them: a small file may name a huge backbone."""
    try:
        with torch.device("meta"):
            return Network(architecture).state_dict()
    except UnknownName as error:
        raise BundleError(f"{path}: {error}; install a newer timm, or train again") from error


def _check_tensors(tensors: dict[str, Tensor], wanted: dict[str, Tensor], path: Path) -> None:
    if set(wanted) != set(tensors):
        raise BundleError(f"{path}: its weights are not those of the backbone that it names")
    for name, tensor in tensors.items():
        if tensor.shape != wanted[name].shape or tensor.dtype != wanted[name].dtype:
            raise BundleError(
                f"{path}: {name} is {tuple(tensor.shape)} {tensor.dtype}, expected "
                f"{tuple(wanted[name].shape)} {wanted[name].dtype}"
            )
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise BundleError(f"{path}: {name} holds values that are not finite")
