"""The same numbers and figures for TensorBoard, as the run ``evaluation`` beside the phases of training."""

from __future__ import annotations

from pathlib import Path

from iacyclegan_tf.evaluation.result_files import RoundResult, scalars


def write_tensorboard(folder: Path, rounds: list[RoundResult], figures: dict[str, bytes]) -> None:
    """Each round's scalars at its number, the figures at the last; what an earlier evaluation wrote is replaced."""
    import tensorflow as tf

    for one in rounds:
        suffix = f".round_{one.number}"
        for old in folder.glob(f"events.*{suffix}"):
            old.unlink()
        writer = tf.summary.create_file_writer(str(folder), filename_suffix=suffix)
        with writer.as_default(step=one.number):
            for name, value in scalars(one.metrics):
                tf.summary.scalar(name, value)
            if one is rounds[-1]:
                for caption, png in figures.items():
                    tf.summary.image(caption, tf.io.decode_png(png, channels=4)[None])
        writer.close()
