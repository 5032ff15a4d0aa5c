"""Why the model says what it says: heat maps, how far to trust them, telling examples."""

from .cam import grad_cam, heat_map, occlusion
from .files import explain_file, explain_files, overlay_names, require_empty
from .lungs import lung_estimate

__all__ = [
    "explain_file",
    "explain_files",
    "grad_cam",
    "heat_map",
    "lung_estimate",
    "occlusion",
    "overlay_names",
    "require_empty",
]
