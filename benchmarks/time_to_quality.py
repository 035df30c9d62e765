"""How long training takes until its images are better than the public PyTorch CycleGAN's after its whole training.

Run from the repository root:  python -m benchmarks.time_to_quality ROOT [--config cufs_128] [--torch PYTHON]
ROOT holds the CUHK student pairs, on which the peer was trained (docs/results.md has its figures, judged as here: 48
people of ``dev``, 128×128, luminance). The clock runs for Φ0's training, the steps of synthesis and sharpening, not
for measuring. With --torch the time of the peer's own steps is taken in turns with ours on the same machine.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import sys
import tempfile
import time

import numpy as np

from iacyclegan_tf.common.run_command import run_command

PEER = {"photo_to_sketch": (0.6465, 0.7594), "sketch_to_photo": (0.6486, 0.7719)}  # SSIM, FSIM after 60 epochs of 86
PEER_STEPS = 60 * 86
SIDE = 128
SETTINGS = (f"data.height={SIDE}", f"data.width={SIDE}", "rounds.count=1", "train.epochs=60", "train.decay_epochs=0")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.time_to_quality", description=__doc__.split("\n")[0])
    parser.add_argument("root")
    parser.add_argument("--config", default="cufs_128", metavar="NAME")
    parser.add_argument("--every", type=int, default=100, metavar="STEPS", help="between two looks (default 100)")
    parser.add_argument("--minutes", type=float, default=60, help="give up after this long (default 60)")
    parser.add_argument("--torch", metavar="PYTHON", help="an interpreter that has PyTorch")
    parser.add_argument("settings", nargs="*", metavar="setting=value")
    return parser.parse_intermixed_args()


def measure(options: argparse.Namespace) -> None:
    from rich.console import Console

    from iacyclegan_tf.config.reading import load_config
    from iacyclegan_tf.training.rounds import Rounds
    from iacyclegan_tf.training.run_folder import RunFolder
    from iacyclegan_tf.training.start import alone, prepare

    with tempfile.TemporaryDirectory() as place:
        folders = (f"runs_dir={place}/runs", f"savedmodels_dir={place}/models", f"data.root={options.root}")
        config = load_config(options.config, [*folders, *SETTINGS, *options.settings])
        rounds = Rounds(prepare(config, RunFolder(config), Console(), alone(config)))
        began = time.perf_counter()
        rounds.prepare_recognizer()
        spent = time.perf_counter() - began
        print(f"Φ0 was trained in {spent:.0f} s", flush=True)
        peer = _peer(options.torch) if options.torch else None
        trained(rounds, spent, options, peer)


def trained(rounds, spent: float, options: argparse.Namespace, peer) -> None:
    """Prints a line a look, until all four figures are the better ones."""
    import tensorflow as tf

    from iacyclegan_tf.data.streams.batches import paired_stream

    config, faces, synthesis = rounds.config, rounds.faces, rounds.synthesis
    synthesis._begin(1)
    step = tf.function(synthesis.gan.train_step, autograph=False)
    images = iter(
        paired_stream(
            faces.fitting.photos, faces.fitting.sketches, batch=1, seed=0, augmentation=rounds.context.augmentation
        )
    )
    print(f"the peer's figures: {_words(PEER)}", flush=True)
    ours, theirs, taken = [], [], 0
    while spent < 60 * options.minutes:
        for _ in range(options.every):
            began = time.perf_counter()
            step(next(images))
            ours.append(time.perf_counter() - began)
        taken, spent = taken + options.every, spent + sum(ours[-options.every :])
        theirs += [peer.run(5)] if peer else []
        began = time.perf_counter()
        now = [variable.numpy() for variable in synthesis.gan.generator_variables]
        if config.generator.ema > 0:
            synthesis.gan.generator_optimizer.finalize_variable_values(synthesis.gan.generator_variables)
        if config.generator.sharpness > 0:
            rounds._sharpen(1)
        spent += time.perf_counter() - began
        found = judged(synthesis.networks, faces)
        for variable, value in zip(synthesis.gan.generator_variables, now, strict=True):
            variable.assign(value)
        print(f"{taken} steps, {spent / 60:.1f} min: {_words(found)}", flush=True)
        if all(np.greater(found[side], PEER[side]).all() for side in PEER):
            break
    print(f"median step {1e3 * statistics.median(ours):.0f} ms")
    if theirs:
        whole = statistics.median(theirs) * PEER_STEPS / 6e4
        print(f"the peer's step {statistics.median(theirs):.0f} ms: its {PEER_STEPS} take {whole:.0f} min here")


def judged(networks, faces) -> dict[str, tuple[float, float]]:
    """SSIM and FSIM of the test people at the networks' size, as the peer was judged."""
    from iacyclegan_tf.evaluation.image_quality import image_measures
    from iacyclegan_tf.training.synthesized_images import synthesized

    test, found = faces.test, {}
    for side, generator, images, truths in (
        ("photo_to_sketch", networks.photo_to_sketch, test.photos, test.sketches),
        ("sketch_to_photo", networks.sketch_to_photo, test.sketches, test.photos),
    ):
        measures = image_measures(synthesized(generator, images), truths, ("ssim", "fsim"))
        found[side] = tuple(float(values.mean()) for values in measures.values())
    return found


def _words(found: dict[str, tuple[float, float]]) -> str:
    return ", ".join(f"{side.split('_')[2]} SSIM {ssim:.4f} FSIM {fsim:.4f}" for side, (ssim, fsim) in found.items())


def _peer(python: str):
    """The peer's step, warm: its networks of the width that it was trained with, without recognizers."""
    from benchmarks.step_settings import SETTINGS as STEPS
    from benchmarks.step_settings import Contender
    from benchmarks.train_step import Process

    setting = dataclasses.replace(STEPS["plain"], height=SIDE, width=SIDE)
    return Process(python, setting, Contender("torch", "float32"))


if __name__ == "__main__":
    sys.exit(run_command(lambda: measure(parse())))
