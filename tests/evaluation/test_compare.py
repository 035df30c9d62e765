"""Runs side by side: made-up evaluations whose means and intervals are computed here a second time."""

import contextlib
import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from in_process import refused
from in_process import run as in_process
from rich.console import Console
from scipy import stats

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.tables import print_table
from iacyclegan_tf.compare import compare, parse
from iacyclegan_tf.config.reading import dump_config
from iacyclegan_tf.config.settings import Config, RoundsConfig, as_dict
from iacyclegan_tf.evaluation.comparison import compare as bootstrapped
from iacyclegan_tf.evaluation.comparison import read_contender
from iacyclegan_tf.evaluation.matching import WAYS
from iacyclegan_tf.evaluation.report.comparison import comparison_tables
from iacyclegan_tf.evaluation.result_files import RoundResult, read_round, write_round
from iacyclegan_tf.metrics import rank_of_match

PEOPLE = tuple(f"p{i:02d}" for i in range(34))  # 1,122 impostor pairs: enough for FAR 1 %, not for 0.1 %
REAL = np.random.default_rng(0).normal(size=(34, 34)) + 3 * np.eye(34)  # HOG of real images: the same for all runs


def made_up(
    folder: Path,
    name: str,
    number: int = 1,
    seed: int = 1,
    gain: float = 0.0,
    split: str = "a" * 64,
    people=PEOPLE,
    real=REAL,
    size: str = "200x250",
    evaluation: str = "",
    face: bool = False,
    **settings,
) -> Path:
    """A run of which only the settings and one evaluated round are there."""
    random = np.random.default_rng(seed)
    run = folder / "runs" / name
    run.mkdir(parents=True, exist_ok=True)
    config = Config(name=name, **settings)
    (run / "config.yaml").write_text(dump_config(config))
    count = len(people)
    columns = {
        "photo_to_sketch.ssim": np.linspace(0.4, 0.6, count) + gain + 0.01 * random.normal(size=count),
        "photo_to_sketch.fsim": random.uniform(0.6, 0.8, count),
        "photo_to_sketch.sharpness": random.uniform(0.9, 1.1, count),
        "sketch_to_photo.ssim": random.uniform(0.6, 0.8, count),
        "sketch_to_photo.fsim": random.uniform(0.6, 0.8, count),
        "sketch_to_photo.fsimc": random.uniform(0.6, 0.8, count),
        "sketch_to_photo.sharpness": random.uniform(0.3, 0.6, count),
    }
    scores = {
        f"{kind}.{crop}.{way}": random.normal(size=(count, count)) + (2 + 20 * gain) * np.eye(count)
        for kind in ("learned", "hog")
        for crop in (("whole", "face") if face else ("whole",))
        for way in WAYS
    } | {"hog.whole.none": real}
    scores = {name: matrix for name, matrix in scores.items() if matrix is not None}
    columns |= {f"rank.{key}": rank_of_match(matrix, people, people) + 1 for key, matrix in scores.items()}
    protocol = {
        "split_sha256": split,
        "measured_at": [size],
        "test_split": "test",
        "test_people": count,
        "settings": as_dict(config),
    }
    place = run / "evaluations" / evaluation if evaluation else run
    metrics = {"round": number, "protocol": protocol}
    write_round(place / f"round_{number}", RoundResult(metrics, tuple(people), columns, scores))
    return run


def npz(**arrays) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def at_80_columns(table) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as said:
        print_table(table, Console(width=80, highlight=False))
    return said.getvalue()


def compared(folder: Path, *arguments) -> tuple[dict, str]:
    """comparison.json and comparison.md."""
    compare(parse([*map(str, arguments), "--out", str(folder / "out")]))
    return json.loads((folder / "out/comparison.json").read_text()), (folder / "out/comparison.md").read_text()


