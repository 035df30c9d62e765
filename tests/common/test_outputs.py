"""The guard of outputs: what a command made may be made anew, anything else is kept unless --overwrite."""

import json

import pytest

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.outputs import check_output, check_output_folder, made_by
from iacyclegan_tf.common.user_paths import there, user_path


def test_what_the_command_did_not_make_is_kept(tmp_path):
    path = tmp_path / "found.json"
    assert check_output(path, "gallery") == path
    for foreign in ("notes", json.dumps({"made_by": made_by("client")}), "iacyclegan_tf", ""):
        path.write_text(foreign)
        with pytest.raises(UserError, match=r"found\.json is there already and was not made by this command; .*--over"):
            check_output(path, "gallery")
        check_output(path, "gallery", overwrite=True)
    path.write_text(json.dumps({"made_by": made_by("gallery")}))
    check_output(path, "gallery")


def test_one_record_may_speak_for_several_files(tmp_path):
    path, record = tmp_path / "a.csv", tmp_path / "a.json"
    path.write_text("rows")
    with pytest.raises(UserError, match=r"a\.csv is there already"):
        check_output(path, "compare", record=record)
    record.write_text(made_by("compare"))
    check_output(path, "compare", record=record)


def test_no_folder_is_made_above_an_output(tmp_path):
    check_output_folder(tmp_path / "new")
    with pytest.raises(UserError, match="nowhere is not there"):
        check_output_folder(tmp_path / "nowhere/new")
    with pytest.raises(UserError, match="nowhere is not there"):
        check_output(tmp_path / "nowhere/x.png", "gallery", overwrite=True)
    with pytest.raises(UserError, match="is a folder; name a file"):
        check_output(tmp_path, "gallery", overwrite=True)


def test_home_is_expanded_and_absence_said(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert user_path("~/x") == tmp_path / "x"
    assert there(tmp_path, "The folder") == tmp_path
    with pytest.raises(UserError, match=r"The folder of photos .*x is not there\."):
        there(tmp_path / "x", "The folder of photos")
