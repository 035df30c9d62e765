"""How the losses went in each round, from the run's history.jsonl, as one picture."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from iacyclegan_tf.common.foreign_text import printable

_LOSSES = {
    "loss/cycle": "cycle loss",
    "loss/adversarial": "adversarial loss of the generators",
    "loss/identity_mapping": "identity mapping loss",
    "loss/identity_perception": "identity perception loss",
    "loss/photo_discriminator": "loss of the photo discriminator",
    "loss/sketch_discriminator": "loss of the sketch discriminator",
}
_PHASE = re.compile(r"round_(\d+)/synthesis")


def read_history(path: Path) -> dict[int, dict[str, list[tuple[int, float]]]]:
    """By round and loss the steps of synthesis and their values; empty where there is no file. Broken lines, as a
    killed run leaves one, are passed over."""
    found: dict = defaultdict(lambda: defaultdict(list))
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else ():
        try:
            entry = json.loads(line)
            phase = _PHASE.fullmatch(entry["phase"])
            values = {name: float(entry[name]) for name in _LOSSES if phase and name in entry}
            for name, value in values.items():
                found[int(phase[1])][name].append((int(entry["step"]), value))
        except (ValueError, LookupError, TypeError, RecursionError):
            continue
    return found


def training_figure(history: dict, colors: tuple[str, ...], new_figure: Callable):
    """One panel a loss, one line a round."""
    names = [name for name in _LOSSES if any(name in losses for losses in history.values())]
    figure = new_figure(12, 3.4 * -(-len(names) // 3))
    grid = figure.subplots(-(-len(names) // 3), 3, squeeze=False).flat
    for axes, name in zip(grid, names):
        for index, (number, losses) in enumerate(sorted(history.items())):
            if name in losses:
                color = colors[index % len(colors)]
                axes.plot(*zip(*losses[name]), color=color, linewidth=1.6, label=printable(f"round {number}"))
        axes.set(title=_LOSSES[name], xlabel="step", ylim=(0, None))
    for axes in list(grid):
        axes.set_visible(False)
    return figure
