"""``python -m iacyclegan_tf.weights FILE``: what a weights file holds, and a SavedModel made of it.

    python -m iacyclegan_tf.weights VGG_FACE.caffemodel
    python -m iacyclegan_tf.weights vgg_face.mat --write vggface/1

Reads Caffe .caffemodel, MatConvNet .mat, keras-vggface .h5 and deepface .h5 (docs/weights.md), and dlib's face network
(docs/recognizers.md).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.outputs import check_output_folder
from iacyclegan_tf.common.run_command import program, run_command
from iacyclegan_tf.common.user_paths import user_path

if TYPE_CHECKING:
    import numpy as np
    from rich.table import Table

    from iacyclegan_tf.models.vggface_weights import VGGFaceWeights


def main(arguments: list[str] | None = None) -> int:
    """Parses the command line and runs the command; returns the exit code (2 for a user's mistake)."""
    options = _parser().parse_args(arguments)
    return run_command(lambda: show(options.file, options.write))


def show(file: Path, write: Path | None = None) -> None:
    """Prints what ``file`` holds and, when ``write`` is given, writes a SavedModel there.

    Raises:
        UserError: ``file`` cannot be read; ``write`` is no new folder, or cannot be written.
    """
    from iacyclegan_tf.common.terminal import open_console
    from iacyclegan_tf.models.dlib_weights import is_dlib_file, read_dlib
    from iacyclegan_tf.models.vggface_weights import read_vggface_weights, weights_fingerprint

    if write is not None and check_output_folder(write.parent) and (write.exists() or write.suffix):
        raise UserError(f"The weights cannot go to {write}: name a new folder for a SavedModel, without a suffix.")
    if is_dlib_file(file):
        if write is not None:
            raise UserError(f"{file} is read by recognizer.network=dlib as it is; a run exports what it makes of it.")
        arrays, facts = read_dlib(file), {"format": "dlib, face recognition ResNet"}
    else:
        found = read_vggface_weights(file)
        arrays, facts = found.arrays, _vggface_facts(found)
    facts["parameters"] = f"{sum(array.size for array in arrays.values()):,}"
    facts["fingerprint"] = weights_fingerprint(arrays)
    if write is not None:
        from iacyclegan_tf.serving.vggface_export import export_vggface

        export_vggface(found, write, facts)
        facts["written to"] = write
    console = open_console()
    console.print(_layers(arrays))
    for name, value in facts.items():
        console.print(f"{name:<14} {value}", markup=False, highlight=False)


def _layers(arrays: dict[str, np.ndarray]) -> Table:
    """One row per layer with weights; dlib's affine layers are counted with the convolutions before them."""
    from rich.table import Column, Table

    table = Table("layer", "kernel", Column("parameters", justify="right"))
    for name in [key.removesuffix("/kernel") for key in arrays if key.endswith("/kernel")]:
        size = sum(array.size for key, array in arrays.items() if key.startswith(f"{name}/"))
        table.add_row(name, " x ".join(map(str, arrays[f"{name}/kernel"].shape)), f"{size:,}")
    return table


def _vggface_facts(weights: VGGFaceWeights) -> dict[str, str]:
    from iacyclegan_tf.models.vggface_weights.canonical import FILE_CHANNEL_ORDER

    order = FILE_CHANNEL_ORDER[weights.source_format]
    return {
        "format": weights.source_format,
        "top layers": "fc6, fc7, fc8" if weights.has_top else "none",
        "mean (R, G, B)": ", ".join(f"{value:.4f}" for value in weights.mean_rgb),
        "channel order": order if order == "RGB" else f"{order} in such files, turned to RGB here",
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program("weights"),
        description=__doc__.partition(": ")[2],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", type=user_path, metavar="FILE", help="weights file; its content tells the format")
    parser.add_argument(
        "--write", type=user_path, metavar="FOLDER", help="as a SavedModel in a new folder, e.g. vggface/1"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
