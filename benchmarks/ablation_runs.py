"""The presets of ``benchmarks.ablations``, trained and evaluated one after the other, each in a process of its own.

Resumable at any moment: ``FOLDER/<label>.json`` says how far a preset is.
"""

import json
import subprocess
import sys
import time
from argparse import Namespace
from dataclasses import asdict, dataclass
from pathlib import Path

from iacyclegan_tf.common.atomic_files import write_text
from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.json_files import read_object

WHOLE, CYCLEGAN = "iacyclegan", "cyclegan"
FINISHED, OUT_OF_TIME, FAILED, BEGUN = "finished", "out of time", "failed", "begun"
_LOOK = 0.5  # seconds between two looks at a training
_STATE = 10.0  # seconds after which the time spent is written down


@dataclass(frozen=True)
class Preset:
    """``settings`` are overrides; ``{perception_weight}`` is what ``auto`` came to in the whole method's round 1."""

    what: str
    settings: tuple[str, ...] = ()


PRESETS = {
    WHOLE: Preset("the whole method"),
    CYCLEGAN: Preset("without the identity perception loss", ("rounds.perception=false",)),
    "frozen": Preset("recognizers frozen at their first state", ("rounds.finetune=false",)),
    "no_adversarial": Preset("without the adversarial loss", ("loss.adversarial_weight=0",)),
    # "auto" is a share of the weighted cycle term, which is 0 here
    "no_cycle": Preset("without the cycle loss", ("loss.cycle_weight=0", "loss.perception_weight={perception_weight}")),
    "no_identity_mapping": Preset("without the identity mapping loss", ("loss.identity_mapping_weight=0",)),
}
# What the project adds to the paper, each taken away: it changes something only where the base settings have it.
ADDITIONS = {
    "no_averaging": Preset("without the moving average of the generators", ("generator.ema=0",)),
    "no_sharpening": Preset("outputs not sharpened", ("generator.sharpness=0",)),
    "enlarged": Preset("images enlarged and cropped at random, as CycleGAN does", ("data.enlarge=1.117",)),
    "transpose": Preset("transposed convolutions, as in CycleGAN", ("generator.upsampling=transpose",)),
}


@dataclass
class Attempt:
    """One preset with one seed: ``FOLDER/<label>.json``. ``seconds`` is the wall time of training, over all starts."""

    label: str
    preset: str
    what: str
    seed: int
    command: list[str]
    config: str
    settings: list[str]
    minutes: float | None
    seconds: float = 0.0
    state: str = BEGUN


def run_presets(arguments: Namespace, presets: dict[str, Preset]) -> None:
    folder, failed = arguments.folder, []
    try:
        seeds = [int(seed) for seed in arguments.seeds.split(",")]
    except ValueError:
        raise UserError(f"--seeds is {arguments.seeds!r}; it must be whole numbers with commas between.") from None
    if arguments.minutes is not None and not arguments.minutes > 0:
        raise UserError(f"--minutes is {arguments.minutes:g}; it must be more than 0.")
    for seed in seeds:
        for name, preset in presets.items():
            label = f"{name}-{seed}"
            attempt = _begin(folder, label, name, preset, seed, arguments)
            if attempt.state == BEGUN:
                _train(folder, attempt)
            if attempt.state != FAILED and not _evaluate(folder, attempt):
                attempt.state = FAILED
                _write(folder, attempt)
            print(f"{label}: {attempt.state}, {attempt.seconds / 60:.1f} minutes of training", flush=True)
            failed += [f"{label} ({folder / 'logs' / label}.log)"] * (attempt.state == FAILED)
    if failed:
        raise UserError(
            f"{len(failed)} presets failed; their logs say why: {', '.join(failed)}. The same command tries them again."
        )


