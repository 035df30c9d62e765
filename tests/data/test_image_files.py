"""Pairs read from their files when their turn comes: the same as from memory, bit for bit, and what is refused."""

import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.config.reading import load_config
from iacyclegan_tf.config.settings import DataConfig, FinetuneConfig
from iacyclegan_tf.data.load_faces import load_faces
from iacyclegan_tf.data.streams.augmentation import Augmentation
from iacyclegan_tf.data.streams.batches import batch_places, identity_stream, paired_stream
from iacyclegan_tf.training.synthesized_images import synthesized, synthesized_partners

RICH = Augmentation(enlarge=1.2, flip=True)
SUFFIXES = ("png", "jpg", "tiff", "bmp")


def own_pairs(root: Path, size=lambda number: (40 + number % 3, 30)) -> Path:
    """9 training people with 1 or 2 pairs each and 3 test people, in several formats and sizes."""
    lines = ["identity,photo,sketch,split"]
    for number in range(17):
        identity, split = (f"person-{number % 9}é", "train") if number < 14 else (f"test-{number}", "test")
        names = [f"{side}/{split}{number:02d}.{SUFFIXES[number % 4]}" for side in ("photos", "sketches")]
        for seed, name in enumerate(names):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            noise = np.random.default_rng(100 * seed + number).integers(0, 256, (*size(number), 3)).astype(np.uint8)
            cv2.imwrite(str(root / name), cv2.GaussianBlur(noise, (0, 0), 1.5))
        lines.append(",".join([identity, *names, split]))
    (root / "manifest.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    root = own_pairs(tmp_path_factory.mktemp("files"))
    turned = Image.open(root / "photos/train01.jpg")
    turned.save(
        root / "photos/train01.jpg",
        exif=bytes.fromhex("457869660000") + b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x03\0\0\0\0\0\0",
    )
    Image.open(root / "sketches/train04.png").convert("L").save(root / "sketches/train04.png")
    return root


def faces_of(root: Path, in_memory: bool, **settings):
    settings = {"height": 32, "width": 24, "validation_share": 0.25} | settings
    return load_faces(DataConfig(source="pairs", root=str(root), in_memory=in_memory, **settings), seed=3)


def take(stream: tf.data.Dataset, count: int) -> list:
    return list(itertools.islice(stream.as_numpy_iterator(), count))


def assert_same(one, two) -> None:
    for a, b in zip(one, two, strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, y)


def streams(pairs) -> list:
    """Each kind of stream as a function of its first step."""
    sources = [(pairs.photos, pairs.labels), (pairs.sketches, pairs.labels)]
    common = {"seed": 7, "augmentation": RICH}
    return [
        lambda start: paired_stream(pairs.photos, pairs.sketches, batch=4, start_step=start, **common),
        lambda start: identity_stream(sources, people=4, images=3, start_step=start, **common),
    ]


@pytest.mark.parametrize("kind", range(2), ids=["paired", "identities"])
def test_batches_are_those_from_memory_bit_for_bit_also_from_a_later_start(made, kind):
    one, two = (streams(faces_of(made, in_memory).fitting)[kind] for in_memory in (True, False))
    whole = take(one(0), 7)
    assert_same(whole[:3], take(two(0), 3))
    assert_same(whole[5:], take(two(5), 2))


@pytest.mark.parametrize(
    "settings", [{"fit": "squeeze"}, {"fit": "pad"}, {"fit": "native"}], ids=lambda one: one["fit"]
)
def test_faces_are_the_same_as_in_memory(made, tmp_path, settings):
    root = own_pairs(tmp_path, size=lambda number: (32, 26)) if settings["fit"] == "native" else made
    one, two = faces_of(root, True, **settings), faces_of(root, False, **settings)
    assert one.counts() == two.counts() and one.split_hash == two.split_hash and one.image_shape == two.image_shape
    assert isinstance(one.fitting.photos, np.ndarray) and not isinstance(two.fitting.photos, np.ndarray)
    for part in ("validation", "test", "fitting"):
        assert getattr(one, part).identities == getattr(two, part).identities
    for part in ("validation", "test"):
        a, b = getattr(one, part), getattr(two, part)
        assert_same(
            [a.photos, a.sketches, a.original_photos, a.original_sketches],
            [b.photos, b.sketches, b.original_photos, b.original_sketches],
        )
    for side, mean in one.mean_training_images().items():
        everything = np.concatenate([getattr(one.fitting, side), getattr(one.validation, side)])
        np.testing.assert_array_equal(mean, everything.mean(0))
        np.testing.assert_array_equal(mean, two.mean_training_images()[side])
    assert "read from their files when their turn comes" in two.notes[-1] and two.notes[:-1] == one.notes


def test_a_later_start_reads_nothing_of_what_it_skips_and_a_lost_file_is_named(tmp_path):
    fitting = faces_of(own_pairs(tmp_path), False).fitting
    [first] = batch_places(0, 1, len(fitting), 2)
    fitting.photos.paths[first].unlink()

    def stream(start):
        return paired_stream(fitting.photos, fitting.sketches, batch=1, seed=2, augmentation=RICH, start_step=start)

    assert len(take(stream(1), 3)) == 3
    with pytest.raises(UserError, match=f"{fitting.photos.paths[first].name}' cannot be read"), fitting.reading():
        take(stream(0), 1)


def test_files_that_cannot_be_read_are_told_before_training(tmp_path):
    bad = own_pairs(tmp_path) / "photos/train03.bmp"
    bad.write_bytes(bad.read_bytes()[:200])
    with pytest.raises(UserError, match=r"1 of 34 files .*cannot be used:\n.*train03.bmp"):
        faces_of(tmp_path, False)
    faces = faces_of(tmp_path, False, skip_bad=True)
    assert faces.counts()[0].startswith("train 13 =") and any("train03.bmp" in note for note in faces.notes)


def test_settings():
    with pytest.raises(UserError, match=r"data.in_memory is false, which needs data.source=pairs"):
        load_config(None, ["data.in_memory=false"])


# ---------------------------------------------------------------- synthesized partners


def test_only_the_partners_that_fine_tuning_asks_for_are_made_and_kept(made, tmp_path):
    calls = []

    def generator(images):
        calls.append(len(images))
        return tf.convert_to_tensor(images) * -0.5

    one, two = (faces_of(made, in_memory).fitting for in_memory in (True, False))
    settings, folder = FinetuneConfig(steps=2, people=2, images=2), tmp_path / "fakes"

    def batches(pairs):
        calls.clear()
        with synthesized_partners(generator, pairs.sketches, None, None, pairs.labels, settings, 5, folder) as fakes:
            sources = [(pairs.photos, pairs.labels), (fakes, pairs.labels)]
            return take(identity_stream(sources, people=2, images=2, seed=5, augmentation=RICH), settings.steps)

    from_memory = batches(one)
    assert sum(calls) == len(one) and not folder.exists()
    assert_same(from_memory, batches(two))
    assert 2 <= sum(calls) <= 4 < len(two)  # two people in each of two batches, one synthesized image each
    assert_same(from_memory, batches(two))
    assert calls == []  # they were there
    damaged, *_, gone = sorted(folder.iterdir())
    damaged.write_bytes(damaged.read_bytes()[:-30])
    gone.unlink()
    assert_same(from_memory, batches(two))
    assert sum(calls) == 2  # these two anew


def test_a_partner_that_is_lost_while_it_is_needed_is_named(made, tmp_path):
    pairs, settings = faces_of(made, False).fitting, FinetuneConfig(steps=2, people=2, images=2)
    partners = synthesized_partners(
        tf.convert_to_tensor, pairs.photos, None, None, pairs.labels, settings, 5, tmp_path / "fakes"
    )
    with pytest.raises(UserError, match=r"fakes/\d+.png' cannot be read"), partners as fakes:
        fakes.paths[fakes.numbers[0]].unlink()
        fakes(tf.constant(fakes.numbers[0]))


def test_synthesized_images_are_rounded_and_clipped():
    images = np.array([0, 100, 255], np.uint8)[None, None, :, None] * np.ones([9, 4, 1, 3], np.uint8)
    result = synthesized(lambda some: tf.convert_to_tensor(some) * 1.5, images)
    assert result.dtype == np.uint8 and result.shape == images.shape
    assert result[8, 0, :, 0].tolist() == [0, round((1.5 * (100 / 127.5 - 1) + 1) * 127.5), 255]
