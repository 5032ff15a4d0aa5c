"""What computes a network's outputs, whatever library it runs on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from ..backbones import Network, TorchOutputs

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]


class NetworkOutputs(NamedTuple):
    """What a network gave for n images, float32; `backbones.TorchOutputs` in NumPy.

    `logits` (n, k); `features` (n, F), pooled, before the head; `middle` (n, 2 C), the mean and
    the spread of each channel of a middle feature map, or (n, 0) where a network has none.
    """

    logits: Floats
    features: Floats
    middle: Floats

    @classmethod
    def from_torch(cls, outputs: TorchOutputs) -> NetworkOutputs:
        """In the same memory."""
        return cls(*(tensor.numpy() for tensor in outputs))


class Engine(Protocol):
    """Runs one network. Its methods may be called by several threads at once, and need memory for
    a batch, not for all n images."""

    @property
    def name(self) -> str:
        """`torch` or `onnx`."""

    def run(self, pixels: Pixels) -> NetworkOutputs:
        """Of uint8 (n, S, S)."""

    def logits(self, pixels: Pixels, rows: npt.NDArray[np.int64] | None = None) -> Floats:
        """The logits (n, k) of `run` alone, of all images or of those in `rows`."""

    def explain(self, pixels: Pixels, index: int, multi_label: bool) -> tuple[Floats, str]:
        """What raises the score of class `index`, float32 (S, S) in 0..1 for one image (S, S), and
        the method in words."""


class TorchEngine:
    """The network of a model file, by torch."""

    name = "torch"

    def __init__(self, network: Network) -> None:
        self.network = network

    def run(self, pixels: Pixels) -> NetworkOutputs:
        from ..backbones import logits_and_features_of

        return NetworkOutputs.from_torch(logits_and_features_of(self.network, pixels))

    def logits(self, pixels: Pixels, rows: npt.NDArray[np.int64] | None = None) -> Floats:
        from ..backbones import logits_of

        logits: Floats = logits_of(self.network, pixels, rows).numpy()
        return logits

    def explain(self, pixels: Pixels, index: int, multi_label: bool) -> tuple[Floats, str]:
        from .explain.heat_map import heat_of, method_of

        return heat_of(self.network, pixels, index, multi_label), method_of(self.network)