def _begin(folder: Path, label: str, name: str, preset: Preset, seed: int, arguments: Namespace) -> Attempt:
    """A new attempt, or the one that was begun; ``UserError`` where that had other settings."""
    config = arguments.best if name == "best" else arguments.config
    needed = {"perception_weight": _perception_weight(folder, seed)} if "{" in "".join(preset.settings) else {}
    settings = [*arguments.settings, *(setting.format(**needed) for setting in preset.settings)]
    command = [sys.executable, "-m", "iacyclegan_tf.train", *(["--config", str(config)] if config else [])]
    command += [f"name={label}", f"seed={seed}", f"runs_dir={folder / 'runs'}"]
    command += [f"savedmodels_dir={folder / 'savedmodels'}", *settings]
    new = Attempt(label, name, preset.what, seed, command, str(config or "quickstart"), settings, arguments.minutes)
    path = folder / f"{label}.json"
    if not path.is_file():
        return new
    old = read_attempt(path)
    if old.command != command:
        raise UserError(f"{path} is of a run with other settings: {' '.join(old.command[2:])}; take another folder.")
    more_time = old.state == OUT_OF_TIME and (new.minutes is None or new.minutes * 60 > old.seconds)
    if old.state == FAILED or more_time:
        old.state = BEGUN
    old.minutes = new.minutes
    return old


def read_attempt(path: Path) -> Attempt:
    try:
        return Attempt(**read_object(path))
    except TypeError as error:
        raise UserError(f"{path} cannot be read: {error}.") from None


def _perception_weight(folder: Path, seed: int) -> float:
    place = folder / "runs" / f"{WHOLE}-{seed}" / "round_1" / "networks" / "extra.json"
    if not place.is_file():
        raise UserError(
            f"A preset takes its perception weight from the preset {WHOLE} with seed {seed}, and {place} "
            "is not there yet: run that preset first."
        )
    return read_object(place)["perception_weight"]


def _train(folder: Path, attempt: Attempt) -> None:
    """Until it ends or its time is up; then SIGTERM, upon which training saves and stops."""
    before, started, written, stopped = attempt.seconds, time.monotonic(), 0.0, False
    log = folder / "logs" / f"{attempt.label}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    print(f"{attempt.label}: training ({attempt.what}), log in {log}", flush=True)
    with open(log, "a", encoding="utf-8") as file:
        process = subprocess.Popen(attempt.command, stdout=file, stderr=subprocess.STDOUT)
        try:
            while process.poll() is None:
                time.sleep(_LOOK)
                attempt.seconds = before + time.monotonic() - started
                if attempt.seconds - written > _STATE:
                    _write(folder, attempt)
                    written = attempt.seconds
                if attempt.minutes is not None and attempt.seconds > attempt.minutes * 60 and not stopped:
                    process.terminate()
                    stopped = True
        finally:
            if process.poll() is None:  # Ctrl-C: the training got it too
                process.terminate()
                process.wait()
            _write(folder, attempt)
    attempt.state = FINISHED if process.returncode == 0 else OUT_OF_TIME if stopped else FAILED
    _write(folder, attempt)


def _evaluate(folder: Path, attempt: Attempt) -> bool:
    """Measures the rounds that are finished and not measured yet; whether that went well."""
    run = folder / "runs" / attempt.label
    open_rounds = (
        path.parent for path in run.glob("round_*/metrics.json") if not (path.parent / "people.csv").is_file()
    )
    exports = folder / "savedmodels" / attempt.label / "sketch_recognizer"
    if not any((exports / path.name[6:]).is_dir() for path in open_rounds):
        return True
    print(f"{attempt.label}: evaluating", flush=True)
    command = [sys.executable, "-m", "iacyclegan_tf.evaluate", str(run), "--savedmodels", str(folder / "savedmodels")]
    with open(folder / "logs" / f"{attempt.label}.log", "a", encoding="utf-8") as file:
        return subprocess.run(command, stdout=file, stderr=subprocess.STDOUT).returncode == 0


def _write(folder: Path, attempt: Attempt) -> None:
    write_text(folder / f"{attempt.label}.json", json.dumps(asdict(attempt), indent=2) + "\n")