def columns_of(run: Path, number: int = 1) -> dict[str, np.ndarray]:
    with open(run / f"round_{number}/people.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0] if name != "identity"}


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    folder = tmp_path_factory.mktemp("three")
    runs = [made_up(folder, "plain"), made_up(folder, "better", seed=2, gain=0.05), made_up(folder, "other", seed=3)]
    return runs, compared(folder, *runs, "--resamples", 5000)


def test_means_are_those_of_the_people(three):
    runs, (about, _) = three
    for run, name in zip(range(3), ("plain:1", "better:1", "other:1")):
        columns, values = columns_of(runs[run]), {key: row[run] for key, row in about["measures"].items()}
        assert {value["run"] for value in values.values()} == {name}
        assert values["sketch SSIM"]["value"] == pytest.approx(columns["photo_to_sketch.ssim"].mean())
        assert values["photo FSIMc"]["value"] == pytest.approx(columns["sketch_to_photo.fsimc"].mean())
        assert values["fusion rank-5"]["value"] == np.mean(columns["rank.learned.whole.fusion"] <= 5)
        with np.load(runs[run] / "round_1/scores.npz") as scores:
            matrix = scores["learned.whole.photo"]
        impostors = matrix[~np.eye(34, dtype=bool)]
        best_others = [
            max(score for other, score in enumerate(row) if other != person) for person, row in enumerate(matrix)
        ]
        assert values["photo margin"]["value"] == pytest.approx(np.mean(matrix.diagonal() - best_others))
        assert values["photo VR at FAR 1 %"]["value"] == np.mean(matrix.diagonal() > np.quantile(impostors, 0.99))
    assert not any("FAR 0.1" in key for key in about["measures"])


def test_margins_of_two_runs_are_compared_person_by_person(three):
    runs, (about, _) = three
    differ = []
    for run in runs[:2]:
        with np.load(run / "round_1/scores.npz") as scores:
            matrix = scores["learned.whole.sketch"]
        differ.append(matrix.diagonal() - np.where(np.eye(34, dtype=bool), -np.inf, matrix).max(1))
    difference = about["measures"]["sketch margin"][1]["difference"]
    assert "fusion margin" not in about["measures"]  # z-units do not compare runs
    assert difference["value"] == pytest.approx(np.mean(differ[1] - differ[0]))
    assert difference["low"] < difference["value"] < difference["high"]


@pytest.mark.parametrize(
    "measure, column", [("sketch SSIM", "photo_to_sketch.ssim"), ("fusion rank-1", "rank.learned.whole.fusion")]
)
def test_intervals_are_scipys(three, measure, column):
    runs, (about, _) = three
    one, two = (columns_of(run)[column] for run in runs[:2])
    if "rank" in column:
        one, two = (one == 1).astype(float), (two == 1).astype(float)
    theirs = stats.bootstrap(
        (one, two),
        lambda a, b, axis: np.mean(b - a, axis=axis),
        paired=True,
        n_resamples=5000,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    difference = about["measures"][measure][1]["difference"]
    assert difference["value"] == pytest.approx(np.mean(two - one))
    # ranks move in steps of one person
    room = 0.1 * (theirs.high - theirs.low) + 1e-9
    assert (difference["low"], difference["high"]) == pytest.approx(tuple(theirs), abs=room)
    assert about["measures"][measure][0]["difference"] is None


def test_the_table_marks_what_is_clear_and_what_is_blurred(three):
    _, (_, text) = three
    rows = {
        line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:-1]]
        for line in text[: text.index("run 3 other:1")].splitlines()
        if line.startswith("|")
    }
    assert rows["sketch SSIM"][2].startswith("+0.0499") and rows["sketch SSIM"][2].endswith("*")
    assert not rows["photo SSIM"][2].endswith("*")
    assert rows["photo sharpness"][0].endswith(" !") and not rows["sketch sharpness"][0].endswith("!")
    assert text.count("| sketch SSIM |") == 2 and "run 1 plain:1, run 3 other:1" in text
    assert "bootstrap over 34 people, 5000 resamples, seed 0" in text and "a" * 64 in text
    assert "No verification rate at FAR 0.1 %: it needs 10000 impostor pairs." in text


