"""Presets trained, evaluated and tabled: the tables on made-up results, the training itself (slow) on tiny settings."""

import contextlib
import io
import json
import re
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
import tiny
from in_process import refused

from benchmarks.ablation_runs import ADDITIONS, FINISHED, PRESETS, WHOLE, Attempt
from benchmarks.ablations import main
from iacyclegan_tf.config.reading import load_config
from iacyclegan_tf.evaluation.matching import WAYS
from iacyclegan_tf.evaluation.recognition_rates import TABLES, recognition
from iacyclegan_tf.evaluation.result_files import RoundResult, write_round
from iacyclegan_tf.metrics import rank_of_match

ROOT = Path(__file__).parents[2]
SETTINGS = [
    *tiny.RUN,
    "rounds.count=1",
    "train.decay_epochs=0",
    "data.height=40",
    "recognizer.pretrain.epochs=1",
    "rounds.finetune=false",
    "export.infra_validation=false",
    "export.push=false",
]
PEOPLE = tuple(f"p{i}" for i in range(8))


def ablations(*arguments) -> CompletedProcess:
    """The command in this process; what it starts are processes of their own."""
    out, errors, handler = io.StringIO(), io.StringIO(), signal.getsignal(signal.SIGTERM)
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(errors),
        pytest.raises(SystemExit) as end,
    ):
        patch.chdir(ROOT)
        patch.setattr(sys, "argv", ["ablations", *map(str, arguments)])
        main()
    signal.signal(signal.SIGTERM, handler)
    return CompletedProcess(arguments, end.value.code or 0, out.getvalue(), errors.getvalue())


def made_up(folder: Path, preset: str, gain: float) -> dict:
    """A finished attempt with one measured round; its metrics."""
    attempt = Attempt(f"{preset}-0", preset, PRESETS[preset].what, 0, [], "quickstart", ["data.height=40"], None)
    attempt.seconds, attempt.state = 120, FINISHED
    random, images = np.random.default_rng(0), ("ssim", "fsim", "sharpness")
    sides, trivial = ("photo_to_sketch", "sketch_to_photo"), {"input": 0.1, "mean_training_image": 0.2}
    columns = {f"{side}.{name}": random.uniform(0.5, 0.9, 8) + gain for side in sides for name in images}
    scores = {
        f"{kind}.{crop}.{way}": random.normal(size=(8, 8)) + 2 * np.eye(8)
        for kind in ("learned", "hog") for crop in ("whole", "face") for way in WAYS
    }  # fmt: skip
    columns |= {f"rank.{name}": rank_of_match(matrix, PEOPLE, PEOPLE) + 1 for name, matrix in scores.items()}
    metrics = {
        "round": 1,
        "protocol": {
            "split_sha256": "ab" * 32, "test_split": "test", "test_people": 8, "measured_at": ["64x80"],
            "network_size": "64x80", "fit": "squeeze", "settings": {},
        },
        "trivial_baselines": {side: dict.fromkeys(images, trivial) for side in sides},
        **{side: {name: float(columns[f"{side}.{name}"].mean()) for name in images} for side in sides},
    }  # fmt: skip
    for kind, key in TABLES.items():
        metrics[key] = {way: recognition(scores[f"{kind}.{way}"], PEOPLE, PEOPLE) for way in WAYS}
    run = folder / "runs" / attempt.label
    write_round(run / "round_1", RoundResult(metrics, PEOPLE, columns, scores))
    (run / "history.jsonl").write_text(json.dumps({"phase": "round_1/synthesis", "step": 6}) + "\n")
    (folder / f"{attempt.label}.json").write_text(json.dumps(asdict(attempt)))
    return metrics


def test_the_tables_hold_the_measured_numbers(tmp_path):
    folder, page = tmp_path / "tiny", tmp_path / "results.md"
    measured = {name: made_up(folder, name, gain) for name, gain in ((WHOLE, 0.0), ("no_cycle", 0.05))}
    page.write_text("# Results\n\nWords that stay.\n")
    for _ in range(2):  # the second replaces the first
        done = ablations("table", folder, "--into", page, "--name", "tiny")
        assert done.returncode == 0, done.stderr
    text = page.read_text()
    assert text.startswith("# Results\n\nWords that stay.\n") and text.count("<!-- tiny: begin -->") == 1
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]
    for name, what in ((WHOLE, "the whole method"), ("no_cycle", "without the cycle loss")):
        metrics = measured[name]
        (images,) = (row for row in rows if row[0] == f"{name}: {what}")
        assert images[1:4] == ["0", "6", "2"]
        expected = [f"{metrics['photo_to_sketch'][m]:.4f}" for m in ("ssim", "fsim")]
        assert images[4].split(" / ")[:2] == expected
        (rates,) = (row for row in rows if row[0] == name)
        for cell, table in ((rates[4], "retrieval"), (rates[5], "retrieval_face")):
            assert cell == f"{100 * metrics[table]['fusion']['rank1']:.1f} / refused / refused"
    assert max(map(len, rows)) == 6, "no wider than a screen"
    assert ["sketch SSIM", "+0.0500 [+0.0500, +0.0500] *"] in rows
    assert {"HOG", "input taken as output", "mean training image"} < {row[0] for row in rows}
    for words in ("python -m benchmarks.ablations run", "quickstart", "data.height=40", "ab" * 6):
        assert words in text, words


