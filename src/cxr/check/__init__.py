"""What is wrong with the data: findings."""

from .finding import Finding
from .unreadable import find_unreadable, verify_images

__all__ = ["Finding", "find_unreadable", "verify_images"]
