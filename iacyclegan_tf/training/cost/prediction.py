"""What a run will cost on this machine: a few steps of each of its phases, timed in a process that then is gone.

The process builds everything that the run would build, at full size, and feeds it noise in the place of faces: neither
the time of a step nor its memory depends on what the images show. Sets that are read from their files (data.in_memory=false) are read.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.config.reading import dump_config
from iacyclegan_tf.config.settings import Config
from iacyclegan_tf.data.face_pairs import Faces
from iacyclegan_tf.training.cost.rehearsal import SYNTHESIS, TRIPLETS, PhaseCost, rehearse


@dataclass(frozen=True)
class RunCost:
    phases: tuple[PhaseCost, ...]
    memory_gb: float

    @property
    def epoch_seconds(self) -> float:
        """Of synthesis."""
        return next(phase.epoch_steps * phase.seconds for phase in self.phases if phase.name == SYNTHESIS)

    def total(self, config: Config) -> float:
        """Seconds of all training: before the first round, and in every round."""
        cost = {phase.name: phase.steps * phase.seconds for phase in self.phases}
        step = next((phase.seconds for phase in self.phases if phase.name == TRIPLETS), 0.0)
        tuned = 2 if config.rounds.finetune else 0
        return (
            cost.get(config.recognizer.pretrain.task, 0.0)
            + step * config.recognizer.pretrain.triplet_steps
            + config.rounds.count * (cost[SYNTHESIS] + tuned * cost.get(TRIPLETS, 0.0))
        )


def measured(config: Config, faces: Faces) -> RunCost:
    """Times a few steps for ``faces`` as they are in memory; ``UserError`` where it ends before its time."""
    with tempfile.TemporaryDirectory(prefix="iacyclegan_timing_") as folder:
        place = Path(folder)
        (place / "config.yaml").write_text(dump_config(config), encoding="utf-8")
        (place / "sizes.json").write_text(json.dumps(sizes(faces)), encoding="utf-8")
        code = "import sys; from iacyclegan_tf.training.cost.prediction import main; sys.exit(main(sys.argv[1]))"
        done = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True)
        if not (place / "found.json").exists():
            why = (
                "it was killed, as a rule for want of memory"
                if done.returncode < 0
                else (done.stderr.strip().splitlines() or ["it gave no reason"])[-1].removeprefix("error: ")
            )
            raise UserError(f"The timing did not come to its end: {why}. --no-timing leaves it out.")
        found = json.loads((place / "found.json").read_text(encoding="utf-8"))
    return RunCost(tuple(PhaseCost(**phase) for phase in found["phases"]), found["memory_gb"])


def sizes(faces: Faces) -> dict:
    """Numbers and shapes of all images of a run; what ``noise`` makes images of."""
    return {
        "shape": list(faces.image_shape),
        "fit": faces.fit.mode,
        "pairs": {part: len(getattr(faces, part)) for part in ("fitting", "validation", "test")},
        "people": {part: getattr(faces, part).people for part in ("fitting", "validation", "test")},
        "originals": {
            side: [list(image.shape) for image in getattr(faces.test, side)]
            for side in ("original_photos", "original_sketches")
        },
    }


def noise(wanted: dict) -> Faces:
    """Faces of these ``sizes`` that show nothing."""
    import numpy as np

    from iacyclegan_tf.data.face_pairs import FacePairs
    from iacyclegan_tf.data.fit import Fit

    random, shape = np.random.default_rng(0), wanted["shape"]

    def images(*size: int) -> np.ndarray:
        return random.integers(0, 256, size, np.uint8)

    def pairs(part: str, **originals) -> FacePairs:
        count = wanted["pairs"][part]
        names = tuple(f"{part}-{number % wanted['people'][part]:06d}" for number in range(count))
        return FacePairs(images(count, *shape), images(count, *shape), names, **originals)

    originals = {side: tuple(images(*size) for size in some) for side, some in wanted["originals"].items()}
    return Faces(
        pairs("fitting"),
        pairs("validation"),
        pairs("test", **originals),
        "test",
        Fit(wanted["fit"], *shape[:2]),
        "noise",
    )


def main(folder: str) -> int:
    """The process: writes ``found.json`` beside the two files that ``measured`` left in ``folder``."""
    from iacyclegan_tf.common.command_line import run_command

    return run_command(lambda: _measure(Path(folder)))


def _measure(place: Path) -> None:
    from dataclasses import replace

    from iacyclegan_tf.config.reading import load_config
    from iacyclegan_tf.data.faces import load_faces
    from iacyclegan_tf.training.engine.progress import peak_memory_gb
    from iacyclegan_tf.training.start import alone

    config = load_config(place / "config.yaml")
    config = replace(config, runs_dir=str(place / "runs"), savedmodels_dir=str(place / "savedmodels"))
    workers = alone(config)
    wanted = json.loads((place / "sizes.json").read_text(encoding="utf-8"))
    faces = load_faces(config.data, config.seed) if not config.data.in_memory else noise(wanted)
    found = {"phases": [asdict(phase) for phase in rehearse(config, faces, workers)], "memory_gb": peak_memory_gb()}
    (place / "found.json").write_text(json.dumps(found), encoding="utf-8")