@pytest.mark.parametrize("content", [b"{", b"\xff", b"{}", b'{"color": 1}'])
def test_a_damaged_state_is_named(tmp_path, content):
    made_up(tmp_path, WHOLE, 0.0)
    whole = (tmp_path / "iacyclegan-0.json").read_bytes()
    (tmp_path / "iacyclegan-0.json").write_bytes(content)
    refused(ablations("table", tmp_path), "iacyclegan-0.json cannot be read")
    (tmp_path / "iacyclegan-0.json").write_bytes(whole)
    (tmp_path / "runs/iacyclegan-0/history.jsonl").write_bytes(content)
    refused(ablations("table", tmp_path), "history.jsonl cannot be read")


def test_every_preset_is_a_valid_change_of_the_real_settings():
    base = load_config(ROOT / "configs/cufs_student_128.yaml", ["data.root=somewhere"])
    settings = {
        name: [setting.format(perception_weight=7.5) for setting in preset.settings]
        for name, preset in (PRESETS | ADDITIONS).items()
    }
    same = [
        name
        for name, changes in settings.items()
        if load_config(ROOT / "configs/cufs_student_128.yaml", ["data.root=somewhere", *changes]) == base
    ]
    assert same == [WHOLE]


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--only", "cyclegun"], "known presets are iacyclegan, cyclegan"),
        (["--seeds", "one"], "whole numbers"),
        (["--minutes", "0"], "more than 0"),
        (["--minutes", "nan"], "more than 0"),
        (["--only", "no_cycle"], "run that preset first"),
    ],
)
def test_mistakes(tmp_path, arguments, words):
    refused(ablations("run", tmp_path / "x", *arguments), words)


@pytest.mark.slow
def test_presets_are_trained_with_their_own_settings_evaluated_and_done_once(tmp_path):
    import yaml

    folder = tmp_path / "tiny"
    arguments = ("run", folder, "--only", "iacyclegan,no_cycle", *SETTINGS)
    done = ablations(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    one, other = (
        yaml.safe_load((folder / f"runs/{name}-0/config.yaml").read_text()) for name in ("iacyclegan", "no_cycle")
    )
    weight = json.loads((folder / "runs/iacyclegan-0/round_1/networks/extra.json").read_text())["perception_weight"]
    assert (one["loss"]["cycle_weight"], other["loss"]["cycle_weight"]) == (10, 0)
    assert other["loss"]["perception_weight"] == pytest.approx(weight) and weight > 0
    groups = ("data", "generator", "train", "rounds", "loss", "recognizer")
    differ = {(group, key) for group in groups for key in one[group] if one[group][key] != other[group][key]}
    assert differ == {("loss", "cycle_weight"), ("loss", "perception_weight")}
    for name in ("iacyclegan", "no_cycle"):
        assert (folder / f"runs/{name}-0/round_1/people.csv").is_file()
        assert json.loads((folder / f"{name}-0.json").read_text())["state"] == FINISHED
    before = {path: path.stat().st_mtime_ns for path in (folder / "runs").rglob("*") if path.is_file()}
    again = ablations(*arguments)
    assert again.returncode == 0 and "training (" not in again.stdout and again.stdout.count(": finished") == 2
    assert before == {path: path.stat().st_mtime_ns for path in (folder / "runs").rglob("*") if path.is_file()}
    refused(ablations("run", folder, "--only", "iacyclegan", *SETTINGS, "train.learning_rate=0.1"), "other settings")
    table = ablations("table", folder).stdout
    assert re.search(r"\| sketch SSIM \| [+-]0\.\d{4} \[[+-]0\.\d{4}, [+-]0\.\d{4}\]", table), table


@pytest.mark.slow
def test_time_that_is_up_is_said_and_a_preset_that_fails_is_named_with_its_log(tmp_path):
    arguments = ("run", tmp_path / "short", "--only", "cyclegan", *SETTINGS, "--minutes", 0.001)
    first = ablations(*arguments)
    assert first.returncode == 0 and "cyclegan-0: out of time" in first.stdout
    table = ablations("table", tmp_path / "short")
    refused(table, "no measured result")
    assert "cyclegan-0 (out of time)" in table.stdout
    assert json.loads((tmp_path / "short/cyclegan-0.json").read_text())["seconds"] > 0
    again = ablations(*arguments)
    assert "training (" not in again.stdout and "out of time" in again.stdout
    refused(ablations("run", tmp_path / "x", "--only", "frozen", "data.height=33"), "frozen-0 (")
    assert "data.height is 33" in (tmp_path / "x/logs/frozen-0.log").read_text()
