"""Does the model serve everyone alike? Its figures in groups of images, and the worst of them."""

from .columns import Column, Group, split_column
from .measured import measure_subgroups

__all__ = ["Column", "Group", "measure_subgroups", "split_column"]
