"""What a run says at its end: its table, whether later rounds are worse, and what to do next."""

from __future__ import annotations

import itertools
import math
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from iacyclegan_tf.common.tables import Table, print_table
from iacyclegan_tf.config.settings import Config

_IMAGES = {"photo_to_sketch": "sketch", "sketch_to_photo": "photo"}
_WAYS = ("none", "photo", "sketch", "fusion")
_Z = 1.96  # of a 95 % interval


def show(metrics: list[dict], console) -> None:
    """The final table, a row a round and the trivial baselines that any model must beat; then where it got worse."""
    base, protocol = metrics[0]["trivial_baselines"], metrics[0]["protocol"]
    rows = [
        (words, *(f"{base[side]['ssim'][kind]:.4f}" for side in _IMAGES), *[""] * 5)
        for kind, words in (("input", "input"), ("mean_training_image", "mean image"))
    ]
    for one in metrics:
        ranks = [one["retrieval"][way]["rank1"] for way in _WAYS] + [one["retrieval"]["fusion"]["rank5"]]
        ssim = (f"{one[side]['ssim']:.4f}" for side in _IMAGES)
        rows.append((f"round {one['round']}", *ssim, *(f"{100 * rank:.1f} %" for rank in ranks)))
    columns = ("sketch\nSSIM", "photo\nSSIM", *(f"{way}\nrank-1" for way in _WAYS), "fusion\nrank-5")
    title = f"{protocol['test_people']} test people, split {protocol['split_sha256'][:12]}"
    print_table(Table(title, ("", *columns), tuple(rows), tuple(worse(metrics))), console)


def worse(metrics: list[dict]) -> Iterator[str]:
    """A sentence for each round that is worse than the one before it, and whether rank-1 by fusion is within noise.

    Noise: the 95 % interval of a difference of two shares of the test pairs, as of two samples (normal
    approximation); paired intervals over people, also of SSIM, need every pair's value and are ``compare``'s.
    """
    for before, after in itertools.pairwise(metrics):
        pairs = after["protocol"]["test_pairs"]
        rank, new = (one["retrieval"]["fusion"]["rank1"] for one in (before, after))
        ssim = {words: after[side]["ssim"] - before[side]["ssim"] for side, words in _IMAGES.items()}
        if new >= rank and min(ssim.values()) >= 0:
            continue
        noise = _Z * math.sqrt((rank * (1 - rank) + new * (1 - new)) / pairs)
        verdict = "no worse" if new >= rank else "within noise" if rank - new <= noise else "more than noise"
        yield (
            f"Round {after['round']} is worse than round {before['round']} in part: rank-1 by fusion "
            f"{100 * (new - rank):+.1f} % ({verdict}), "
            + ", ".join(f"{words} SSIM {change:+.4f}" for words, change in ssim.items())
            + "."
        )


def next_commands(config: Config, folder: Path) -> list[str]:
    """Three commands that run as they stand. After drawn faces the first has samples to translate, written here."""
    run = shlex.quote(config.name if Path(config.runs_dir) == Path("runs") else str(folder))
    commands = [f"evaluate {run}", f"app --model {run}"]
    if config.data.source == "drawn":
        from iacyclegan_tf.data.drawn.samples import write_samples

        write_samples(folder / "samples", overwrite=True)
        photos = shlex.quote(str(folder / "samples/photos"))
        commands.insert(0, f"translate {photos} sketches --model {run} --side-by-side")
    else:
        commands.append(f"export {run} --push {shlex.quote(str(Path(config.savedmodels_dir) / 'serving'))}")
    return [_command(*words.split(" ", 1)) for words in commands]


def say_next(config: Config, folder: Path, console) -> None:
    console.print("Next:")
    for line in next_commands(config, folder):  # in one line each, so that they can be copied
        console.print(f"  {line}", soft_wrap=True, markup=False, highlight=False)


def _command(name: str, arguments: str) -> str:
    """As it can be typed here: with the name of an installed program where this one has it, or this very Python."""
    if os.path.basename(sys.argv[0]).startswith("iacyclegan-"):
        return f"iacyclegan-{name} {arguments}"
    found = shutil.which("python")
    python = "python" if found and Path(found).absolute() == Path(sys.executable) else os.path.relpath(sys.executable)
    return f"{python} -m iacyclegan_tf.{name} {arguments}"