def test_settings_that_differ_are_named(tmp_path):
    runs = [made_up(tmp_path, "one"), made_up(tmp_path, "two", seed=4)]
    runs.append(made_up(tmp_path, "three", rounds=RoundsConfig(perception=False)))
    text = compared(tmp_path, *runs)[1]
    assert "Settings that differ: rounds.perception: True, True, False." in text
    assert "name" not in text.split("Settings that differ:")[1].split("\n")[0]


def test_rounds_are_chosen_and_the_last_is_taken(tmp_path, monkeypatch):
    run = made_up(tmp_path, "mine")
    made_up(tmp_path, "mine", number=2, seed=5)
    made_up(tmp_path, "mine", number=10, seed=6)
    monkeypatch.chdir(tmp_path)
    assert compared(tmp_path, "mine:1", run, "mine:2")[0]["runs"] == ["mine:1", "mine:10", "mine:2"]
    with pytest.raises(UserError, match="no measured round 3; measured are: 1, 2, 10"):
        compared(tmp_path, "mine:3", "mine:1")
    with pytest.raises(UserError, match="There is no run 'mine:²'"):
        compared(tmp_path, "mine:²", "mine:1")


def test_evaluations_on_other_pairs_are_compared_by_name(tmp_path):
    runs = [made_up(tmp_path, name, evaluation="elsewhere", seed=i) for i, name in enumerate(("one", "two"))]
    assert compared(tmp_path, *runs, "--evaluation", "elsewhere")[0]["runs"] == ["one:1", "two:1"]
    with pytest.raises(UserError, match="holds no measured round"):
        compared(tmp_path, *runs)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"split": "b" * 64}, "their split: aaaaaaaaaaaa and bbbbbbbbbbbb"),
        ({"size": "64x80"}, "their size: 200x250 and 64x80"),
        ({"people": PEOPLE[:-1], "real": REAL[:-1, :-1]}, "their number of test pairs: 34 and 33"),
        ({"people": (*PEOPLE[:-1], "stranger")}, "its people or pictures are not"),
        ({"real": REAL + 0.01}, "its people or pictures are not"),
        ({"real": None}, "its people or pictures are not"),
    ],
)
def test_other_people_or_pictures_are_refused_with_one_sentence(tmp_path, change, words):
    runs = [made_up(tmp_path, "one"), made_up(tmp_path, "two", **change)]
    with pytest.raises(UserError, match="were measured on different test people or images") as refusal:
        compared(tmp_path, *runs)
    assert words in str(refusal.value) and not (tmp_path / "out").exists()


def test_mistakes(tmp_path):
    runs = [made_up(tmp_path, "one"), made_up(tmp_path, "two")]
    with pytest.raises(UserError, match="two or more different runs"):
        compared(tmp_path, runs[0])
    with pytest.raises(UserError, match="two or more different runs"):
        compared(tmp_path, runs[0], runs[0])
    with pytest.raises(UserError, match="--resamples must be at least 1"):
        compared(tmp_path, *runs, "--resamples", 0)
    with pytest.raises(UserError, match="There is no run"):
        compared(tmp_path, runs[0], tmp_path / "nothing")
    (runs[1] / "round_1/people.csv").unlink()
    words = r"no people.csv: it has not been evaluated. Run: python -m iacyclegan_tf.evaluate .*two --round 1"
    with pytest.raises(UserError, match=words):
        compared(tmp_path, *runs)


