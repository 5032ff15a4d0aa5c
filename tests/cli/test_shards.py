from __future__ import annotations

import json

import typer
from typer.testing import CliRunner

from cxr.cli.shards import shards
from cxr.find.phantom import write_phantom
from cxr.pixels.shards.read import open_shards


def run(*arguments):
    app = typer.Typer()
    app.command()(shards)
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_images_become_shards_and_the_next_step_is_told(tmp_path):
    films = write_phantom(tmp_path / "images", n_images=12, size=64)
    out = tmp_path / "out"
    given = (films, "--out", out, "--size", 32, "--images-per-shard", 5)
    told = json.loads(run(*given, "--json"))
    assert (told["images"], told["unreadable"], told["shards"]) == (12, 0, 3)
    assert told["bytes"] == 12 * 32 * 32 + 3 * 128
    assert sum(path.stat().st_size for path in out.glob("*.npy")) == told["bytes"]
    assert open_shards(out).index.fingerprint == told["fingerprint"]
    assert run(*given).endswith(
        "12 images (shards: 3, 0.0 MB)\n"
        f"next: cxr train {out} --run runs/a --size 32 --frame lungs\n"
    )
    run(films, "--out", tmp_path / "other", "--size", 32, "--shuffle", 7, "--resize", "pad")
    index = open_shards(tmp_path / "other").index
    assert (index.shuffle, index.method, index.images_per_shard) == (7, "pad", 4096)
    assert index.frame == "lungs"
    run(films, "--out", tmp_path / "whole", "--size", 32, "--frame", "whole")
    assert open_shards(tmp_path / "whole").index.frame == "whole"
