"""Whether two finished runs ended alike, bit for bit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from iacyclegan_tf.common.plain_paths import plain_path


def tensors(run: Path) -> dict[str, np.ndarray]:
    """Every saved tensor of a finished run."""
    import tensorflow as tf

    found = {}
    for index in sorted(run.rglob("state.index")):
        with plain_path(index.parent) as folder:
            reader = tf.train.load_checkpoint(str(folder / index.stem))
            for name in reader.get_variable_to_shape_map():
                if name != "_CHECKPOINTABLE_OBJECT_GRAPH":
                    found[f"{index.parent.relative_to(run)}:{name}"] = reader.get_tensor(name)
    return found


def assert_same_run(one: Path, two: Path, rounds: int | None = None) -> int:
    """Of the run ``tiny`` in the folders ``one`` and ``two``; returns how many bytes were compared.

    ``rounds``: all that ``two`` has; ``one`` may have more.
    """
    first, second = tensors(one / "runs/tiny"), tensors(two / "runs/tiny")
    numbers = sorted(path.name for path in (two / "runs/tiny").glob("round_*"))
    assert numbers and len(numbers) == (rounds or len(list((one / "runs/tiny").glob("round_*"))))
    later = tuple(path.name for path in (one / "runs/tiny").glob("round_*") if path.name not in numbers) or ("none",)
    first = {name: value for name, value in first.items() if not name.startswith(later)}
    assert first.keys() == second.keys() and len(first) > 100
    different = [name for name in first if not np.array_equal(first[name], second[name])]
    assert not different, f"{len(different)} of {len(first)} tensors differ, e.g. {different[:3]}"
    compared = sum(value.nbytes for value in first.values())
    logs = [(run / "runs/tiny/history.jsonl").read_bytes().splitlines() for run in (one, two)]
    assert [line for line in logs[0] if json.loads(line)["phase"].split("/")[0] not in later] == logs[1]
    for name in (f"{number}/{file}" for number in numbers for file in ("metrics.json", "grid.png")):
        texts = [(run / "runs/tiny" / name).read_bytes() for run in (one, two)]
        assert texts[0] == texts[1], name
        compared += len(texts[0])
    exports, judged = (
        [
            sorted(
                path.relative_to(run / "savedmodels/tiny").as_posix()
                for path in (run / "savedmodels/tiny").glob(pattern)
                if rounds is None or path.relative_to(run / "savedmodels/tiny").parts[depth] <= str(rounds)
            )
            for run in (one, two)
        ]
        for pattern, depth in (("*/[0-9]*", 1), ("blessing/*/*/*.json", 2))
    )
    assert exports[0] == exports[1] and len(exports[0]) == 4 * len(numbers), exports
    assert judged[0] == judged[1] and judged[0], judged
    leftovers = [path for run in (one, two) for path in run.rglob(".*.partial")]
    assert not leftovers, leftovers
    return compared