@pytest.mark.parametrize(
    "file, content",
    [
        ("metrics.json", b"{"),
        ("metrics.json", b"[]"),
        ("metrics.json", b"\xff{}"),
        ("metrics.json", b"[" * 100_000),
        ("metrics.json", b'{"protocol": []}'),
        ("metrics.json", b'{"protocol": {"split_sha256": 1}}'),
        ("people.csv", b"identity,x\na\n"),
        ("people.csv", b""),
        ("people.csv", b"\xff"),
        ("people.csv", b"identity,photo_to_sketch.ssim\na,nan\n"),
        ("people.csv", b"identity,x\na," + b"9" * 200_000 + b"\n"),
        ("scores.npz", b"PK"),
        ("scores.npz", b""),
        ("scores.npz", npz(**{"learned.whole.none": np.full((34, 34), np.nan)})),
        ("scores.npz", npz(**{"learned.whole.none": np.zeros((33, 34))})),
        ("scores.npz", npz(**{"learned.whole.none": np.zeros((2000, 2000))})),
        ("scores.npz", npz(**{"learned.whole.none": np.array([{}])})),
    ],
)
def test_damaged_files_are_named_with_what_to_do(tmp_path, file, content):
    runs = [made_up(tmp_path, "one"), made_up(tmp_path, "two")]
    (runs[1] / "round_1" / file).write_bytes(content)
    with pytest.raises(UserError, match=f"two/round_1/{file} cannot be read.*Run again: python -m iacyclegan_tf.evalu"):
        compared(tmp_path, *runs)


def test_one_flipped_bit_is_read_the_same_or_refused_in_a_sentence(tmp_path):
    place = made_up(tmp_path, "one") / "round_1"
    random = np.random.default_rng(0)
    for file in ("metrics.json", "people.csv", "scores.npz"):
        whole = (place / file).read_bytes()
        for _ in range(30):
            broken = bytearray(whole)
            broken[random.integers(len(whole))] ^= 1 << int(random.integers(8))
            (place / file).write_bytes(broken)
            with contextlib.suppress(UserError):
                read_round(place, "again")
        (place / file).write_bytes(whole)


def test_names_that_a_spreadsheet_would_compute_are_written_and_read(tmp_path):
    people = ("=1+1", "@a", "'b", "-c", "d")
    run = made_up(tmp_path, "one", people=people, real=REAL[:5, :5])
    assert "\n'=1+1," in (run / "round_1/people.csv").read_text()
    assert read_round(run / "round_1", "").identities == people


def test_d_prime_of_the_fusion_and_of_the_judge_is_compared_with_intervals(three):
    runs, (about, _) = three
    values = []
    for run in runs[:2]:
        with np.load(run / "round_1/scores.npz") as scores:
            for name in ("learned.whole.fusion", "hog.whole.photo"):
                own, others = scores[name].diagonal(), scores[name][~np.eye(34, dtype=bool)]
                values.append((own.mean() - others.mean()) / np.sqrt((own.var() + others.var()) / 2))
    fusion, judge = (about["measures"][name] for name in ("fusion d′", "HOG photo d′"))
    assert [fusion[0]["value"], judge[0]["value"], fusion[1]["value"], judge[1]["value"]] == pytest.approx(values)
    difference = fusion[1]["difference"]
    assert difference["value"] == pytest.approx(values[2] - values[0])
    assert difference["low"] < difference["value"] < difference["high"] and fusion[0]["low"] < fusion[0]["value"]


def test_80_columns_hold_every_table(tmp_path):
    runs = [made_up(tmp_path, "one", face=True), made_up(tmp_path, "other", seed=8, gain=0.2, face=True)]
    contenders = [read_contender(str(run)) for run in runs]
    tables = comparison_tables(contenders, bootstrapped(contenders, 50, 0), 50, 0)
    assert [table.title.split(":")[0] for table in tables] == ["Comparison", "Face only"]
    for table in tables:
        said = at_80_columns(table)
        assert all(" ".join(row).replace(" ", "") in said.replace("│", "").replace(" ", "") for row in table.rows)


def test_the_command_prints_tables_and_names(tmp_path):
    runs = [made_up(tmp_path, "one"), made_up(tmp_path, "lr[red]", seed=8)]
    done = in_process("compare", *runs, "--resamples", 50)
    assert done.returncode == 0, done.stderr
    assert "run 2 - run 1" in done.stdout and "sketch SSIM" in done.stdout and "run 2 lr[red]:1" in done.stdout
    refused(in_process("compare", runs[0], tmp_path / "nothing"), "There is no run")
