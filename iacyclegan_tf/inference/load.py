"""A trained round found by name: a run, a run's folder, a folder of exports or a serving base."""

from __future__ import annotations

from pathlib import Path

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.user_paths import user_path
from iacyclegan_tf.inference.runs import TrainedRun, newest_run, open_run
from iacyclegan_tf.inference.trained import Trained
from iacyclegan_tf.serving.publishing.server_files import pushed_versions
from iacyclegan_tf.serving.signatures import SERVABLES
from iacyclegan_tf.serving.version_folders import list_versions


def load(
    model: str | Path | None = None, round: int | None = None, savedmodels: str | Path | None = None, align: bool = True
) -> Trained:
    """Opens a trained round. SavedModels are programs: load only those that you or people you trust have written.

    Args:
        model: a run's name (``runs/<name>``) or folder, a folder of exports (``savedmodels/<run>``), or a serving base
            (``savedmodels/serving``). By default the run in ``runs/`` that finished a round last.
        round: of a run by default its last finished round. Of a folder of exports it is the version: by default the
            newest that all four servables have (in a serving base: the newest that is blessed), or else the newest.
        savedmodels: the folder above the exports of runs, by default the one of the run's settings.
        align: files, bytes and arrays, alone or in lists, are aligned unless they are the aligned crop already; models
            whose training pictures were cut otherwise never align. False takes every picture as it is.

    Raises:
        UserError: nothing of that name, or no finished round.
    """
    found = _find(model, round, savedmodels)
    known = found.trained_on
    found.align = align and (known is None or known.aligned)
    return found


def _find(model: str | Path | None, round: int | None, savedmodels: str | Path | None) -> Trained:
    if model is None:
        found = _of_run(newest_run(savedmodels), round)
        found.why = "the run in runs/ that finished a round last"
        return found
    model = user_path(model)
    if any((place / "config.yaml").is_file() for place in (model, Path("runs") / model)):
        return _of_run(open_run(model, savedmodels), round)
    for place in (model, user_path(savedmodels or "savedmodels") / model):
        if any((place / servable).is_dir() for servable in SERVABLES):
            return _of_exports(place, round)
    raise UserError(
        f"There is no model {str(model)!r}: it is neither a run (runs/{model}), nor a run's folder, nor a folder "
        f"of exports that holds {SERVABLES[0]}/<version> (a run's in savedmodels/, or a serving base)."
    )


def _of_run(run: TrainedRun, wanted: int | None) -> Trained:
    number = run.rounds(wanted)[-1]
    return Trained(run.name, number, {servable: run.servable(servable, number) for servable in SERVABLES})


def _of_exports(folder: Path, wanted: int | None) -> Trained:
    known = {servable: set(list_versions(folder / servable)) for servable in SERVABLES}
    blessed = {servable: set(pushed_versions(folder / servable)) for servable in SERVABLES}
    trusted = blessed if any(blessed.values()) else known  # only in a serving base is anything marked
    number = wanted
    if number is None:
        number = max(set.intersection(*trusted.values()) or set.union(*trusted.values()), default=None)
    folders = {servable: folder / servable / str(number) for servable in SERVABLES if number in known[servable]}
    if not folders:
        versions = ", ".join(map(str, sorted(set.union(*known.values())))) or "none"
        raise UserError(
            f"{folder} holds no version{'' if wanted is None else f' {wanted}'} of a model; it holds: {versions}."
        )
    return Trained(folder.name, number, folders)
