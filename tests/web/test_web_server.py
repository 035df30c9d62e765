"""Where the page listens, where its files lie and when they go; what it tells of the models."""

import importlib.util
import os
import socket
import stat
import time

import pytest

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.web.html import card_html, server_html
from iacyclegan_tf.web.server import _names, listening, page_folder, sweep

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
        with pytest.raises(
            UserError, match=f"cannot listen on 127.0.0.1 port {port}: Address already in use. Give others with"
        ):
            with listening("127.0.0.1", port):
                pass


@pytest.mark.parametrize("host, port", [("256.1.1.1", 0), ("127.0.0.1", 70_000), ("203.0.113.7", 0)])
def test_an_address_that_is_not_ours_is_a_sentence(host, port):
    with pytest.raises(UserError, match=f"The page cannot listen on {host} port {port}: "):
        with listening(host, port):
            pass


def test_port_0_takes_a_free_one():
    with listening("127.0.0.1", 0) as one, listening("127.0.0.1", 0) as other:
        assert 0 < one.getsockname()[1] != other.getsockname()[1] > 0


@pytest.mark.parametrize(
    "host, names",
    [
        ("127.0.0.1", {"localhost", "127.0.0.1", "::1"}),
        ("127.0.0.2", {"127.0.0.2"}),
        ("::1", {"localhost"}),
        ("0.0.0.0", set()),
        ("192.0.2.1", set()),
    ],
)
def test_only_a_page_of_this_machine_knows_its_names(host, names):
    assert names <= _names(host) and bool(names) == bool(_names(host))


def test_the_folder_is_for_this_users_eyes_only_and_goes(monkeypatch, tmp_path):
    if importlib.util.find_spec("gradio") is None:
        pytest.skip("the page needs the extra app")
    for name in ("GRADIO_ANALYTICS_ENABLED", "GRADIO_TEMP_DIR", "HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, "as before")
    with page_folder() as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700 and os.environ["GRADIO_TEMP_DIR"] == str(folder)
        assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
        (folder / "deep").mkdir()
        (folder / "deep/face.png").write_bytes(b"a face")
    assert not folder.exists()


def test_sweep_takes_what_is_old_and_leaves_the_rest(tmp_path):
    old = time.time() - 100
    for name in ("old/face.png", "mixed/old.png", "mixed/new.png", "new/face.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "new")
    for name in ("old/face.png", "mixed/old.png", "link"):
        os.utime(tmp_path / name, (old, old), follow_symlinks=False)
    sweep(tmp_path, time.time() - 50)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.png")) == [
        "mixed/new.png",
        "new/face.png",
    ]
    assert not (tmp_path / "link").is_symlink()
    for folder in ("old", "mixed", "new"):
        if (tmp_path / folder).exists():
            os.utime(tmp_path / folder, (old, old))
    sweep(tmp_path, time.time() - 50)
    assert not (tmp_path / "old").exists() and (tmp_path / "mixed/new.png").exists()


def test_the_card_is_told_and_not_obeyed():
    said = card_html([CARD])
    assert (
        "<script>" not in said
        and "&lt;script&gt;" in said
        and "&lt;b&gt;mine&lt;/b&gt;" in said
        and "A &amp; B" in said
    )
    assert "<td>photo_to_sketch, SSIM</td><td class=number>0.432</td>" in said
    assert "<td>photo_to_sketch, trivial baselines, SSIM, of the input itself</td><td class=number>0.250</td>" in said
    assert "counts: train 3; test 1" in said and "Apache-2.0" in said


def test_versions_of_a_server_are_told_and_not_obeyed():
    said = server_html("the server at a:1", {"photo_to_sketch": "2 AVAILABLE", "sketch_to_photo": "3 END (<img>)"})
    assert "The server at a:1. Its versions:" in said and "<td>2 AVAILABLE</td>" in said and "(&lt;img&gt;)" in said
