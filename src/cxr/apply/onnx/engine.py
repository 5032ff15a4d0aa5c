"""onnxruntime as an engine: no torch, and not the `onnx` package."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...errors import BundleError
from ..engine import Pixels, Seen
from .audit import audit
from .names import BATCH, INPUT, OUTPUTS


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

    def see(self, pixels: Pixels) -> Seen:
        """uint8 (n, S, S), in batches that memory allows. Safe to call from several threads."""
        parts = [self.session.run(OUTPUTS, {INPUT: part}) for part in self._batches(pixels)]
        return Seen(*(np.concatenate(part) for part in zip(*parts, strict=True)))

    def _batches(self, pixels: Pixels) -> Iterator[Pixels]:
        """One at least, of (n, 1, S, S)."""
        start = 0
        while start == 0 or start < len(pixels):
            step = min(BATCH, len(pixels) - start)
            while step > 1 and not self.audit.fits(step):
                step = 1 << ((step - 1).bit_length() - 1)  # the next power of two below
            yield pixels[start : start + step, np.newaxis]
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
        said = " ".join(str(error).split())[:200]
        raise BundleError(f"model.onnx is refused: onnxruntime cannot load it ({said})") from error
