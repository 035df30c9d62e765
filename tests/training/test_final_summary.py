"""What a run says at its end."""

import io
import shlex
from pathlib import Path

from rich.console import Console

from iacyclegan_tf.config.reading import load_config
from iacyclegan_tf.training.final_summary import next_commands, show, worse


def metrics(number: int, rank1: float, ssim: float = 0.5, pairs: int = 48) -> dict:
    retrieval = {way: {"rank1": rank1, "rank5": 1.0} for way in ("none", "photo", "sketch", "fusion")}
    sides = ("photo_to_sketch", "sketch_to_photo")
    return {
        "round": number,
        "protocol": {"test_people": pairs, "test_pairs": pairs, "split_sha256": "0" * 64},
        "trivial_baselines": {side: {"ssim": {"input": 0.1, "mean_training_image": 0.2}} for side in sides},
        "retrieval": retrieval,
    } | {side: {"ssim": ssim} for side in sides}


def test_worse_rounds_and_noise():
    """Of 48 pairs, 36 and 34 found differ by less than chance gives, 36 and 20 by more (18 %)."""
    assert list(worse([metrics(1, 0.5), metrics(2, 0.6, 0.51)])) == []
    (line,) = worse([metrics(1, 36 / 48), metrics(2, 34 / 48)])
    assert line.startswith("Round 2 is worse than round 1 in part: rank-1 by fusion -4.2 % (within noise)")
    (line,) = worse([metrics(1, 36 / 48), metrics(2, 20 / 48)])
    assert "-33.3 % (more than noise)" in line
    (line,) = worse([metrics(1, 0.5, 0.51), metrics(2, 0.6, 0.5)])
    assert "+10.0 % (no worse), sketch SSIM -0.0100" in line


def test_the_table_fits_80_columns():
    console = Console(width=80, record=True, file=io.StringIO(), force_terminal=True)
    show([metrics(1, 1.0), metrics(2, 0.9)], console)
    text = console.export_text()
    assert "100.0 %" in text and "mean image" in text and "…" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_the_next_commands_name_what_is_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("runs/quickstart").mkdir(parents=True)
    lines = next_commands(load_config("quickstart"), Path("runs/quickstart"))
    assert len(lines) == 3 and Path(shlex.split(lines[0])[3]).is_dir() and "runs/quickstart/samples" in lines[0]
    pairs = load_config(None, ["data.root=x", "name=a b"])
    assert len(next_commands(pairs, Path("runs/a b"))) == 3 and "'a b'" in next_commands(pairs, Path("runs/a b"))[0]
