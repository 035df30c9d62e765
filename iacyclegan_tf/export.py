"""``python -m iacyclegan_tf.export``: exports a trained round again, or pushes its blessed exports to another base."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.json_files import read_object
from iacyclegan_tf.common.outputs import check_output_folder
from iacyclegan_tf.common.run_command import program, run_command
from iacyclegan_tf.common.user_paths import user_path


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=program("export"),
        description="Exports a round of a trained run again, as a new version of its four SavedModels: evaluated, "
        "validated, and pushed where blessed. With --push nothing is exported: the round's blessed version is pushed.",
    )
    parser.add_argument("run", metavar="RUN", help="the run's folder, or its name under runs/")
    parser.add_argument("--round", type=int, metavar="N", help="by default the last")
    parser.add_argument("--push", type=user_path, metavar="BASE", help="the folder that a server polls")
    parser.add_argument("--overwrite", action="store_true", help="with --push: also over another run's versions")
    parser.add_argument("--savedmodels", metavar="DIR", help="the folder above the run's exports; by default its own")
    parser.add_argument("overrides", nargs="*", metavar="export.setting=value", help="e.g. export.version=time")
    return parser.parse_intermixed_args(arguments)


def export(options: argparse.Namespace) -> None:
    from iacyclegan_tf.config.reading import load_config
    from iacyclegan_tf.inference.runs import open_run

    run = open_run(options.run, options.savedmodels)
    wrong = [override for override in options.overrides if not override.startswith("export.")]
    if wrong:
        raise UserError(f"{wrong[0]!r} cannot be given here: a trained run stays as it is; only export.* may change.")
    config = load_config(run.path / "config.yaml", options.overrides)
    metrics = _metrics(run.path, options.round)
    if options.push is None:
        _export_again(run, config, metrics)
    else:
        _push(run, config, metrics, check_output_folder(options.push), options.overwrite)


def _metrics(run: Path, wanted: int | None) -> dict:
    """``metrics.json`` of the round, or of the last that has one."""
    names = [path.parent.name.removeprefix("round_") for path in run.glob("round_*/metrics.json")]
    numbers = sorted(int(name) for name in names if name.isdecimal())
    if not numbers or wanted not in (None, *numbers):
        raise UserError(
            f"The run {run} has no evaluated round{f' {wanted}' if wanted else ''}; "
            f"evaluated are: {', '.join(map(str, numbers)) or 'none'}."
        )
    return read_object(run / f"round_{wanted or numbers[-1]}" / "metrics.json")


def _export_again(run, config, metrics: dict) -> None:
    from iacyclegan_tf.data.resizing import Fit
    from iacyclegan_tf.serving.modules_of_run import ServedNetworks
    from iacyclegan_tf.serving.publishing.export import SERVABLES, Source, Version, publish
    from iacyclegan_tf.serving.signatures import CALIBRATION
    from iacyclegan_tf.serving.version_folders import list_versions

    try:
        width, height = map(int, metrics["protocol"]["network_size"].split("x"))
        fit = Fit(metrics["protocol"]["fit"], height, width)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UserError(f"The metrics of {run.path} do not say how images were brought to the networks.") from None
    known = [version for servable in SERVABLES for version in list_versions(run.savedmodels / servable)]
    number = 1 + max([config.rounds.count, *known])
    data = read_object(run.path / "data.json")
    publish(
        Version(run.savedmodels, number),
        Source(config, data, metrics, run.round(metrics["round"]) / CALIBRATION),
        lambda: ServedNetworks(config, (height, width, 3), fit).read_round(run.path, metrics["round"]),
        print,
    )
    print(f"exported round {metrics['round']} of {run.path} as version {number} in {run.savedmodels}")


def _push(run, config, metrics: dict, base: Path, overwrite: bool) -> None:
    from iacyclegan_tf.serving.publishing.export import Version, versions_of_round
    from iacyclegan_tf.serving.publishing.pusher import push

    versions = [Version(run.savedmodels, number) for number in versions_of_round(run.savedmodels, metrics["round"])]
    newest = next((version for version in reversed(versions) if version.blessed()), None)
    if newest is None:
        raise UserError(
            f"Round {metrics['round']} of {run.path} has no blessed export in {run.savedmodels} "
            f"(versions {', '.join(str(v.number) for v in versions) or 'none'}); the reasons are in "
            f"{run.savedmodels / 'blessing'}."
        )
    number = push(
        {servable: newest.export(servable) for servable in newest.blessed()},
        base,
        config.export,
        f"{run.name} round {metrics['round']}",
        overwrite,
    )
    print(f"{', '.join(newest.blessed())}: version {newest.number} of {run.savedmodels} is version {number} of {base}")


def main() -> None:
    sys.exit(run_command(lambda: export(parse())))


if __name__ == "__main__":
    main()
