"""A run's folder works from any directory: its exports are found from the run."""

from pathlib import Path

import pytest

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.config.reading import dump_config, load_config
from iacyclegan_tf.inference.runs import open_run


def made(folder: Path, *settings: str) -> Path:
    """A run's folder with settings and a folder of exports, as training in ``folder`` leaves them."""
    config = load_config(None, ["name=mine", *settings])
    run = folder / config.runs_dir / "mine"
    run.mkdir(parents=True)
    (run / "config.yaml").write_text(dump_config(config))
    (folder / config.savedmodels_dir / "mine").mkdir(parents=True)
    return run


@pytest.mark.parametrize("settings", [[], ["runs_dir=a/b", "savedmodels_dir=c/d"]])
def test_from_any_directory(tmp_path, monkeypatch, settings):
    run = made(tmp_path / "there", *settings)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    exports = tmp_path / "there" / ("c/d" if settings else "savedmodels") / "mine"
    assert open_run(run).savedmodels == open_run(Path("..", run.relative_to(tmp_path))).savedmodels == exports
    monkeypatch.setenv("HOME", str(tmp_path))
    assert open_run(f"~/{run.relative_to(tmp_path)}").savedmodels == exports
    assert open_run(run, "~/x").savedmodels == tmp_path / "x/mine"


def test_a_run_that_was_moved_away_from_its_exports_takes_those_of_the_current_directory(tmp_path, monkeypatch):
    run = made(tmp_path / "there")
    run.rename(tmp_path / "moved")
    monkeypatch.chdir(tmp_path / "there")
    assert open_run(tmp_path / "moved").savedmodels.resolve() == tmp_path / "there/savedmodels/mine"
    with pytest.raises(UserError, match="There is no run"):
        open_run(run)
