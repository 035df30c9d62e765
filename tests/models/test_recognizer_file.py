"""A recognizer in a file: it comes back as it was, and what is not it is refused in one sentence."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.models import npz_archive
from iacyclegan_tf.models.build import load_weights
from iacyclegan_tf.models.recognizer import Recognizer
from iacyclegan_tf.models.recognizer_file import is_recognizer_file, load_recognizer, read_recognizer, write_recognizer

IMAGES = np.random.default_rng(0).uniform(-1, 1, (3, 40, 32, 3)).astype(np.float32)


def made(seed: int = 1, embedding: str = "pool4", **settings) -> Recognizer:
    """With every variable different from a fresh one's, statistics of batch normalization too."""
    recognizer = Recognizer(
        **{"width": 0.0625, "input_size": 32, "normalization": "batch"} | settings, embedding=embedding, seed=seed
    )
    recognizer.build()
    random = np.random.default_rng(seed)
    for variable in recognizer.variables:
        variable.assign(np.abs(variable.numpy() + random.uniform(0, 0.1, variable.shape)))
    return recognizer


@pytest.fixture
def path(tmp_path):
    write_recognizer(made(), tmp_path / "mine.npz", {"people": 20})
    return tmp_path / "mine.npz"


@pytest.fixture(scope="module")
def other() -> Recognizer:
    """Made once: what is refused changes nothing in it."""
    return made(2)


def changed(path, change) -> None:
    """Writes the file again with ``change`` made to its members."""
    with np.load(path) as archive:
        members = dict(archive)
    change(members)
    np.savez(path, **members)


def header(members, **values) -> None:
    members["header"] = np.array(json.dumps(json.loads(str(members["header"])) | values))


@pytest.mark.parametrize(
    "embedding, normalization", [("pool4", "batch"), ("pool5", "none"), ("fc6", "batch"), ("fc7", "none")]
)
def test_it_comes_back_as_it_was(tmp_path, embedding, normalization):
    one, two = (made(seed, embedding, normalization=normalization) for seed in (1, 2))
    assert not np.allclose(one(IMAGES), two(IMAGES))
    fingerprint = write_recognizer(one, tmp_path / "mine.npz", {"people": 20})
    file = load_recognizer(two, tmp_path / "mine.npz")
    assert file.origin == {"people": 20} and file.fingerprint == fingerprint and len(fingerprint) == 64
    np.testing.assert_array_equal(one(IMAGES), two(IMAGES))
    own = {"width": 0.0625, "input_size": 32, "normalization": normalization}
    assert file.settings == {"network": "vggface", "embedding": embedding, "adapter": False} | own
    write_recognizer(two, tmp_path / "again.npz", {"people": 20})
    assert (tmp_path / "mine.npz").read_bytes() == (tmp_path / "again.npz").read_bytes()


def test_files_from_before_there_were_other_networks_still_open(path):
    def shortened(members):
        old = json.loads(str(members["header"]))
        members["header"] = np.array(json.dumps({k: v for k, v in old.items() if k not in ("network", "adapter")}))

    changed(path, shortened)
    recognizer = made(2)
    load_recognizer(recognizer, path)
    np.testing.assert_array_equal(recognizer(IMAGES), made(1)(IMAGES))


def test_an_adapter_is_in_the_file(tmp_path):
    one, two = made(1, adapter=True), made(2, adapter=True)
    write_recognizer(one, tmp_path / "mine.npz", {})
    assert "adapter/kernel" in load_recognizer(two, tmp_path / "mine.npz").arrays
    np.testing.assert_array_equal(one(IMAGES), two(IMAGES))


def test_only_what_the_embedding_depends_on_is_in_it(path):
    names = set(read_recognizer(path).arrays)
    assert {"conv1_1/kernel", "conv4_3/bias", "norm4_3/gamma", "norm4_3/moving_variance", "mean_rgb"} <= names
    assert not [name for name in names if name.startswith(("conv5", "norm5", "fc"))]
    assert len(names) == 10 * 2 + 10 * 4 + 1


