"""What computes a network's outputs, whatever library it runs on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from ..backbones import Network

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]


class Seen(NamedTuple):
    """What a network made of n images, float32; as `backbones.Seen`, in numpy.

    `logits` (n, k); `features` (n, F), pooled, before the head; `middle` (n, 2 C), the mean and
    the spread of each channel of a middle feature map, or (n, 0) where a network has none.
    """

    logits: Floats
    features: Floats
    middle: Floats


class Engine(Protocol):
    """Runs one network. `see` takes uint8 (n, S, S), may be called by several threads at once,
    and needs memory for a batch, not for all n."""

    @property
    def name(self) -> str:
        """`torch` or `onnx`."""

    def see(self, pixels: Pixels) -> Seen: ...


class TorchEngine:
    """The network of a model file, by torch."""

    name = "torch"

    def __init__(self, network: Network) -> None:
        self.network = network

    def see(self, pixels: Pixels) -> Seen:
        from ..backbones import logits_and_features_of

        return as_arrays(logits_and_features_of(self.network, pixels))


def as_arrays(seen: Any) -> Seen:
    """Of a `backbones.Seen`, in the same memory."""
    return Seen(*(part.numpy() for part in seen))
