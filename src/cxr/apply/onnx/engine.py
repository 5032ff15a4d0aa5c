"""onnxruntime as an engine: no torch, and not the `onnx` package."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..._io.text import error_text
from ...errors import BundleError
from ..engine import Floats, NetworkOutputs, Pixels
from .audit import INPUT, OUTPUTS, audit

BATCH = 32  # images at once, at most


class OnnxEngine:
    """Runs the bytes of a `model.onnx` on the CPU, on `threads` threads (None: all there are).

    Raises BundleError for bytes that `audit` refuses, for other than `size` and `n_classes` too
    where they are given, and for what onnxruntime cannot run.
    """

    name = "onnx"

    def __init__(
        self,
        data: bytes,
        threads: int | None = None,
        *,
        size: int | None = None,
        n_classes: int | None = None,
    ) -> None:
        self.audit = audit(data, size, n_classes)
        self.session = _session(data, threads)

    def run(self, pixels: Pixels) -> NetworkOutputs:
        """Of uint8 (n, S, S), in batches that memory allows."""
        return NetworkOutputs(*self._outputs(OUTPUTS, pixels))

    def logits(self, pixels: Pixels, rows: npt.NDArray[np.int64] | None = None) -> Floats:
        return self._outputs(OUTPUTS[:1], pixels, rows)[0]

    def explain(self, pixels: Pixels, index: int, multi_label: bool) -> tuple[Floats, str]:
        from ..explain.occlusion import METHOD, occlusion_heat

        return occlusion_heat(self.logits, pixels, index, multi_label), METHOD

    def _outputs(
        self, names: Sequence[str], pixels: Pixels, rows: npt.NDArray[np.int64] | None = None
    ) -> list[Floats]:
        parts = []
        for batch in self._batches(len(pixels if rows is None else rows)):
            some = pixels[batch if rows is None else rows[batch]]
            parts.append(self.session.run(names, {INPUT: some[:, np.newaxis]}))
        return [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]

    def _batches(self, n: int) -> Iterator[slice]:
        """One at least, empty where there are no images."""
        start = 0
        while start == 0 or start < n:
            step = min(BATCH, n - start)
            while step > 1 and not self.audit.fits(step):
                step = 1 << ((step - 1).bit_length() - 1)  # the next power of two below
            yield slice(start, start + step)
            start += max(step, 1)


def _session(data: bytes, threads: int | None) -> Any:
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads or 0
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has many kinds of its own
        raise BundleError(
            f"model.onnx is refused: onnxruntime cannot load it ({error_text(error)})"
        ) from error