def test_the_settings_that_differ_are_named(path):
    other = made(2, "pool5", width=0.125)
    before = other(IMAGES).numpy()
    with pytest.raises(UserError) as error:
        load_recognizer(other, path)
    for words in (
        "recognizer.width is 0.125, the file's is 0.0625",
        "recognizer.embedding is pool5, the file's is pool4",
        str(path),
    ):
        assert words in str(error.value)
    assert "input_size" not in str(error.value)
    np.testing.assert_array_equal(other(IMAGES), before)


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda m: m.pop("conv2_1/kernel"), "'conv2_1/kernel' is missing"),
        (lambda m: m.update({"conv9_1/kernel": m["conv2_1/kernel"]}), "'conv9_1/kernel' is missing, unknown"),
        (
            lambda m: m.update({"conv2_1/bias": np.zeros(3, np.float32)}),
            "'conv2_1/bias' is missing, unknown or of another shape",
        ),
        (
            lambda m: m.update({"conv2_1/bias": m["conv2_1/bias"] * np.float32(np.nan)}),
            "not all finite.*'conv2_1/bias'",
        ),
        (lambda m: m.update({"conv2_1/bias": m["conv2_1/bias"].astype(np.float64)}), "float64"),
        (lambda m: m.update({"conv2_1/bias": np.array([None])}), "mine.npz is damaged"),
        (lambda m: m.pop("header"), "has no header"),
        (lambda m: m.update(header=np.array(3)), "has no header"),
        (lambda m: m.update(header=np.array("{")), "not a readable recognizer"),
        (lambda m: m.update(header=np.array("x" * 300_000)), "has no header"),
        (lambda m: header(m, version=2), "version 1, which this program reads"),
        (lambda m: header(m, format="other"), "not a recognizer of format"),
        (lambda m: header(m, width="wide"), "does not say its width"),
        (lambda m: header(m, input_size=True), "does not say its input_size"),
        (lambda m: header(m, origin=None), "does not say its origin"),
        (lambda m: header(m, network="other"), "neither of vggface, dlib"),
        (lambda m: header(m, network=["dlib"]), "neither of vggface, dlib"),
        (lambda m: header(m, adapter=1), "does not say its adapter"),
        (lambda m: header(m, adapter=True), "recognizer.adapter is False, the file's is True"),
        (lambda m: header(m, network="dlib"), "recognizer.network is vggface, the file's is dlib"),
    ],
)
def test_what_is_not_whole_is_refused_and_changes_nothing(path, change, words, other):
    changed(path, change)
    before = [variable.numpy() for variable in other.variables]
    with pytest.raises(UserError, match=words):
        load_recognizer(other, path)
    assert all(np.array_equal(variable, value) for variable, value in zip(other.variables, before))


def test_damage_is_one_sentence(path, tmp_path):
    content, random = path.read_bytes(), np.random.default_rng(0)
    for trial in range(60):
        damaged = bytearray(content)
        if trial % 3 == 0:
            damaged = damaged[: random.integers(1, len(damaged))]
        else:
            start = 0 if trial % 3 == 1 else len(damaged) - 4000  # the first header, or the directory at the end
            damaged[start + random.integers(0, 4000)] ^= 1 << random.integers(0, 8)
        (tmp_path / "damaged.npz").write_bytes(damaged)
        is_recognizer_file(tmp_path / "damaged.npz")
        try:
            read_recognizer(tmp_path / "damaged.npz")
        except UserError as error:
            assert "damaged.npz" in str(error) and len(str(error)) < 400


@pytest.mark.parametrize("target", ["mine.h5", "nowhere/mine.npz"])
def test_a_target_that_cannot_be_written(tmp_path, target):
    with pytest.raises(UserError, match=r"must end in \.npz, in a folder that exists"):
        write_recognizer(made(), tmp_path / target, {})


def test_it_is_told_from_other_files_and_found_at_home(path, tmp_path, monkeypatch):
    np.savez(tmp_path / "other.npz", a=np.zeros(2))
    (tmp_path / "junk").write_bytes(b"PK\x03\x04junk")
    assert is_recognizer_file(path)
    for name in ("other.npz", "junk", "absent", "."):
        assert not is_recognizer_file(tmp_path / name)
    recognizer = made(2)
    monkeypatch.setenv("HOME", str(tmp_path))
    os.rename(path, tmp_path / "a[1]*?.npz")  # characters of patterns are only characters
    load_weights(recognizer, "~/a[1]*?.npz")
    np.testing.assert_array_equal(recognizer(IMAGES), made(1)(IMAGES))
    with pytest.raises(UserError, match="names a home folder that is not known"):
        load_weights(recognizer, "~nobody-of-this-name/a.npz")
    with pytest.raises(UserError, match=r"other\.npz is an \.npz file of another kind"):
        load_weights(recognizer, str(tmp_path / "other.npz"))


def test_bounds_are_checked_before_anything_is_read(path, monkeypatch):
    monkeypatch.setattr(npz_archive, "MAX_BYTES", 10_000)
    with pytest.raises(UserError, match=r"holds more than .* GiB"):
        read_recognizer(path)


def test_reading_needs_no_tensorflow(path):
    code = (
        "import sys; from iacyclegan_tf.models.recognizer_file import read_recognizer; "
        f"read_recognizer({str(path)!r}); print('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"
