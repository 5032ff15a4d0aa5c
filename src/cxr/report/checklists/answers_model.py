"""What a run knows of its model: what it is, how it was trained, what it gives."""

from __future__ import annotations

from ...bundle.card import training_settings
from .facts import Answer, RunFacts

OF_OTHER_ANSWERS = (
    "backbone", "size", "resize", "split", "valid_pct", "threshold", "skip_quarantined"
)  # fmt: skip


def technology(facts: RunFacts) -> Answer | None:
    backbone = facts.model.get("backbone")
    if backbone is None:
        return None
    text = f"Deep learning: an image classification network ({backbone})"
    return Answer(f"{text}, {_start(facts)}.", "model.cxr")


def _start(facts: RunFacts) -> str:
    if facts.model.get("weights_source", "").startswith("none"):
        return "trained from random numbers"
    return "by transfer learning"


def goal(facts: RunFacts) -> Answer | None:
    if not facts.settings or not facts.metrics:
        return None
    text = "To develop a model and to validate it internally, on a part of the same data set."
    return Answer(text, "config.yaml, metrics.json")


def architecture(facts: RunFacts) -> Answer | None:
    model = facts.model
    if "backbone" not in model:
        return None
    timm = facts.environment.get("versions", {}).get("timm")
    version = f" of timm {timm}" if timm else ""
    text = (
        f"The network {model['backbone']}{version}, its pooled features through BatchNorm, "
        f"dropout of {model.get('dropout', 0):g} and one linear layer to "
        f"{len(model['classes'])} outputs; input {model['size']} x {model['size']} grey pixels."
    )
    return Answer(text, "model.cxr, environment.json")


def software(facts: RunFacts) -> Answer | None:
    versions = {name: v for name, v in facts.environment.get("versions", {}).items() if v}
    if not versions:
        return None
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    python, system = facts.environment.get("python"), facts.environment.get("system")
    device = facts.environment.get("device")
    return Answer(f"Python {python} on {system}, device {device}; {listed}.", "environment.json")


def initial_weights(facts: RunFacts) -> Answer | None:
    source = facts.model.get("weights_source")
    if not source:
        return None
    return Answer(f"Network: {source}. Last layer: random numbers.", "model.cxr")


def training(facts: RunFacts) -> Answer | None:
    if "epochs" not in facts.settings:
        return None
    settings = training_settings(facts.settings, *OF_OTHER_ANSWERS)
    listed = ", ".join(f"{name} {text}" for name, text in settings.items())
    text = f"By cxr, with {listed}. Epoch by epoch in history.csv."
    return Answer(text, "config.yaml")


def selection(facts: RunFacts) -> Answer | None:
    if not facts.settings or not facts.model:
        return None
    return Answer(
        "The weights are those of the epoch with the highest validation AUROC, or without one the "
        "lowest validation loss.",
        "cxr",
    )


def one_network(facts: RunFacts) -> Answer | None:
    if not facts.model:
        return None
    return Answer("None: the model file holds one network.", "model.cxr")


def image_only(facts: RunFacts) -> Answer | None:
    if not facts.model:
        return None
    return Answer("The pixels of one image; no clinical data.", "model.cxr")


def no_reader(facts: RunFacts) -> Answer | None:
    if not facts.model:
        return None
    return Answer("Not applicable: software reads the pixels, no person rates them.", "cxr")


def blind_model(facts: RunFacts) -> Answer | None:
    if not facts.model:
        return None
    text = "The model is given the pixels only (markers in them too), no clinical data, no label."
    return Answer(text, "model.cxr")


def computed(facts: RunFacts) -> Answer | None:
    """How an image becomes probabilities."""
    if not facts.model:
        return None
    function = "sigmoid, each label on its own" if facts.model.get("multi_label") else "softmax"
    text = f"By cxr from model.cxr: the network's outputs, {scaling(facts)}, through {function}."
    return Answer(text, "model.cxr")


def scaling(facts: RunFacts) -> str:
    vector = facts.model.get("calibration")
    if vector:
        return "each with a factor and a bias set on validation images"
    temperature = facts.model.get("temperature", 1)
    return f"divided by {temperature:.4g}" if temperature != 1 else "unscaled"


def imbalance(facts: RunFacts) -> Answer | None:
    if "class_weights" not in facts.settings:
        return None
    weights = facts.settings["class_weights"]
    if weights is None:
        text = "Classes were not weighted."
    else:
        text = f"Classes weighted in the loss: {weights}."
    return Answer(f"{text} Outputs after training: {scaling(facts)}.", "config.yaml, model.cxr")


def output(facts: RunFacts) -> Answer | None:
    """Probabilities, and where the line is drawn."""
    model = facts.model
    if "classes" not in model:
        return None
    text = f"A probability for each of: {', '.join(model['classes'])}."
    if model.get("multi_label"):
        return Answer(f"{text} A label counts as found from 0.5 on.", "model.cxr")
    if not model.get("positive"):
        return Answer(f"{text} The most probable class is the answer.", "model.cxr")
    rule = facts.figures.get("operating_point", {}).get("rule") or facts.settings.get("threshold")
    text += f" {model['positive']} from {model['threshold']:.4g} on"
    if rule:
        text += f", chosen on validation images by the rule {rule}"
    return Answer(f"{text}.", "model.cxr, config.yaml")


def uncertain_images(facts: RunFacts) -> Answer | None:
    """What is done with images that the model should not answer; only where it has such a rule."""
    refused = "Files that cannot be decoded whole are refused with the reason."
    if not facts.model:
        return None
    if not facts.abstention:
        return Answer(refused, "cxr")
    text = (
        f"{refused} Each prediction says whether it is confident and whether the image is unlike "
        "the training images."
    )
    return Answer(text, "model.cxr")


def files(facts: RunFacts) -> Answer | None:
    if not facts.model:
        return None
    version = facts.environment.get("versions", {}).get("cxr") or "of the run"
    text = (
        f"The model is one file, model.cxr, to be run with cxr {version} (Apache-2.0). Settings, "
        "split, predictions and versions lie beside it."
    )
    return Answer(text, "model.cxr, environment.json")


def stored_outputs(facts: RunFacts) -> Answer | None:
    if not facts.split:
        return None
    text = f"The prediction for each image is kept in predictions_{facts.split}.csv."
    return Answer(text, "the run folder")


def technical_details(facts: RunFacts) -> Answer | None:
    if not facts.settings:
        return None
    text = "All settings: config.yaml; versions: environment.json; course of training: history.csv."
    return Answer(text, "the run folder")
