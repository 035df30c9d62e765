"""From a run's name to its measured rounds, the report and TensorBoard; ``evaluate.py`` parses the command."""

from __future__ import annotations

import json
import os
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import tensorflow as tf

from iacyclegan_tf.common.atomic_files import write_text
from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.foreign_text import printable
from iacyclegan_tf.common.json_files import read_object
from iacyclegan_tf.common.tables import print_table
from iacyclegan_tf.common.terminal import progress_bar
from iacyclegan_tf.config.settings import DataConfig
from iacyclegan_tf.data.alignment.chips import landmarks_for
from iacyclegan_tf.data.load_faces import Faces, load_faces
from iacyclegan_tf.data.pairs.naming import VALIDATION
from iacyclegan_tf.data.pairs.pairing import find_pairs
from iacyclegan_tf.data.resizing import Fit
from iacyclegan_tf.evaluation.all_measures import evaluate_fully
from iacyclegan_tf.evaluation.distractors import find_distractors
from iacyclegan_tf.evaluation.identity_judge import judge_for
from iacyclegan_tf.evaluation.image_quality import trivial_measures
from iacyclegan_tf.evaluation.matching import Matcher, from_servables
from iacyclegan_tf.evaluation.report.faces import strips
from iacyclegan_tf.evaluation.report.figures import all_figures
from iacyclegan_tf.evaluation.report.html_file import page
from iacyclegan_tf.evaluation.report.summary import summary
from iacyclegan_tf.evaluation.report.tables import terminal_tables
from iacyclegan_tf.evaluation.report.tensorboard import write_tensorboard
from iacyclegan_tf.evaluation.result_files import METRICS, PEOPLE, SCORES, write_round
from iacyclegan_tf.inference.runs import TrainedRun
from iacyclegan_tf.models.build import build_recognizer
from iacyclegan_tf.models.saved_state import read_folder
from iacyclegan_tf.serving.calling import Served
from iacyclegan_tf.serving.served_modules import Embedder
from iacyclegan_tf.serving.signatures import SERVABLES


def evaluate_run(run: TrainedRun, numbers: list[int], arguments: Namespace, console) -> None:
    """Checks everything before the first measure; writes a round's files as soon as it is measured."""
    progress = progress_bar(console)
    data = run.config.data if arguments.data is None else other_data(run, arguments)
    distractors, left_out = find_distractors(arguments.distractors, progress) if arguments.distractors else ((), ())
    landmarks = landmarks_for(run.config.recognizer, run.path)
    faces = load_faces(data, run.config.seed, progress, landmarks)
    for line in [*left_out, *faces.notes, *faces.counts()]:
        console.print(printable(line, most=4096), soft_wrap=True, markup=False)
    folder = run.path if arguments.data is None else other_folder(run, arguments, faces)
    initial, trivial = initial_recognizer(run, faces.fit), trivial_measures(faces, progress)
    judge = judge_for(run.config.recognizer, faces.test)
    config, results, pictures = replace(run.config, data=data), [], []
    for number in numbers:
        matcher = served_matcher(run, number, initial)
        more = (arguments.nlda, distractors, landmarks, judge)
        result, *fakes = evaluate_fully(number, matcher, config, faces, trivial, progress, *more)
        write_round(folder / f"round_{number}", result)
        results.append(result)
        pictures.append(strips(result, *fakes, faces.test))
    for table in terminal_tables([result.metrics for result in results]):
        print_table(table, console)
    figures = all_figures(results)
    place = folder / f"round_{arguments.round}" if arguments.round else folder
    report, title = place / "report.html", run.name if folder == run.path else f"{run.name} on {folder.name}"
    files = _files(run, folder, place, numbers)
    write_text(report, page(title, results, pictures, figures, summary(results, trivial), files))
    write_tensorboard(folder / "tensorboard" / "evaluation", results, figures)
    for words in (f"Report: {report}", f"TensorBoard: tensorboard --logdir {folder / 'tensorboard'}"):
        console.print(printable(words, most=4096), soft_wrap=True, markup=False)


def _files(run: TrainedRun, folder: Path, place: Path, numbers: list[int]) -> dict[str, str]:
    """What the report in ``place`` links to, by its path from there: only what is there."""
    found = {run.path / "config.yaml": "all settings of the run"}
    for number in numbers:
        found |= {
            folder / f"round_{number}" / PEOPLE: f"round {number}: every measure of every test pair",
            folder / f"round_{number}" / SCORES: f"round {number}: all score matrices",
            folder / f"round_{number}" / METRICS: f"round {number}: all numbers of this page",
            run.path / f"round_{number}" / "grid.png": f"round {number}: the training's own pictures",
        }
    return {Path(os.path.relpath(path, place)).as_posix(): words for path, words in found.items() if path.is_file()}


def other_data(run: TrainedRun, arguments: Namespace) -> DataConfig:
    """The run's own way of bringing images to the network, on other pairs; ``UserError`` without a split to test on."""
    splits = find_pairs(arguments.data, split_file=arguments.split_file).counts()
    others = [split for split in splits if split not in ("train", VALIDATION)]
    if "train" not in splits or not others or (arguments.split == "auto" and len(others) > 1):
        raise UserError(
            f"The pairs of {arguments.data} are split as {splits}; an evaluation needs train (for the mean "
            "training image) and one split to test on. Give a file of names with --split-file, or choose "
            "with --split."
        )
    return replace(
        run.config.data,
        source="pairs",
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
        before = read_object(about)
        if before.get("split_sha256") != faces.split_hash:
            raise UserError(
                f"{folder} holds an evaluation on other pairs ({printable(before.get('root'))}, split "
                f"{printable(before.get('split_sha256'), 12)}); give this one another name with --name."
            )
    now = {"root": str(arguments.data), "counts": faces.counts(), "split_sha256": faces.split_hash}
    write_text(about, json.dumps(now, indent=2) + "\n")
    return folder


def served_matcher(run: TrainedRun, number: int, initial: Embedder) -> Matcher:
    """Round ``number`` of a run from its SavedModels; ``initial`` from ``initial_recognizer``."""
    to_sketch, to_photo, *recognizers = (Served(run.servable(name, number)) for name in SERVABLES)
    return from_servables(to_sketch, to_photo, initial, *recognizers)


def initial_recognizer(run: TrainedRun, fit: Fit) -> Embedder:
    """Φ0, which no server needs: from the run's folder ``recognizer_0``, in the module that exports are made of."""
    recognizer = build_recognizer(run.config, "initial_recognizer")
    read_folder(run.path / "recognizer_0", tf.train.Checkpoint(recognizer=recognizer))
    return Embedder(recognizer, fit)
