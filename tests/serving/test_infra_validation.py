"""Infra validation blesses a sound export and refuses each kind of bad one with its reason."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import outside_python
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from iacyclegan_tf.data.resizing import Fit
from iacyclegan_tf.serving.publishing import infra_validator
from iacyclegan_tf.serving.publishing.infra_validator import validate, write_verdict
from iacyclegan_tf.serving.publishing.sample_requests import sample_requests
from iacyclegan_tf.serving.served_modules import Translator


class Brighten(tf.Module):
    """A network of one variable; ``extra`` is what makes it bad."""

    def __init__(self, extra: Callable = lambda x: x):
        super().__init__()
        self.gain, self.extra = tf.Variable(0.5), extra

    def __call__(self, images):
        return tf.ensure_shape(self.extra(images) * self.gain, images.shape)


def save(folder: Path, extra: Callable = lambda x: x, translator=Translator, leave_out: str = "") -> Path:
    """Without the whitelist that refuses foreign operations at save time: validation must find them by itself."""
    module = translator(Brighten(extra), Fit("squeeze", 16, 16))
    signatures = {name: call for name, call in module.signatures().items() if name != leave_out}
    tf.saved_model.save(module, str(folder), signatures=signatures)
    if extra is tf.math.erfinv:
        named_as_foreign(folder / "saved_model.pb", "Erfinv")
    return folder


def named_as_foreign(path: Path, operation: str) -> None:
    """An operation that no stock runtime has: another's name, as a library for TensorFlow registers its own."""
    model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    nodes = [node for function in model.meta_graphs[0].graph_def.library.function for node in function.node_def]
    for node in nodes:
        node.op = f"Foreign>{operation}" if node.op == operation else node.op
    assert any(node.op.startswith("Foreign>") for node in nodes)
    path.write_bytes(model.SerializeToString())


class FixedBatch(Translator):
    @tf.function(input_signature=[tf.TensorSpec([2, None, None, 3], tf.float32, name="images")])
    def tensor(self, images):
        return {"images": self._translate(images)}


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    return save(tmp_path_factory.mktemp("sound") / "1")


@pytest.fixture
def copied(sound, tmp_path) -> Path:
    """The sound one, to be damaged."""
    return Path(shutil.copytree(sound, tmp_path / "1"))


def reasons_against(folder: Path) -> str:
    return "; ".join(validate({"photo_to_sketch": folder})["photo_to_sketch"])


def test_a_sound_export_is_blessed(sound):
    assert reasons_against(sound) == ""


