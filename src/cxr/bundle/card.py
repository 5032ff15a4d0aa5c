"""The model card inside the bundle: what it is, for whom, and what it is not."""

from __future__ import annotations

from .config import BundleConfig

DISCLAIMER = (
    "Research tool, not a medical device: it must not be used to decide on a patient's care."
)


def model_card(config: BundleConfig) -> str:
    """Markdown."""
    data = config.training_data
    patients = data.get("n_patients")
    counted = f", {patients:,} patients in all" if patients else ", patients not known"
    positive = f" (`{config.positive}` at or above)" if config.positive else ""
    return f"""# Chest X-ray classifier

**{DISCLAIMER}**

| | |
| --- | --- |
| classes | {", ".join(config.classes)} |
| labels an image | {"several" if config.multi_label else "one"} |
| trained on | {config.population} |
| images | {data.get("n_train", "?")} to train, {data.get("n_valid", "?")} to validate{counted} |
| training data fingerprint | `{data.get("fingerprint") or "not recorded"}` |
| backbone | {config.backbone}, {config.size} x {config.size} pixels, {config.resize_method} |
| initial weights | {config.weights_source} |
| temperature | {config.temperature:.4g} |
| threshold{positive} | {config.threshold:.4g} |

## Limits

- Figures measured on one hospital's images do not hold elsewhere until they are measured there.
- An image unlike the training images (another age group, view or machine) gets an answer all the
  same; the answer then means nothing.
- Neither temperature nor threshold holds where the disease is more or less frequent.

## Use

`cxr predict model.cxr IMAGES...`, or in Python `load_learner("model.cxr").predict(image)`.
"""
