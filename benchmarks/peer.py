"""Another method's synthesized images by the measures that ours are judged by: a row for all people and one a subset.

Run from the repository root:  python -m benchmarks.peer ROOT FOLDER [--kind photos] [--split dev] [--nlda cufsf]
ROOT holds pairs as docs/data.md has them; FOLDER one image a person of the split, named by the person.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.run_command import run_command
from iacyclegan_tf.common.tables import Table


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peer", description=__doc__.split("\n")[0])
    parser.add_argument("root")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kind", choices=("sketches", "photos"), default="sketches", help="what FOLDER holds")
    parser.add_argument("--split", default="dev")
    parser.add_argument("--nlda", choices=("cufs", "cufsf"), default="cufs")
    return parser.parse_args()


def judge(options: argparse.Namespace) -> None:
    from iacyclegan_tf.data.images.files import read_image
    from iacyclegan_tf.data.pairs.pairing import find_pairs
    from iacyclegan_tf.evaluation.image_quality import image_measures, nlda_of_sketches

    pairs = [pair for pair in find_pairs(options.root).pairs if pair.split == options.split]
    files = {path.stem: path for path in sorted(options.folder.iterdir())} if options.folder.is_dir() else {}
    if missing := [pair.identity for pair in pairs if pair.identity not in files]:
        raise UserError(f"{options.folder} lacks images of {len(missing)} of {len(pairs)} people, first {missing[:3]}.")
    fakes = [read_image(files[pair.identity]) for pair in pairs]
    truths = [read_image(pair.sketch if options.kind == "sketches" else pair.photo) for pair in pairs]
    values = image_measures(fakes, truths, ("ssim", "fsim", "sharpness"))
    subsets = np.array([pair.subset for pair in pairs])
    parts = {"all": np.ones(len(pairs), bool)} | {name: subsets == name for name in sorted({*subsets} - {""})}
    rows = tuple(
        (name, str(part.sum()), *(f"{values[measure][part].mean():.3f}" for measure in values))
        for name, part in parts.items()
    )
    title = f"{options.kind} in {options.folder.name} against {options.root}, {options.split}"
    print(Table(title, ("people", "number", "SSIM", "FSIM", "sharpness"), rows).markdown())
    if options.kind == "sketches":
        found = nlda_of_sketches(truths, fakes, [pair.identity for pair in pairs], options.nlda)
        print(f"NLDA {100 * found['mean']:.1f} %, {found['protocol']}" if "mean" in found else found["not_measured"])


if __name__ == "__main__":
    sys.exit(run_command(lambda: judge(parse())))
