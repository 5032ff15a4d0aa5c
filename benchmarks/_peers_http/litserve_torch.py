"""LitServe and eager torch: MODEL PORT [batch]. With `batch`, its dynamic batching is on."""

# Without `from __future__ import annotations`: LitServe compares the annotation of `request`.

import sys
from pathlib import Path
from typing import Any

import litserve
import torch
from _weights import load_network, usual_transform
from fastapi import Request
from PIL import Image


class Images(litserve.LitAPI):
    def setup(self, device: str) -> None:
        self.network, config = load_network(Path(sys.argv[1]))
        self.network.to(device)
        self.device = device
        self.classes = config["classes"]
        self.transform = usual_transform(config["size"])

    def decode_request(self, request: Request) -> torch.Tensor:
        return self.transform(Image.open(request["file"].file).convert("RGB"))

    def predict(self, x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            batch = x if x.ndim == 4 else x.unsqueeze(0)
            chances = self.network(batch.to(self.device)).softmax(dim=1)
        return chances if x.ndim == 4 else chances[0]

    def encode_response(self, output: torch.Tensor) -> dict[str, Any]:
        chances = dict(zip(self.classes, output.tolist(), strict=True))
        return {"prediction": max(chances, key=chances.__getitem__), "probabilities": chances}


if __name__ == "__main__":
    batching = {"max_batch_size": 16, "batch_timeout": 0.005} if "batch" in sys.argv else {}
    server = litserve.LitServer(Images(**batching), accelerator="cpu")
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[2]),
        generate_client_file=False,
        log_level="warning",
        access_log=False,
    )
