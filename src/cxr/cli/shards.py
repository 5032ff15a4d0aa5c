"""`cxr shards DATA --out DIR`: decode a data set once, into files to train from anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..config import FrameMode, ManifestOptions, ResizeMethod, RunConfig
from ._options import Json, one_of, with_manifest_options
from ._output import emit


@with_manifest_options
def shards(
    data: Annotated[Path, typer.Argument(help="Folder of images, or a CSV or Parquet table.")],
    out: Annotated[str, typer.Option(help="A folder, or a URI such as s3://bucket/images.")],
    size: Annotated[int, typer.Option(help="Side of the images in pixels.")] = RunConfig.size,
    resize: Annotated[str, typer.Option(help=one_of(ResizeMethod))] = RunConfig.resize,
    frame: Annotated[
        str, typer.Option(help=one_of(FrameMode, "What is kept of an image"))
    ] = RunConfig.frame,
    images_per_shard: Annotated[int, typer.Option(min=1, help="Images in one file.")] = 4096,
    shuffle: Annotated[
        int | None,
        typer.Option(metavar="SEED", help="Put the images into a random order, for streaming."),
    ] = None,
    *,
    options: ManifestOptions,
    json: Json = False,
) -> None:
    """Decode all images into numbered files, for cxr train on any machine.

    Example: cxr shards chest_xrays --out s3://bucket/xrays --size 96

    Stopped at any moment, the same command goes on; what is damaged is mended by it too.
    """
    from ..find import read_manifest
    from ..pixels.shards.write import write_shards

    manifest = read_manifest(data, options)
    index = write_shards(
        manifest,
        out,
        size,
        resize,
        frame=frame,  # type: ignore[arg-type]  # refused there, too
        images_per_shard=images_per_shard,
        shuffle=shuffle,
    )
    how = ("--size", index.height, "--frame", index.frame)
    n_bytes = sum(index.n_bytes(shard) for shard in range(len(index.counts)))
    emit(
        {
            "out": out,
            "images": index.images,
            "unreadable": index.rows - index.images,
            "shards": len(index.counts),
            "bytes": n_bytes,
            "height": index.height,
            "width": index.width,
            "method": index.method,
            "frame": index.frame,
            "fingerprint": index.fingerprint,
        },
        json,
        f"{index.images:,} images (shards: {len(index.counts):,}, {n_bytes / 1e6:,.1f} MB)",
        [("train", out, "--run", "runs/a", *how)],
    )
