"""Every measure of a round on made-up pairs: by subset, as tables of 80 columns, and on the page."""

from dataclasses import dataclass

import numpy as np
import pytest
from test_compare import at_80_columns
from test_evaluation import linear, pairs

from iacyclegan_tf.config.settings import Config
from iacyclegan_tf.data.load_faces import FacePairs, Faces
from iacyclegan_tf.data.resizing import Fit
from iacyclegan_tf.evaluation.all_measures import evaluate_fully
from iacyclegan_tf.evaluation.image_quality import silent, trivial_measures
from iacyclegan_tf.evaluation.matching import Matcher
from iacyclegan_tf.evaluation.recognition_rates import recognition
from iacyclegan_tf.evaluation.report.html_file import page
from iacyclegan_tf.evaluation.report.tables import all_tables, terminal_tables
from iacyclegan_tf.evaluation.result_files import RoundResult

SUBSETS = ("ar", "cuhk", "ar", "", "ar", "cuhk", "")


@dataclass(frozen=True)
class WithSubsets(FacePairs):
    subsets: tuple[str, ...] | None = None


def evaluated(number: int, subsets: tuple[str, ...] | None) -> RoundResult:
    test = WithSubsets(**(vars(pairs(7, 20, first=6)) | {"subsets": subsets}))
    faces = Faces(pairs(4, 0), pairs(2, 10, first=4), test, "test", Fit("squeeze", 32, 24), "0123abcd")
    worse = [lambda images: [image // (number + 1) for image in images]] * 2
    matcher = Matcher(*worse, *(linear(seed + 10 * number) for seed in range(3)))
    return evaluate_fully(number, matcher, Config(), faces, trivial_measures(faces), silent)[0]


@pytest.fixture(scope="module")
def rounds() -> list[RoundResult]:
    return [evaluated(number, SUBSETS) for number in (1, 2)]


def test_every_measure_is_there_by_subset(rounds):
    result = rounds[0]
    parts = result.metrics["by_subset"]
    assert {name: part["pairs"] for name, part in parts.items()} == {"no subset": 2, "ar": 3, "cuhk": 2}
    rows = [0, 2, 4]
    for direction in ("photo_to_sketch", "sketch_to_photo"):
        for name, value in parts["ar"][direction].items():
            column = result.per_pair[f"{direction}.{name}"]
            assert value == pytest.approx((column[0] + column[2] + column[4]) / 3)
    probes = [result.identities[row] for row in rows]
    for key, kind in (("retrieval", "learned.whole"), ("hog", "hog.whole")):
        for way in ("none", "photo", "sketch", "fusion"):
            scores = np.array([result.scores[f"{kind}.{way}"][row] for row in rows])  # against the whole gallery
            assert parts["ar"][key][way] == recognition(scores, probes, result.identities)
    assert set(parts["ar"]) == {"pairs", *result.metrics} - {"round", "protocol", "by_subset"}
    assert "at least 2 training" in parts["cuhk"]["nlda"]["not_measured"]


@pytest.mark.parametrize("subsets", [None, ("ar",) * 7])
def test_pairs_of_one_subset_or_none_have_no_such_part(subsets):
    assert "by_subset" not in evaluated(1, subsets).metrics


def test_80_columns_hold_the_terminal_tables_and_no_two_columns_share_a_name(rounds):
    metrics = [result.metrics for result in rounds]
    metrics[1]["gallery_size"] = {
        way: {"rank1": {"size": [7, 9], "mean": [1.0, 0.5], "deviation": [0, 0], "protocol": "made up"}}
        for way in ("none", "photo", "sketch", "fusion")
    }
    tables = terminal_tables(metrics)
    assert [table.title.split(",")[0] for table in tables] == [
        "Synthesis", "Recognition", "Recognition", "By subset", "Rank-1 against the gallery's size",
    ]  # fmt: skip
    for table in tables:
        said = at_80_columns(table)
        lines = said.splitlines()[: len(table.rows) + 8]
        assert "…" not in said and len(set(table.header)) == len(table.header)
        for row in table.rows:
            assert any(all(f" {cell} " in f" {line} " for cell in row) for line in lines), (row, said)
    change = metrics[1]["photo_to_sketch"]["ssim"] - metrics[0]["photo_to_sketch"]["ssim"]
    assert tables[0].rows[0][-1] == f"{change:+.4f}" and tables[0].header[-1] == "since round 1"
    d_prime = [one["retrieval"]["fusion"]["d_prime"] for one in metrics]
    fusion = next(row for row in tables[1].rows if row[0] == "fusion")
    assert fusion[-1] == f"{d_prime[1]:.2f} ({d_prime[1] - d_prime[0]:+.2f})"


def test_the_page_has_all_rounds_subsets_and_the_judge(rounds):
    text = page("made up", rounds, [[], []], {})
    for words in ("By subset", "ar (3 pairs): Recognition, whole crop", "judge: dlib", "d′", "fusion, round 1"):
        assert words in text, words
    assert "<summary>HOG in all four ways, whole crop</summary>" in text
    assert "too few pairs: a verification rate (VR) at a false accept rate (FAR) of 1 % needs 1,000 pairs" in text
    for table in all_tables([result.metrics for result in rounds]):
        assert len(set(table.header)) == len(table.header) and all(len(row) == len(table.header) for row in table.rows)
