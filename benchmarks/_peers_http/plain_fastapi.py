"""FastAPI and eager torch, as a tutorial has it: MODEL PORT [threads].

With `threads` the handler is a plain function, which FastAPI runs in its thread pool; else it is
`async` and runs in the event loop.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

import torch
import uvicorn
from _weights import load_network, usual_transform
from fastapi import FastAPI, UploadFile
from PIL import Image

network, config = load_network(Path(sys.argv[1]))
transform = usual_transform(config["size"])
app = FastAPI()


def answer(data: bytes) -> dict[str, object]:
    image = Image.open(io.BytesIO(data)).convert("RGB")
    with torch.no_grad():
        chances = network(transform(image).unsqueeze(0)).softmax(dim=1)[0]
    classes = config["classes"]
    return {
        "prediction": classes[int(chances.argmax())],
        "probabilities": dict(zip(classes, chances.tolist(), strict=True)),
    }


async def predict(file: UploadFile) -> dict[str, object]:
    return answer(await file.read())


def predict_in_thread(file: UploadFile) -> dict[str, object]:
    return answer(file.file.read())


app.post("/predict")(predict_in_thread if "threads" in sys.argv else predict)


@app.get("/health")
async def health() -> dict[str, bool]:
    return {"ready": True}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning", access_log=False)
