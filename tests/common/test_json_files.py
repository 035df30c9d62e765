"""A JSON file of ours, whole and damaged in each way."""

import pytest

from iacyclegan_tf.common import json_files
from iacyclegan_tf.common.errors import UserError


def test_an_object_comes_back(tmp_path):
    (tmp_path / "a.json").write_text('{"größe": [1, 2.5]}', encoding="utf-8")
    assert json_files.read_object(tmp_path / "a.json") == {"größe": [1, 2.5]}


@pytest.mark.parametrize(
    "content, reason",
    [
        (b'{"a": 1', "delimiter"),
        (b"[1]", "holds no object"),
        (b'{"a": "\xff"}', "codec"),
        (b"[" * 100_000, "recursion"),
        (b"", "Expecting value"),
    ],
)
def test_damage_is_a_sentence_that_names_the_file(tmp_path, content, reason):
    path = tmp_path / "metrics.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"metrics\.json cannot be read: .*{reason}"):
        json_files.read_object(path)


def test_a_missing_file_and_one_too_large(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="No such file"):
        json_files.read_object(tmp_path / "none.json")
    monkeypatch.setattr(json_files, "MAX_BYTES", 3)
    (tmp_path / "b.json").write_text("{    }")
    with pytest.raises(UserError, match="more than 3 bytes"):
        json_files.read_object(tmp_path / "b.json")
