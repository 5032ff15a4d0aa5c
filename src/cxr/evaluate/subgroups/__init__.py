"""Does the model serve everyone alike? Its figures in groups of images, and the worst of them."""

from .columns import Subgroup, split_column
from .measure import measure_subgroups

__all__ = ["Subgroup", "measure_subgroups", "split_column"]
