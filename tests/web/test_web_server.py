"""Where the page listens, where its files lie and when they go; what it tells of the models."""

import importlib.util
import os
import socket
import stat
import time
from pathlib import Path

import pytest

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.inference.trained import Trained
from iacyclegan_tf.web.folder import FolderFull, PageFolder, page_folder
from iacyclegan_tf.web.html import card_html
from iacyclegan_tf.web.server import _names, listening
from iacyclegan_tf.web.sources import about_html

CARD = {
    "servable": "photo_to_sketch",
    "run": "<b>mine</b>",
    "round": 2,
    "method": "A & B",
    "purpose": "research; makes a sketch",
    "data": {"source": "drawn", "counts": ["train 3", "test 1"]},
    "limits": ["<script>alert(1)</script>"],
    "measures": {"ssim": 0.4321, "trivial_baselines": {"ssim": {"input": 0.25}}},
    "protocol": {"size": "64x80"},
    "danger_of_false_matches": "Do not.",
    "licence_of_weights": "Apache-2.0",
}


def test_a_taken_port_is_a_sentence():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with (
            pytest.raises(
                UserError, match=f"cannot listen on 127.0.0.1 port {port}: Address already in use. Give others with"
            ),
            listening("127.0.0.1", port),
        ):
            pass


@pytest.mark.parametrize("host, port", [("256.1.1.1", 0), ("127.0.0.1", 70_000), ("203.0.113.7", 0)])
def test_an_address_that_is_not_ours_is_a_sentence(host, port):
    with pytest.raises(UserError, match=f"The page cannot listen on {host} port {port}: "), listening(host, port):
        pass


def test_port_0_takes_a_free_one():
    with listening("127.0.0.1", 0) as one, listening("127.0.0.1", 0) as other:
        assert 0 < one.getsockname()[1] != other.getsockname()[1] > 0


@pytest.mark.parametrize(
    "host, names",
    [
        ("127.0.0.1", {"localhost", "127.0.0.1", "[::1]"}),
        ("127.0.0.2", {"127.0.0.2"}),
        ("::1", {"localhost", "[::1]"}),
        ("0.0.0.0", {"*"}),
        ("192.0.2.1", {"*"}),
    ],
)
def test_only_a_page_of_this_machine_knows_its_names(host, names):
    assert names <= set(_names(host)) and ("*" in names) == ("*" in _names(host))


def test_the_folder_is_for_this_users_eyes_only_and_goes(monkeypatch):
    if importlib.util.find_spec("gradio") is None:
        pytest.skip("the page needs the extra app")
    for name in ("ANALYTICS_ENABLED", "ANALYTICS_MAX_EVENTS", "TEMP_DIR"):
        monkeypatch.setenv(f"GRADIO_{name}", "as before")
    for name in ("HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, "as before")
    with page_folder() as folder:
        assert stat.S_IMODE(folder.path.parent.stat().st_mode) == 0o700
        assert os.environ["GRADIO_TEMP_DIR"] == str(folder.path) and os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
        assert Path(folder.write("face.png", b"a face")).read_bytes() == b"a face"
    assert not folder.path.parent.exists()


def test_the_folder_is_bounded_by_what_is_in_it_and_what_is_coming(tmp_path):
    folder = PageFolder(tmp_path, 100)
    folder.write("a", bytes(40))
    with folder.room(40):
        with pytest.raises(FolderFull, match="too many pictures just now"):
            folder.write("b", bytes(30))
        folder.write("c", bytes(20))
    folder.write("d", bytes(40))
    with pytest.raises(FolderFull):
        folder.write("e", b"1")


def test_sweep_takes_what_is_old_and_leaves_the_rest(tmp_path):
    old = time.time() - 100
    for name in ("old/face.png", "mixed/old.png", "mixed/new.png", "new/face.png", "examples/face.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "new")
    for name in ("old/face.png", "mixed/old.png", "examples/face.png", "link"):
        os.utime(tmp_path / name, (old, old), follow_symlinks=False)
    folder = PageFolder(tmp_path)
    folder.sweep(time.time() - 50)
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.png"))
    assert left == ["examples/face.png", "mixed/new.png", "new/face.png"] and not (tmp_path / "link").is_symlink()
    for name in ("old", "mixed", "new"):
        if (tmp_path / name).exists():
            os.utime(tmp_path / name, (old, old))
    folder.sweep(time.time() - 50)
    assert not (tmp_path / "old").exists() and (tmp_path / "mixed/new.png").exists()


def test_a_folder_that_goes_while_it_is_listed_does_not_end_the_sweeping(tmp_path, monkeypatch):
    def gone(self, pattern):
        raise FileNotFoundError(self)

    monkeypatch.setattr(Path, "rglob", gone)
    PageFolder(tmp_path).sweep(time.time())


@pytest.mark.parametrize("damage", [{"measures": 7}, {"data": None}, {"limits": 5}, {"servable": None}, "missing", []])
def test_a_damaged_card_is_a_sentence(damage, tmp_path):
    damaged = CARD | damage if isinstance(damage, dict) else {} if damage == "missing" else damage
    models = Trained("mine", 2, {"photo_to_sketch": tmp_path})
    models.card = lambda servable: damaged
    with pytest.raises(UserError, match=r"The model cards of mine 2 cannot be shown: \w+Error"):
        about_html(models)


def test_the_card_is_told_and_not_obeyed():
    of_recognizers = [CARD | {"servable": of, "measures": {"fusion": {"rank1": 0.75}}} for of in ("one", "other")]
    said = card_html([CARD | {"round": "<i>2</i>"}, *of_recognizers])
    assert said.count("<td>both recognizers, fused, rank-1</td><td class=number>0.750</td>") == 1
    assert (
        "<script>" not in said
        and "<i>" not in said
        and "&lt;script&gt;" in said
        and "&lt;b&gt;mine&lt;/b&gt;" in said
        and "A &amp; B" in said
    )
    assert "<td>photo_to_sketch, SSIM</td><td class=number>0.432</td>" in said
    assert "<td>photo_to_sketch, trivial baselines, SSIM, of the input itself</td><td class=number>0.250</td>" in said
    assert "counts: train 3; test 1" in said and "Apache-2.0" in said
