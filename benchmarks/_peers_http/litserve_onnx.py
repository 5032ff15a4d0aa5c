"""LitServe at its best on a processor: MODEL.onnx PORT [workers].

onnxruntime on the file that `cxr export --onnx` writes, grey pixels drawn out of the JPEG by
Pillow's fast way (`draft`), dynamic batches, LitServe's fast queue.
"""

# Without `from __future__ import annotations`: LitServe compares the annotation of `request`.

import json
import os
import sys
from typing import Any

import litserve
import numpy as np
import onnxruntime
from fastapi import Request
from PIL import Image

WORKERS = int(sys.argv[3]) if len(sys.argv) > 3 else 1


class Images(litserve.LitAPI):
    def setup(self, device: str) -> None:
        onnxruntime.disable_telemetry_events()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = max(1, len(os.sched_getaffinity(0)) // WORKERS)
        self.session = onnxruntime.InferenceSession(
            sys.argv[1], options, providers=["CPUExecutionProvider"]
        )
        facts = self.session.get_modelmeta().custom_metadata_map
        self.classes, self.size = json.loads(facts["classes"]), int(facts["size"])

    def decode_request(self, request: Request) -> np.ndarray:
        with Image.open(request["file"].file) as image:
            image.draft("L", (self.size, self.size))
            grey = image.convert("L").resize((self.size, self.size), Image.Resampling.BILINEAR)
            return np.asarray(grey)[np.newaxis]

    def batch(self, inputs: list[np.ndarray]) -> np.ndarray:
        return np.stack(inputs)

    def predict(self, x: np.ndarray) -> np.ndarray:
        logits = self.session.run(["logits"], {"image": x})[0]
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        return shares / shares.sum(axis=1, keepdims=True)

    def unbatch(self, output: np.ndarray) -> list[np.ndarray]:
        return list(output)

    def encode_response(self, output: np.ndarray) -> dict[str, Any]:
        chances = dict(zip(self.classes, output.tolist(), strict=True))
        return {"prediction": max(chances, key=chances.__getitem__), "probabilities": chances}


if __name__ == "__main__":
    api = Images(max_batch_size=16, batch_timeout=0.002)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=WORKERS, fast_queue=True)
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[2]),
        generate_client_file=False,
        log_level="warning",
        access_log=False,
    )
