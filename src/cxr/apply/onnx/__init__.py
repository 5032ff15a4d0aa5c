"""The network as ONNX: written with torch, audited and run without it.

Names are imported when they are first used, so that a server loads neither torch nor `onnx`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._io.lazy import lazy_names

if TYPE_CHECKING:
    from .engine import OnnxEngine
    from .export import export_onnx, onnx_bytes
    from .quantise import Int8, export_int8

__getattr__ = lazy_names(
    __name__,
    {
        "Int8": "quantise",
        "OnnxEngine": "engine",
        "export_int8": "quantise",
        "export_onnx": "export",
        "onnx_bytes": "export",
    },
)

__all__ = ["Int8", "OnnxEngine", "export_int8", "export_onnx", "onnx_bytes"]
