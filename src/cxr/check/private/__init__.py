"""Private data: what headers, file names and notes in images tell of a person."""

from .files import check_private

__all__ = ["check_private"]
