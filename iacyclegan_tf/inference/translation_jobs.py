"""From what a user names (images, folders, globs, an output) to one job for each picture."""

from __future__ import annotations

import glob
import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.images.files import IMAGE_SUFFIXES, image_stem
from iacyclegan_tf.data.images.folder import is_left_out, walk_images


@dataclass(frozen=True)
class Job:
    """``target`` is a PNG file; ``beside``, if any, shows input and output side by side."""

    source: Path
    target: Path
    beside: Path | None = None

    @property
    def targets(self) -> list[Path]:
        return [self.target, *([self.beside] if self.beside else [])]


@dataclass(frozen=True)
class Plan:
    """``jobs``; sentences about files and folders in the inputs that are no image or closed; lines about what is left
    out of them by rule."""

    jobs: list[Job]
    complaints: list[str]
    notes: list[str]


def plan(inputs: Sequence[str], output: str | Path, side_by_side: bool = False) -> Plan:
    """A job for each image, by name.

    Args:
        inputs: image files, folders (the images directly inside) and globs (``**`` goes through subfolders).
        output: a ``.png`` file for one image, else a folder that gets ``NAME.png`` for each; below a glob's fixed part,
            subfolders are kept.
        side_by_side: also ``NAME.side_by_side.png``.

    Raises:
        UserError: nothing is there, two images would have one output, or an output would be one of the inputs.
    """
    sources, complaints, notes = {}, [], []  # each image with its path below what was named, in order and once
    for name in inputs:
        found, bad, left_out = _images(name)
        sources |= {path: below for path, below in found if path not in sources}
        complaints += bad
        notes += left_out
    out = Path(output)
    if _is_file(inputs, out):
        targets = dict.fromkeys(sources, out)
    else:
        if out.exists() and not out.is_dir():
            raise UserError(f"The output {out} is a file; for several images it must be a folder.")
        targets = {path: out / below.parent / f"{image_stem(below)}.png" for path, below in sources.items()}
    jobs = [
        Job(path, target, target.with_name(f"{target.stem}.side_by_side.png") if side_by_side else None)
        for path, target in targets.items()
    ]
    _refuse_clashes(jobs)
    return Plan(jobs, complaints, notes)


def _images(name: str) -> tuple[list[tuple[Path, Path]], list[str], list[str]]:
    """Each image with its path below the folder or the glob's fixed part; complaints and notes as in ``Plan``."""
    path = Path(name)
    if path.is_dir():
        walked = walk_images(path, recursive=False)
        if not walked.paths:
            raise UserError(" ".join([f"The folder {path} holds no image.", *walked.complaints(), *walked.notes()]))
        return [(image, Path(image.name)) for image in walked.paths], walked.complaints(), walked.notes()
    if path.exists():
        return [(path, Path(path.name))], [], []
    if not glob.has_magic(name):
        raise UserError(f"The input {path} is not there.")
    parts = path.parts[:-1]
    fixed = Path(*itertools.takewhile(lambda part: not glob.has_magic(part), parts))
    found = sorted(Path(file) for file in glob.glob(name, recursive=True) if os.path.isfile(file))
    below = {file: file.relative_to(fixed) for file in found}
    kept = [(file, place) for file, place in below.items() if not any(map(is_left_out, place.parts))]
    if not kept:
        raise UserError(f"No file matches {name!r}.")
    if "**" not in parts:
        return kept, [], []
    # a glob passes over closed folders and files without a word
    walked = walk_images(fixed)
    return kept, [line for line in walked.complaints() if "cannot be read" in line], walked.notes()


def _is_file(inputs: Sequence[str], out: Path) -> bool:
    """Whether ``out`` names the one output's file."""
    if len(inputs) > 1 or not Path(inputs[0]).is_file() or out.is_dir():
        return False
    if out.suffix.lower() in IMAGE_SUFFIXES and out.suffix.lower() != ".png":
        raise UserError(f"The output {out} must end in .png (pictures are written without loss), or be a folder.")
    return out.suffix.lower() == ".png"


def _refuse_clashes(jobs: list[Job]) -> None:
    sources = {os.path.realpath(job.source) for job in jobs}
    taken: dict[str, Path] = {}
    for job in jobs:
        for target in job.targets:
            place = os.path.realpath(target)
            if place in sources:
                raise UserError(f"The output {target} is one of the inputs. Give another output.")
            if place in taken:
                raise UserError(
                    f"{taken[place]} and {job.source} would both be written to {target}; rename one, or "
                    "translate them to different folders."
                )
            taken[place] = job.source
