"""The network of a `model.cxr` as a user of timm would build it, without cxr."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import timm
import torch
from safetensors.torch import load
from torchvision import transforms

TIMM_NAMES = {"efficientnet_lite0": "tf_efficientnet_lite0"}


def load_network(model: Path) -> tuple[torch.nn.Module, dict[str, Any]]:
    """(timm's network in evaluation mode, with cxr's head; config.json of the model)."""
    with ZipFile(model) as bundle:
        config = json.loads(bundle.read("config.json"))
        weights = load(bundle.read("model.safetensors"))
    name = config["backbone"]
    body = timm.create_model(TIMM_NAMES.get(name, name), num_classes=0)
    head = torch.nn.Sequential(
        torch.nn.BatchNorm1d(body.num_features),
        torch.nn.Dropout(config["dropout"]),
        torch.nn.Linear(body.num_features, len(config["classes"])),
    )
    for part, prefix in ((body, "body."), (head, "head.")):
        own = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
        part.load_state_dict(own)
    return torch.nn.Sequential(body, head).eval(), config


def usual_transform(size: int) -> transforms.Compose:
    """As torchvision's documentation shows it; 0.5 is what EfficientNet-Lite0 was trained with."""
    return transforms.Compose(
        [
            transforms.Resize((size, size)),
            transforms.ToTensor(),
            transforms.Normalize([0.5] * 3, [0.5] * 3),
        ]
    )
