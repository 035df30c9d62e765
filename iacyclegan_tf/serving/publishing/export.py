"""TFX style: every round's four SavedModels are exported, evaluated, validated, and pushed where both bless them.

    savedmodels/<run>/<servable>/<version>/            the export, blessed or not; the version is the round's number
    savedmodels/<run>/blessing/<servable>/<version>/   evaluation.json, infra_validation.json, push.json and the marks
    savedmodels/serving/<servable>/<version>/          what servers poll

Each step leaves its file last, so that the same command goes on after a kill. A refusal is written down and said; it
stops nothing.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from iacyclegan_tf.common.atomic_files import new_folder, write_text
from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.json_files import read_object
from iacyclegan_tf.config.settings import Config
from iacyclegan_tf.serving.publishing import evaluator, infra_validator
from iacyclegan_tf.serving.publishing.model_card import FILE as MODEL_CARD
from iacyclegan_tf.serving.publishing.model_card import model_card
from iacyclegan_tf.serving.publishing.pusher import push
from iacyclegan_tf.serving.publishing.sample_requests import write_warmup
from iacyclegan_tf.serving.publishing.server_files import PER_MODEL_BATCHING, batching
from iacyclegan_tf.serving.served_modules import save
from iacyclegan_tf.serving.signatures import CALIBRATION, EXTRA, SERVABLES, is_recognizer
from iacyclegan_tf.serving.version_folders import SUMS, list_versions, sums

EVALUATED = (evaluator.BLESSED, evaluator.NOT_BLESSED)
VALIDATED = (infra_validator.INFRA_BLESSED, infra_validator.INFRA_NOT_BLESSED)
PUSH = "push.json"


@dataclass(frozen=True)
class Version:
    """The exports of one version.

    Attributes:
        savedmodels: ``savedmodels/<run>``.
        number: the same for all four servables.
    """

    savedmodels: Path
    number: int

    def export(self, servable: str) -> Path:
        return self.savedmodels / servable / str(self.number)

    def blessings(self, servable: str) -> Path:
        return self.savedmodels / "blessing" / servable

    def blessing(self, servable: str) -> Path:
        return self.blessings(servable) / str(self.number)

    def blessed(self) -> list[str]:
        """The servables that evaluator and infra validation both blessed."""
        both = (evaluator.BLESSED, infra_validator.INFRA_BLESSED)
        return [name for name in SERVABLES if all((self.blessing(name) / mark).exists() for mark in both)]

    def exported(self) -> bool:
        return all(self.export(servable).exists() for servable in SERVABLES)

    def published(self, push: bool) -> bool:
        """Whether nothing is left to do; ``push``: the setting."""
        judged = all(_marked(self.blessing(name), marks) for name in SERVABLES for marks in (EVALUATED, VALIDATED))
        pushed = not push or all((self.blessing(servable) / PUSH).exists() for servable in self.blessed())
        return self.exported() and judged and pushed


@dataclass(frozen=True)
class Source:
    """What a round's exports are made from.

    Attributes:
        data, metrics: the run's ``data.json`` and the round's ``metrics.json``.
        calibration: the round's ``calibration.json``, which its exports carry; old rounds have none.
    """

    config: Config
    data: dict
    metrics: dict
    calibration: Path


def publish(
    version: Version, source: Source, modules: Callable[[], dict[str, tf.Module]], say: Callable[[str], None]
) -> None:
    """Does what is not done yet, and says what was blessed, refused and pushed.

    Args:
        modules: gives the served modules by servable; called only where something has to be exported.
    """
    settings = source.config.export
    if version.published(settings.push):
        return
    if not version.exported():
        made = modules()
        for servable in SERVABLES:
            export(made[servable], servable, version, source)
    for servable in SERVABLES:
        if not _marked(version.blessing(servable), EVALUATED):
            rules = getattr(settings.thresholds, servable)
            evaluator.evaluate(servable, source.metrics, rules, version.blessings(servable), version.number)
    waiting = {name: version.export(name) for name in SERVABLES if not _marked(version.blessing(name), VALIDATED)}
    for servable, reasons in infra_validator.validate(waiting, settings.infra_validation).items():
        infra_validator.write_verdict(reasons, version.blessing(servable))
    for servable in SERVABLES:
        say(_verdict(version, servable))
    if settings.push:
        _push(version, source, say)


def export(module: tf.Module, servable: str, version: Version, source: Source) -> None:
    """Saves ``module`` with its signatures, warm-up requests and model card; an existing version is never changed.

    A server that polls the parent sees either nothing or the complete version: the sibling that is written has
    a name that is no integer.
    """
    folder = version.export(servable)
    if folder.exists():
        return
    with new_export(module, servable, folder) as aside:
        extra = aside / EXTRA
        card = model_card(servable, source.config, source.data, source.metrics) | {"version": version.number}
        (extra / MODEL_CARD).write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        if source.calibration.exists():
            shutil.copyfile(source.calibration, extra / CALIBRATION)
        if not is_recognizer(servable):  # a server that batches would mix up the scores of match
            (aside / PER_MODEL_BATCHING).write_text(batching(source.config.export.batching))


@contextmanager
def new_export(module: tf.Module, servable: str, folder: Path) -> Iterator[Path]:
    """``module`` with its signatures and warm-up requests, aside, for more to be added; then it becomes ``folder``.

    The SHA-256 of every file is kept with them (``version_folders.py``). Operations outside stock TensorFlow are
    refused. ``UserError`` where it cannot be written.
    """
    try:
        with new_folder(folder) as aside:
            save(module, aside)
            extra = aside / EXTRA
            extra.mkdir()
            write_warmup(servable, extra)
            yield aside
            (aside / SUMS).write_text(sums(aside), encoding="utf-8")
    except (OSError, tf.errors.OpError) as error:
        raise UserError(f"The SavedModel {folder} could not be written: {error}.") from None


def published(folder, config: Config, rounds: list[dict]) -> bool:
    """Whether the exports of all finished ``rounds`` (their metrics) are judged, and pushed where blessed."""
    return all(Version(folder.savedmodels, metrics["round"]).published(config.export.push) for metrics in rounds)


def _push(version: Version, source: Source, say: Callable[[str], None]) -> None:
    """Pushes what is blessed twice to the settings' base, once; what cannot be pushed is said, not raised."""
    blessed, config = version.blessed(), source.config
    if all((version.blessing(servable) / PUSH).exists() for servable in blessed):
        return
    base = Path(config.export.destination or Path(config.savedmodels_dir) / "serving")
    try:
        exports = {servable: version.export(servable) for servable in blessed}
        number = push(exports, base, config.export, f"{config.name} round {source.metrics['round']}")
        result = {"pushed": True, "base": str(base), "version": number}
        say(f"pushed to {base} as version {number}: {', '.join(blessed)}")
    except UserError as error:
        result = {"pushed": False, "base": str(base), "why": str(error)}
        say(f"{error} To push it: python -m iacyclegan_tf.export {config.name} --push {base} --overwrite")
    for servable in blessed:
        write_text(version.blessing(servable) / PUSH, json.dumps(result, indent=2) + "\n")


def _marked(blessing: Path, marks: tuple[str, str]) -> bool:
    return any((blessing / mark).exists() for mark in marks)


def _verdict(version: Version, servable: str) -> str:
    """One line: the version, and why it was refused if it was."""
    files = (version.blessing(servable) / file for file in (evaluator.FILE, infra_validator.FILE))
    reasons = [reason for file in files for reason in read_object(file).get("reasons", [])]
    return f"{servable} version {version.number}: " + (
        "blessed" if not reasons else f"not blessed, not pushed ({'; '.join(reasons)})"
    )


def versions_of_round(savedmodels: Path, number: int) -> list[int]:
    """The versions that were made of round ``number``, oldest first: its own, and those exported again."""
    folder = savedmodels / SERVABLES[0]
    cards = {version: folder / str(version) / EXTRA / MODEL_CARD for version in list_versions(folder)}
    return [version for version, card in cards.items() if card.is_file() and read_object(card).get("round") == number]
