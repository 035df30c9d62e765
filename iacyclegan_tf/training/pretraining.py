"""From a folder of people to a recognizer in a file and its measures; ``pretrain.py`` parses the command."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.outputs import check_output, made_by
from iacyclegan_tf.common.terminal import progress_bar, say
from iacyclegan_tf.config.checks import check
from iacyclegan_tf.config.reading import load_config
from iacyclegan_tf.config.settings import Config
from iacyclegan_tf.data.people.folder import person_folders
from iacyclegan_tf.data.people.selection import select_people
from iacyclegan_tf.data.same_pictures import refuse_same_pictures
from iacyclegan_tf.models.vggface_weights import check_target
from iacyclegan_tf.training.run_folder import RunFolder


@dataclass(frozen=True)
class Request:
    """A checked command line: ``config`` names root and training people; ``test``: to measure on, maybe none."""

    config: Config
    test: tuple[str, ...]
    out: Path


def request(arguments: Namespace) -> Request:
    """``UserError`` for wrong settings, a wrong target, unknown people, and people who are trained and tested on."""
    check_target(arguments.out)
    measures = arguments.out.with_suffix(".json")
    begun = arguments.out.with_suffix(".pretrain").is_dir()  # the folder of the run that goes on
    check_output(measures, "pretrain", arguments.overwrite or begun)
    config = load_config(arguments.config, arguments.overrides)
    names = list(person_folders(arguments.root))
    test = select_people(names, arguments.test, arguments.root) if arguments.test else []
    rest = [name for name in names if name not in set(test)]
    train = select_people(names, arguments.train, arguments.root) if arguments.train else rest
    both = sorted(set(train) & set(test))
    if both or not train:
        raise UserError(
            f"{len(both)} people are both trained and tested on, e.g. {both[0]}; results on them would mean nothing."
            if both
            else "Nobody is left to train on: --test names everyone."
        )
    config.recognizer.pretrain_root, config.recognizer.pretrain_people = str(arguments.root), ",".join(train)
    config.data.skip_bad = config.data.skip_bad or arguments.skip_bad
    config.runs_dir, config.name = str(arguments.out.parent), f"{arguments.out.stem}.pretrain"
    check(config)
    return Request(config, tuple(test), arguments.out)


def run(wanted: Request, console) -> None:
    """Trains, or goes on, or takes the finished weights; measures; prints the table and writes the JSON file."""
    from iacyclegan_tf.data.people.folder import read_people
    from iacyclegan_tf.training.people_phase import origin, people_fit, read_training_people
    from iacyclegan_tf.training.start import settle

    config, settings = wanted.config, wanted.config.recognizer
    folder = RunFolder(config, other="Give another --out, or remove the folder.")
    settle(config)
    progress, fit = progress_bar(console), people_fit(config, (config.data.height, config.data.width, 3))
    found = {"train": read_training_people(config, fit, progress)}
    if wanted.test:
        found["test"] = read_people(
            settings.pretrain_root, ",".join(wanted.test), skip_bad=config.data.skip_bad, progress=progress
        )
        refuse_same_pictures(found["test"].pictures, found["train"].pictures)
    for title, some in found.items():
        for line in some.notes:
            say(console, f"{title}: {line}")
    made_from = origin(config, found["train"], fit)
    recognizer, fingerprint = _trained(wanted, folder, found["train"], made_from, console)
    result = {"trained_on": made_from, "weights_sha256": fingerprint}
    if wanted.test:
        result |= _measured(recognizer, found["test"], fit)
        _show(result, console)
    folder.write_json(wanted.out.with_suffix(".json"), {"made_by": made_by("pretrain")} | result)
    say(
        console,
        f"Weights: {wanted.out}\nMeasures: {wanted.out.with_suffix('.json')}\n"
        f"Use them with: python -m iacyclegan_tf.train recognizer.weights={wanted.out}",
    )


def _trained(wanted: Request, folder: RunFolder, people, made_from: dict, console):
    """The recognizer and its fingerprint, from the finished file or by training."""
    from iacyclegan_tf.models.build import build_recognizer, load_first_weights
    from iacyclegan_tf.models.recognizer_file import load_recognizer, read_recognizer, write_recognizer
    from iacyclegan_tf.training.distributed.strategy import make_strategy
    from iacyclegan_tf.training.distributed.workers import Workers
    from iacyclegan_tf.training.engine.checkpoints import CheckpointStore
    from iacyclegan_tf.training.engine.phase import Engine
    from iacyclegan_tf.training.people_phase import WATCHED, people_phase, same_photos

    config, workers = wanted.config, Workers(make_strategy(wanted.config.distribute.devices))
    with workers.strategy.scope():
        recognizer = build_recognizer(config, "recognizer", config.train.precision)
    load_first_weights(recognizer, config)
    if wanted.out.exists():
        if read_recognizer(wanted.out).origin != made_from:
            raise UserError(
                f"{wanted.out} was trained on other people or with other settings; give another --out, or remove it."
            )
        say(console, f"{wanted.out} is trained.")
        return recognizer, load_recognizer(recognizer, wanted.out).fingerprint
    same_photos(folder, made_from)
    phase = people_phase(config, people, recognizer, workers, config.seed)
    Engine(config.train, folder, workers, console).train(phase, WATCHED)
    fingerprint = write_recognizer(recognizer, wanted.out, made_from)
    CheckpointStore(folder.checkpoints(phase.name)).clear()
    return recognizer, fingerprint


def _measured(recognizer, test, fit) -> dict:
    from iacyclegan_tf.evaluation.people import PROTOCOL, measure_people
    from iacyclegan_tf.serving.calling import embed
    from iacyclegan_tf.serving.served_modules import Embedder

    embedder = Embedder(recognizer, fit)  # measured as it would be served
    return {
        "tested_on": {"people": test.people, "photos": len(test), "photos_sha256": test.sha256},
        "protocol": PROTOCOL,
        "rank1": measure_people(test, lambda images: embed(embedder, images), fit.apply),
    }


def _show(result: dict, console) -> None:
    from rich.table import Table

    tested = result["tested_on"]
    table = Table(title=f"{tested['people']} people not trained on, {tested['photos']} photos, one each as gallery")
    for column in ("", "rank-1", "least", "most"):
        table.add_column(column, justify="right" if column else "left")
    for name, values in result["rank1"].items():
        row = (
            [f"{100 * values[key]:.1f} %" for key in ("mean", "least", "most")]
            if "mean" in values
            else ["not measured", "", ""]
        )
        table.add_row(name, *row)
    console.print(table)
