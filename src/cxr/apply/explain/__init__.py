"""Why the model says what it says: heat maps, how far to trust them, telling examples."""

from .cam import grad_cam, heat_map
from .examples import find_examples, nearest
from .facts import explanation_facts
from .files import explain_file, explain_files, overlay_names, require_empty
from .lungs import lung_estimate
from .sanity import attention_shares, randomisation_test

__all__ = [
    "attention_shares",
    "explain_file",
    "explain_files",
    "explanation_facts",
    "find_examples",
    "grad_cam",
    "heat_map",
    "lung_estimate",
    "nearest",
    "overlay_names",
    "randomisation_test",
    "require_empty",
]
