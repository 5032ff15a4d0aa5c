"""Pretrained networks, their weights and normalisation."""

from .cut import Lower, Upper, cut
from .features import FeatureExtractor
from .groups import layer_groups, set_trainable, set_training_mode
from .infer import (
    TorchOutputs,
    exact_probabilities,
    logits_and_features_of,
    logits_of,
    probabilities_of,
    triple_of,
)
from .names import EFFICIENTNET_LITE0, TIMM_NAMES, timm_name
from .network import Architecture, Network, build_network
from .processor import cpu_has_bf16, has_bf16, keep_freed_memory
from .weights import read_weights

__all__ = [
    "EFFICIENTNET_LITE0",
    "TIMM_NAMES",
    "Architecture",
    "FeatureExtractor",
    "Lower",
    "Network",
    "TorchOutputs",
    "Upper",
    "build_network",
    "cpu_has_bf16",
    "cut",
    "exact_probabilities",
    "has_bf16",
    "keep_freed_memory",
    "layer_groups",
    "logits_and_features_of",
    "logits_of",
    "probabilities_of",
    "read_weights",
    "set_trainable",
    "set_training_mode",
    "timm_name",
    "triple_of",
]
