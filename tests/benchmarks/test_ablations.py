"""Two presets trained, evaluated and tabled on tiny drawn settings; interrupted and run again."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import tiny

from benchmarks.ablation_presets import ADDITIONS, PRESETS, WHOLE
from iacyclegan_tf.config.reading import load_config

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


def ablations(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.ablations", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=400,
    )


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("ablations") / "tiny"
    done = ablations("run", folder, "--only", "iacyclegan,no_cycle", *SETTINGS)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout


def test_each_preset_is_trained_with_its_own_settings_and_evaluated(results):
    import yaml

    folder, _ = results
    configs = {
        name: yaml.safe_load((folder / f"runs/{name}-0/config.yaml").read_text()) for name in ("iacyclegan", "no_cycle")
    }
    assert configs["iacyclegan"]["loss"]["cycle_weight"] == 10 and configs["no_cycle"]["loss"]["cycle_weight"] == 0
    weight = json.loads((folder / "runs/iacyclegan-0/round_1/networks/extra.json").read_text())["perception_weight"]
    assert configs["no_cycle"]["loss"]["perception_weight"] == pytest.approx(weight) and weight > 0
    differ = {
        (group, key)
        for group in ("data", "generator", "train", "rounds", "loss", "recognizer")
        for key in configs["no_cycle"][group]
        if configs["no_cycle"][group][key] != configs["iacyclegan"][group][key]
    }
    assert differ == {("loss", "cycle_weight"), ("loss", "perception_weight")}
    for name in configs:
        assert (folder / f"runs/{name}-0/round_1/people.csv").is_file()
        assert json.loads((folder / f"{name}-0.json").read_text())["state"] == "finished"


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


def test_a_second_start_does_nothing_and_other_settings_are_refused(results):
    folder, _ = results
    before = {path: path.stat().st_mtime_ns for path in (folder / "runs").rglob("*") if path.is_file()}
    again = ablations("run", folder, "--only", "iacyclegan,no_cycle", *SETTINGS)
    assert again.returncode == 0 and "training (" not in again.stdout and again.stdout.count(": finished") == 2
    assert before == {path: path.stat().st_mtime_ns for path in (folder / "runs").rglob("*") if path.is_file()}
    other = ablations("run", folder, "--only", "iacyclegan", *SETTINGS, "train.learning_rate=0.1")
    assert other.returncode == 2 and "other settings" in other.stderr


def test_the_tables_hold_the_measured_numbers(results, tmp_path):
    folder, _ = results
    page = tmp_path / "results.md"
    page.write_text("# Results\n\nWords that stay.\n")
    for _ in range(2):  # the second replaces the first
        done = ablations("table", folder, "--into", page, "--name", "tiny")
        assert done.returncode == 0, done.stderr
    text = page.read_text()
    assert text.startswith("# Results\n\nWords that stay.\n") and text.count("<!-- tiny: begin -->") == 1
    rows = {
        line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:-1]]
        for line in text.splitlines()
        if line.startswith("| ")
    }
    for name, what in (("iacyclegan", "the whole method"), ("no_cycle", "without the cycle loss")):
        metrics = json.loads((folder / f"runs/{name}-0/round_1/metrics.json").read_text())
        cells = rows[f"{name}: {what}"]
        assert cells[:2] == ["0", "6"] and cells[3:5] == [
            f"{metrics['photo_to_sketch'][m]:.4f}" for m in ("ssim", "fsim")
        ]
        assert cells[12] == f"{100 * metrics['retrieval']['fusion']['rank1']:.1f} %" and cells[13] == "refused"
        assert cells[14] == f"{100 * metrics['retrieval_face']['fusion']['rank1']:.1f} %" and cells[15] == "refused"
    assert re.match(r"[+-]0\.\d{4} \[[+-]0\.\d{4}, [+-]0\.\d{4}\]", rows["no_cycle"][0])
    assert "input taken as output" in rows and "HOG, sketch against photo" in rows
    for words in (
        "python -m benchmarks.ablations run",
        "quickstart",
        "data.height=40",
        metrics["protocol"]["split_sha256"][:12],
    ):
        assert words in text, words


def test_time_that_is_up_is_said_and_more_time_goes_on(tmp_path):
    folder = tmp_path / "short"
    arguments = ("run", folder, "--only", "cyclegan", *SETTINGS)
    first = ablations(*arguments, "--minutes", 0.001)
    assert first.returncode == 0 and "cyclegan-0: out of time" in first.stdout
    table = ablations("table", folder)
    assert table.returncode == 2 and "no measured result" in table.stderr and "cyclegan-0 (out of time)" in table.stdout
    state = json.loads((folder / "cyclegan-0.json").read_text())
    assert state["seconds"] > 0
    again = ablations(*arguments, "--minutes", 0.001)
    assert "training (" not in again.stdout and "out of time" in again.stdout


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--only", "cyclegun"], "known presets are iacyclegan, cyclegan"),
        (["--seeds", "one"], "whole numbers"),
        (["--minutes", "0"], "more than 0"),
        (["--only", "no_cycle"], "run that preset first"),
    ],
)
def test_mistakes(tmp_path, arguments, words):
    done = ablations("run", tmp_path / "x", *arguments)
    assert done.returncode == 2 and words in done.stderr and "Traceback" not in done.stderr


def test_a_preset_that_fails_is_named_with_its_log(tmp_path):
    done = ablations("run", tmp_path / "x", "--only", "frozen", "data.height=33")
    assert done.returncode == 2 and "frozen-0 (" in done.stderr
    assert "data.height is 33" in (tmp_path / "x/logs/frozen-0.log").read_text()