BAD = {
    "a foreign operation": (tf.math.erfinv, "outside stock TensorFlow.*Foreign>Erfinv"),
    "py_function": (lambda x: tf.py_function(lambda y: y, [x], tf.float32), "call into Python.*EagerPyFunc"),
    "numpy_function": (lambda x: tf.numpy_function(lambda y: y, [x], tf.float32), "call into Python.*PyFunc"),
    "jit": (tf.function(lambda x: x + 1.0, jit_compile=True), "compiled by XLA"),
    "not finite": (lambda x: x / 0.0, "the signature tensor answers images that are not"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_graphs_are_refused_with_their_reason(kind, tmp_path):
    extra, reason = BAD[kind]
    found = reasons_against(save(tmp_path / "1", extra))
    assert re.search(reason, found), found


def test_what_the_files_alone_show_is_true(tmp_path, copied):
    """Each kind that is refused unseen does fail in a server's runtime, with XLA off."""
    request = {"tensor": sample_requests("photo_to_sketch")["tensor"]}
    (copied / "variables/variables.index").unlink()
    folders = {"variables": copied, **{kind: save(tmp_path / kind, BAD[kind][0]) for kind in list(BAD)[:4]}}
    for kind, words in [
        ("variables", "gain|[Vv]ariable"),
        ("a foreign operation", "not registered"),
        ("py_function", "EagerPyFunc"),
        ("numpy_function", "PyFunc"),
        ("jit", "XLA|-6"),
    ]:
        with pytest.raises(RuntimeError, match=words):
            outside_python.ask(folders[kind], request)


@pytest.mark.parametrize(
    "damage, reason",
    [
        (lambda f: (f / "variables/variables.index").unlink(), "variables.index is missing"),
        (lambda f: shutil.rmtree(f / "variables"), "variables.index is missing"),
        (lambda f: (f / "variables/variables.data-00000-of-00001").unlink(), r"variables.data-\* is missing"),
        (lambda f: (f / "variables/variables.data-00000-of-00001").write_bytes(b""), "it cannot be run"),
        (lambda f: (f / "saved_model.pb").unlink(), "saved_model.pb cannot be read"),
        (lambda f: (f / "saved_model.pb").write_bytes(b"\xff" * 100), "saved_model.pb cannot be read"),
        (lambda f: (f / "saved_model.pb").write_bytes(b""), "no graph with the tag serve"),
    ],
)
def test_damaged_folders_are_refused_with_their_reason(copied, damage, reason):
    damage(copied)
    assert re.search(reason, reasons_against(copied))


def test_wrong_signatures_are_refused_with_their_reason(tmp_path, sound):
    assert "fixes the batch of its input images at 2" in reasons_against(save(tmp_path / "1", translator=FixedBatch))
    assert "the signature tensor is missing" in reasons_against(save(tmp_path / "2", leave_out="tensor"))
    as_recognizer = "; ".join(validate({"photo_recognizer": sound})["photo_recognizer"])
    assert "the signature match is missing" in as_recognizer and "outputs" in as_recognizer


def test_one_crash_refuses_one_export_and_the_others_go_on(sound, copied, tmp_path, monkeypatch):
    """The runtime is replaced by one that kills itself over a folder named crash, like an abort inside the library."""
    runtime = Path(infra_validator.__file__).with_name("stock_runtime.py").read_text()
    crashing = runtime.replace(
        "            loaded = Model(",
        "            if 'crash' in model['folder']: os.abort()\n            loaded = Model(",
    ).replace("import json\n", "import json\nimport os\n", 1)
    assert crashing.count("os") > runtime.count("os")
    (tmp_path / "runtime.py").write_text(crashing)
    monkeypatch.setattr(infra_validator, "_RUNTIME", tmp_path / "runtime.py")
    crash = copied.rename(tmp_path / "crash")
    found = validate({"photo_to_sketch": crash, "sketch_to_photo": sound})
    assert "SIGABRT" in found["photo_to_sketch"][0] and found["sketch_to_photo"] == []


def test_a_process_that_hangs_is_given_up(sound, tmp_path, monkeypatch):
    (tmp_path / "runtime.py").write_text("import time; time.sleep(60)")
    monkeypatch.setattr(infra_validator, "_RUNTIME", tmp_path / "runtime.py")
    monkeypatch.setattr(infra_validator, "TIMEOUT_S", 0.5)
    assert "no answer within 0.5 s" in reasons_against(sound)


def test_the_process_has_neither_keras_nor_this_project(tmp_path):
    """The real program, asked what it has imported; -I -S leave it the standard library."""
    source = Path(infra_validator.__file__).with_name("stock_runtime.py").read_text()
    assert "main()" in source
    (tmp_path / "runtime.py").write_text(
        source.replace('if __name__ == "__main__":\n    main()', "print(sorted(sys.modules), sys.path)")
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", tmp_path / "runtime.py"], capture_output=True, text=True, check=True
    )
    assert "ctypes" in done.stdout
    for word in ("keras", "tensorflow", "numpy", "iacyclegan", "site-packages"):
        assert word not in done.stdout


def test_verdicts_are_written_beside_their_mark(tmp_path):
    write_verdict([], tmp_path / "1")
    write_verdict(["it is bad"], tmp_path / "2")
    assert {path.name for path in (tmp_path / "1").iterdir()} == {"INFRA_BLESSED", "infra_validation.json"}
    assert {path.name for path in (tmp_path / "2").iterdir()} == {"INFRA_NOT_BLESSED", "infra_validation.json"}
    assert json.loads((tmp_path / "2/infra_validation.json").read_text())["reasons"] == ["it is bad"]
    assert validate({"photo_to_sketch": tmp_path}, wanted=False) == {
        "photo_to_sketch": ["not validated: export.infra_validation is off"]
    }
