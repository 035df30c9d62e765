"""From a run's name to its measured rounds, the report and TensorBoard; ``evaluate.py`` parses the command."""

from __future__ import annotations

import json
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import tensorflow as tf

from iacyclegan_tf.common.atomic_files import write_text
from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.tables import print_table
from iacyclegan_tf.common.terminal import progress_bar
from iacyclegan_tf.config.settings import DataConfig
from iacyclegan_tf.data.faces import Faces, load_faces
from iacyclegan_tf.data.fit import Fit
from iacyclegan_tf.data.pairs.pairing import find_pairs
from iacyclegan_tf.evaluation.distractors import find_distractors
from iacyclegan_tf.evaluation.files import write_round
from iacyclegan_tf.evaluation.full import Evaluator
from iacyclegan_tf.evaluation.images import trivial_measures
from iacyclegan_tf.evaluation.matching import Matcher, from_servables
from iacyclegan_tf.evaluation.report.figures import RoundView, all_figures
from iacyclegan_tf.evaluation.report.page import page
from iacyclegan_tf.evaluation.report.pictures import strips
from iacyclegan_tf.evaluation.report.tables import all_tables
from iacyclegan_tf.evaluation.report.tensorboard import write_tensorboard
from iacyclegan_tf.inference.runs import TrainedRun
from iacyclegan_tf.models.build import build_recognizer
from iacyclegan_tf.models.saved_state import read_folder
from iacyclegan_tf.serving.calling import Served
from iacyclegan_tf.serving.contract import SERVABLES
from iacyclegan_tf.serving.servables import Embedder


def evaluate_run(run: TrainedRun, numbers: list[int], arguments: Namespace, console) -> None:
    """Checks everything before the first measure; writes a round's files as soon as it is measured."""
    progress = progress_bar(console)
    data = run.config.data if arguments.data is None else other_data(run, arguments)
    distractors, left_out = find_distractors(arguments.distractors, progress) if arguments.distractors else ((), ())
    faces = load_faces(data, run.config.seed, progress)
    for line in [*left_out, *faces.notes, *faces.counts()]:
        console.print(line, soft_wrap=True, markup=False)
    folder = run.path if arguments.data is None else other_folder(run, arguments, faces)
    initial = initial_recognizer(run, faces.fit)
    evaluator = Evaluator(
        replace(run.config, data=data), faces, trivial_measures(faces, progress), progress, arguments.nlda, distractors
    )
    views = [_round(run, number, evaluator, initial, folder) for number in numbers]
    tables, figures = all_tables([view.metrics for view in views]), all_figures(views)
    for table in tables:
        print_table(table, console)
    report = (folder / f"round_{arguments.round}" if arguments.round else folder) / "report.html"
    write_text(report, page(run.name if folder == run.path else f"{run.name} on {folder.name}", views, tables, figures))
    write_tensorboard(folder / "tensorboard" / "evaluation", views, figures)
    console.print(f"Report: {report}\nTensorBoard: tensorboard --logdir {folder / 'tensorboard'}", soft_wrap=True)


def _round(run: TrainedRun, number: int, evaluator: Evaluator, initial, folder: Path) -> RoundView:
    result, test = evaluator(number, served_matcher(run, number, initial)), evaluator.faces.test
    write_round(folder / f"round_{number}", result.metrics, test.identities, result.per_pair, result.scores)
    return RoundView(result.metrics, test.identities, result.per_pair, result.scores, strips(result, test))


def other_data(run: TrainedRun, arguments: Namespace) -> DataConfig:
    """The run's own way of bringing images to the network, on other pairs; ``UserError`` without a split to test on."""
    splits = find_pairs(arguments.data, split_file=arguments.split_file).counts()
    others = [split for split in splits if split != "train"]
    if "train" not in splits or not others or (arguments.split == "auto" and len(others) > 1):
        raise UserError(
            f"The pairs of {arguments.data} are split as {splits}; an evaluation needs train (for the mean "
            "training image) and one split to test on. Give a file of names with --split-file, or choose "
            "with --split."
        )
    return replace(
        run.config.data,
        source="pairs",
        format="images",
        root=str(arguments.data),
        split_file=str(arguments.split_file or ""),
        train_split="train",
        test_split=arguments.split,
    )


def other_folder(run: TrainedRun, arguments: Namespace, faces: Faces) -> Path:
    """``evaluations/<name>`` of the run, which remembers its pairs: other pairs under the same name are refused."""
    name = arguments.name or arguments.data.resolve().name
    if not name or "/" in name or name.startswith("."):
        raise UserError(f"The evaluation's name is {name!r}; it must be a plain folder name, see --name.")
    folder = run.path / "evaluations" / name
    about = folder / "data.json"
    if about.is_file():
        before = json.loads(about.read_text(encoding="utf-8"))
        if before["split_sha256"] != faces.split_hash:
            raise UserError(
                f"{folder} holds an evaluation on other pairs ({before['root']}, split "
                f"{before['split_sha256'][:12]}); give this one another name with --name."
            )
    now = {"root": str(arguments.data), "counts": faces.counts(), "split_sha256": faces.split_hash}
    write_text(about, json.dumps(now, indent=2) + "\n")
    return folder


def served_matcher(run: TrainedRun, number: int, initial: Embedder) -> Matcher:
    """Round ``number`` of a run from its SavedModels; ``initial`` from ``initial_recognizer``."""
    servables = {name: Served(run.servable(name, number)) for name in SERVABLES}
    return from_servables(
        servables["photo_to_sketch"],
        servables["sketch_to_photo"],
        initial,
        servables["photo_recognizer"],
        servables["sketch_recognizer"],
    )


def initial_recognizer(run: TrainedRun, fit: Fit) -> Embedder:
    """Φ0, which no server needs: from the run's folder ``recognizer_0``, in the module that exports are made of."""
    recognizer = build_recognizer(run.config, "initial_recognizer")
    read_folder(run.path / "recognizer_0", tf.train.Checkpoint(recognizer=recognizer))
    return Embedder(recognizer, fit)
