"""What the folder layouts share: relative names, copies inside copies, wrapping folders."""

from __future__ import annotations

from pathlib import Path

from ..._io import say
from ..files import image_names, no_images


def image_parts(root: Path, follow_links: bool = False) -> list[tuple[str, ...]]:
    """The parts of each image's relative path, without copies of the whole set inside the set."""
    names = [tuple(name.split("/")) for name in image_names(root, follow_links=follow_links)]
    if not names:
        raise no_images(root)
    once = without_nested_copies(root, names)
    if len(once) < len(names):
        say(
            f"left out {len(names) - len(once):,} of {len(names):,} images under {root}: "
            "a folder inside holds the same files again"
        )
    return once


def without_nested_copies(root: Path, names: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Drops `a/b/train/X/1.png` where `b/train/X/1.png` or `train/X/1.png` is there too.

    Kaggle's pneumonia set comes as `chest_xray/train/...` and once more as
    `chest_xray/chest_xray/train/...`. Equal names are copies only when their sizes are equal too.
    """
    known = set(names)

    def is_copy(parts: tuple[str, ...]) -> bool:
        outer = (parts[start:] for start in range(1, len(parts) - 1))
        return any(other in known and _same_size(root, parts, other) for other in outer)

    return [parts for parts in names if not is_copy(parts)]


def _same_size(root: Path, one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return root.joinpath(*one).stat().st_size == root.joinpath(*other).stat().st_size


def wrapping_folders(names: list[tuple[str, ...]]) -> int:
    """How many leading folders all images share, above the folders that name classes."""
    depth = 0
    while (
        names
        and min(len(parts) for parts in names) > depth + 2
        and len({parts[depth] for parts in names}) == 1
    ):
        depth += 1
    return depth
