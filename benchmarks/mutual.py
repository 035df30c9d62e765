"""What a round brought its recognizers, by fine-tuning and new centres: Φp and Φs against Φ0 on the same images.

Run from the repository root:  python -m benchmarks.mutual RUN [--round N]
Differences come with 95 % intervals of a paired bootstrap over the test people. A minute for 240 people.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from functools import partial

import numpy as np

from iacyclegan_tf.common.run_command import run_command
from iacyclegan_tf.common.tables import Table

FAR, RESAMPLES, SEED = 0.001, 2000, 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutual", description=__doc__.split("\n")[0])
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("--round", type=int, help="default: the last")
    return parser.parse_args()


def measure(options: argparse.Namespace) -> None:
    from iacyclegan_tf.data.alignment.chips import landmarks_for
    from iacyclegan_tf.data.load_faces import load_faces
    from iacyclegan_tf.evaluation.matching import match, shown
    from iacyclegan_tf.evaluation.measure_run import initial_recognizer, served_matcher
    from iacyclegan_tf.inference.runs import open_run
    from iacyclegan_tf.metrics import d_prime, genuine_and_impostor_scores, rank_of_match, verification_rate
    from iacyclegan_tf.metrics.bootstrap import (
        draw_people,
        percentile_interval,
        resampled_d_prime,
        resampled_means,
        resampled_verification,
    )

    run = open_run(options.run)
    number = options.round or run.config.rounds.count
    faces = load_faces(run.config.data, run.config.seed, landmarks=landmarks_for(run.config.recognizer, run.path))
    test, people = faces.test, faces.test.identities
    after = served_matcher(run, number, initial_recognizer(run, faces.fit))
    before = replace(after, embed_photo=after.embed_initial, embed_sketch=after.embed_initial)
    images = shown(test, after.to_photo(test.original_sketches), after.to_sketch(test.original_photos))
    scores = [match(matcher, *images) for matcher in (before, after)]
    draws = draw_people(len(set(people)), RESAMPLES, SEED)

    def found(value, resampled, form: str, way: str) -> str:
        old, new = (one[way] for one in scores)
        low, high = percentile_interval(resampled(new) - resampled(old))
        return f"{value(old):{form}} → {value(new):{form}} [{low:+{form}}, {high:+{form}}]"

    def first(matrix) -> np.ndarray:
        return 100.0 * (rank_of_match(matrix, people, people) == 0)

    columns = {
        "rank-1, %": (lambda m: first(m).mean(), lambda m: resampled_means(first(m), people, draws), ".1f"),
        f"VR at FAR {100 * FAR:g} %, %": (
            lambda m: 100 * verification_rate(m, people, people, FAR),
            lambda m: 100 * resampled_verification(m, people, people, FAR, draws),
            ".1f",
        ),
        "d′": (
            lambda m: d_prime(*genuine_and_impostor_scores(m, people, people)),
            lambda m: resampled_d_prime(m, people, people, draws),
            ".2f",
        ),
    }
    rows = tuple(
        (way, *(partial(found, *column)(way) for column in columns.values())) for way in ("photo", "sketch", "fusion")
    )
    title = f"Φ0 → Φp and Φs on the images of {run.name}, round {number}, {len(people)} test pairs"
    print(Table(title, ("way", *columns), rows).markdown())


if __name__ == "__main__":
    sys.exit(run_command(lambda: measure(parse())))
