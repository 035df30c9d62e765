"""A trained run, opened for reading: which of its rounds are done, and where their exports lie."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.json_files import read_object
from iacyclegan_tf.common.user_paths import user_path
from iacyclegan_tf.config.reading import load_config
from iacyclegan_tf.config.settings import Config
from iacyclegan_tf.serving.signatures import SERVABLES


@dataclass(frozen=True)
class TrainedRun:
    """``path`` is ``runs/<name>``; ``savedmodels`` the folder that holds its servables."""

    path: Path
    savedmodels: Path
    config: Config

    @property
    def name(self) -> str:
        return self.path.name

    def round(self, number: int) -> Path:
        return self.path / f"round_{number}"

    def servable(self, name: str, number: int) -> Path:
        return self.savedmodels / name / str(number)

    def finished(self) -> list[int]:
        """The numbers of all finished rounds, maybe none."""
        return [number for number in range(1, self.config.rounds.count + 1) if _is_finished(self, number)]

    def rounds(self, wanted: int | None = None) -> list[int]:
        """The numbers of all finished rounds, or ``wanted`` alone; ``UserError`` where that leaves nothing."""
        done = self.finished()
        if wanted is None and done:
            return done
        if wanted in done:
            return [wanted]
        number = 1 if wanted is None else wanted
        finished = ", ".join(map(str, done)) or "none"
        if not 1 <= number <= self.config.rounds.count:
            raise UserError(
                f"The run {self.path} has no round {number}; its rounds are 1 to "
                f"{self.config.rounds.count}, finished are: {finished}."
            )
        if (self.round(number) / "metrics.json").is_file():
            missing = next(name for name in SERVABLES if not self.servable(name, number).exists())
            raise UserError(
                f"Round {number} of {self.path} has no SavedModel {self.servable(missing, number)}. "
                "If the exports lie elsewhere, name the folder above the run's with --savedmodels; a round "
                "that was stopped while it exported is completed by the same training command."
            )
        raise UserError(
            f"Round {number} of the run {self.path} is not finished (finished are: {finished}); the same "
            "training command goes on with it."
        )


def open_run(name: str | Path, savedmodels: str | Path | None = None) -> TrainedRun:
    """The run in the folder ``name``, or else in ``runs/name``.

    Args:
        savedmodels: the folder that holds a folder of exports for each run; by default the one of the run's settings.
    """
    places = [user_path(name), Path("runs") / name]
    path = next((place for place in places if (place / "config.yaml").is_file()), None)
    if path is None:
        known = ", ".join(sorted(file.parent.name for file in Path("runs").glob("*/config.yaml"))) or "none"
        raise UserError(
            f"There is no run {str(name)!r}: neither {places[0]} nor {places[1]} holds a config.yaml. "
            f"Runs in runs/: {known}."
        )
    config = load_config(path / "config.yaml")
    return TrainedRun(path.resolve(), _exports_above(path.resolve(), config, savedmodels) / config.name, config)


def _exports_above(path: Path, config: Config, named: str | Path | None) -> Path:
    """The folder above the exports. A relative one of the settings begins where the run was trained, hence from the
    run's own folder, whatever the current one is; in a run that was moved, where it stands now or in the current one.
    """
    if named:
        return user_path(named)
    above = path.joinpath("..", *[".." for _ in Path(config.runs_dir).parts]).resolve()
    places = [above / config.savedmodels_dir, Path(config.savedmodels_dir)]
    return next((place for place in places if (place / config.name).is_dir()), places[1])


def newest_run(savedmodels: str | Path | None = None) -> TrainedRun:
    """The run in ``runs/`` whose newest finished round is the newest; ``savedmodels`` as in ``open_run``."""
    measured = {path.parent.parent for path in Path("runs").glob("*/round_*/metrics.json")}
    newest_first = sorted(
        measured, key=lambda path: max(file.stat().st_mtime for file in path.glob("round_*/metrics.json")), reverse=True
    )
    for path in newest_first:
        run = open_run(path, savedmodels)
        if run.finished():
            return run
    raise UserError(
        "There is no finished run in runs/. Train one (make train), or name a run, its folder, or a folder "
        "of its exports."
    )


def finished_rounds(folder, config: Config) -> list[dict]:
    """Metrics of the first rounds, up to one that is not wholly done; ``folder``: a ``RunFolder`` or ``TrainedRun``."""
    done = takewhile(lambda number: _is_finished(folder, number), range(1, config.rounds.count + 1))
    return [read_object(folder.round(number) / "metrics.json") for number in done]


def _is_finished(folder, number: int) -> bool:
    """Measured by training, and exported."""
    exports = (folder.savedmodels / name / str(number) for name in SERVABLES)
    return (folder.round(number) / "metrics.json").exists() and all(export.exists() for export in exports)
