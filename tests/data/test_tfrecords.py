"""Pairs in TFRecord shards: what is written, that streams from them equal streams from memory, and what is refused."""

import hashlib
import itertools
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import tensorflow as tf

from iacyclegan_tf.common.command_line import run_command
from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.config.settings import DataConfig, FinetuneConfig
from iacyclegan_tf.data.faces import load_faces
from iacyclegan_tf.data.images.files import read_image
from iacyclegan_tf.data.pairs.pair import split_hash
from iacyclegan_tf.data.pairs.pairing import find_pairs
from iacyclegan_tf.data.shard_faces import read_shards
from iacyclegan_tf.data.shards import writing as shard_writing
from iacyclegan_tf.data.shards.index import read_index
from iacyclegan_tf.data.streams.batches import Augmentation, Worker, identity_stream, labelled_stream, paired_stream
from iacyclegan_tf.data.streams.image_sources import joined
from iacyclegan_tf.prepare import main
from iacyclegan_tf.training.synthesised_images import synthesised, synthesised_partners

RICH = Augmentation(enlarge=1.2, flip=True)


def picture(seed: int, height: int, width: int) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 1.5)


def own_pairs(root: Path, size=lambda number: (40 + number % 3, 30)) -> Path:
    """9 training people with 1 or 2 pairs each and 3 test people, as a user's own folder with a manifest."""
    lines = ["identity,photo,sketch,split"]
    for number in range(17):
        identity, split = (f"person-{number % 9}é", "train") if number < 14 else (f"test-{number}", "test")
        names = [f"{side}/{split}{number:02d}.{'jpg' if number % 4 == 1 else 'png'}" for side in ("photos", "sketches")]
        for seed, name in enumerate(names):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(root / name), picture(100 * seed + number, *size(number)))
        lines.append(",".join([identity, *names, split]))
    (root / "manifest.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


def prepare(*arguments: object) -> int:
    return run_command(lambda: main([str(argument) for argument in arguments]))


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tfrecords")
    assert prepare("pairs", own_pairs(folder / "own"), folder / "out", "--shards", 3) == 0
    return folder / "out"


@pytest.fixture
def copy(made, tmp_path) -> Path:
    return shutil.copytree(made, tmp_path / "copy")


def faces_of(root: Path, form: str, **settings):
    settings = dict(height=32, width=24, validation_share=0.25) | settings
    return load_faces(DataConfig(source="pairs", root=str(root), format=form, **settings), seed=3)


def take(stream: tf.data.Dataset, count: int) -> list:
    return list(itertools.islice(stream.as_numpy_iterator(), count))


def assert_same(one, two) -> None:
    for a, b in zip(one, two, strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, y)


# ---------------------------------------------------------------- what is written


def test_any_reader_of_tfrecords_finds_every_pair_once(made):
    features = {
        name: tf.io.FixedLenFeature([], kind)
        for name, kind in {
            "identity": tf.string,
            "photo": tf.string,
            "photo_height": tf.int64,
            "photo_width": tf.int64,
            "sketch": tf.string,
            "sketch_height": tf.int64,
            "sketch_width": tf.int64,
        }.items()
    }
    expected = {pair.identity: [] for pair in find_pairs(made).pairs}
    for pair in find_pairs(made).pairs:
        expected[pair.identity].append((read_image(pair.photo), read_image(pair.sketch)))
    files = sorted(map(str, (made / "tfrecords").glob("*.tfrecord")))
    assert [Path(file).name for file in files] == [
        f"{split}-{i:05d}-of-00003.tfrecord" for split in ("test", "train") for i in range(3)
    ]
    for file in files:
        for record in tf.data.TFRecordDataset(file).as_numpy_iterator():
            values = tf.io.parse_single_example(record, features)
            photo, sketch = (tf.io.decode_image(values[side]).numpy() for side in ("photo", "sketch"))
            assert photo.shape == (values["photo_height"], values["photo_width"], 3)
            assert sketch.shape == (values["sketch_height"], values["sketch_width"], 3)
            same = expected[values["identity"].numpy().decode()]
            [found] = [i for i, (p, s) in enumerate(same) if np.array_equal(p, photo) and np.array_equal(s, sketch)]
            same.pop(found)
    assert not any(expected.values())


def test_the_index_tells_counts_split_lengths_and_hashes(made):
    index = json.loads((made / "tfrecords/index.json").read_text())
    assert index["splits"] == {
        "train": {"pairs": 14, "people": 9, "pairs_per_shard": [5, 5, 4]},
        "test": {"pairs": 3, "people": 3, "pairs_per_shard": [1, 1, 1]},
    }
    assert index["split_sha256"] == split_hash(find_pairs(made).pairs)
    for shard in index["shards"]:
        data = (made / "tfrecords" / shard["file"]).read_bytes()
        assert len(data) == shard["bytes"] and hashlib.sha256(data).hexdigest() == shard["sha256"]
        assert len(shard["identities"]) == len(shard["sizes"]) == len(shard["offsets"])
    assert read_index(made / "tfrecords").pairs()[0].identity == find_pairs(made).pairs[0].identity


def test_an_own_folder_gets_shards_without_being_copied_and_odd_formats_become_png(tmp_path):
    own = own_pairs(tmp_path / "own")
    before = {path: path.read_bytes() for path in own.glob("*/*.*")}
    odd = own / "photos/train00.png"
    odd.write_bytes(cv2.imencode(".tiff", cv2.imread(str(odd)))[1].tobytes())  # a TIFF under the name of a PNG
    grey = own / "sketches/train02.png"
    cv2.imwrite(str(grey), cv2.imread(str(grey))[..., 0])
    assert prepare("pairs", own, own, "--shards", 2) == 0
    assert all(path.read_bytes() == data for path, data in before.items() if path not in (odd, grey))
    faces, streamed = faces_of(own, "images"), faces_of(own, "tfrecord")
    assert_same([faces.fitting.sums], [streamed.fitting.sums])
    stored = b"".join(path.read_bytes() for path in (own / "tfrecords").glob("*.tfrecord"))
    for path in before:
        assert (path.read_bytes() in stored) == (path != odd), path  # JPEG and PNG as they are
    assert prepare("pairs", own, own, "--shards", 2, "--force") == 2


def test_interrupted_between_shards_the_same_command_goes_on(tmp_path, monkeypatch, capsys):
    command = ("pairs", own_pairs(tmp_path / "own"), tmp_path / "out", "--shards", 3)
    write = shard_writing.write_records

    def fails(path, records):
        if path.name == "train-00002-of-00003.tfrecord":
            next(iter(records))
            raise OSError("No space left on device")
        return write(path, records)

    monkeypatch.setattr(shard_writing, "write_records", fails)
    assert prepare(*command) == 2
    assert "train-00002-of-00003.tfrecord" in capsys.readouterr().err
    folder = tmp_path / "out/tfrecords"
    assert not (folder / "index.json").exists()
    with pytest.raises(UserError, match="holds no tfrecords/index.json"):
        faces_of(tmp_path / "out", "tfrecord")
    first = (folder / "train-00000-of-00003.tfrecord").stat().st_mtime_ns
    monkeypatch.undo()
    assert prepare(*command) == 0
    said = capsys.readouterr().out
    assert said.count("was there") == 2 and "is prepared" in said
    assert (folder / "train-00000-of-00003.tfrecord").stat().st_mtime_ns == first
    assert sorted(path.suffix for path in folder.iterdir()) == [".json", *[".tfrecord"] * 6]
    assert prepare(*command) == 0 and capsys.readouterr().out.count("was there") == 6
    assert prepare(*command[:-1], 2) == 0  # another number replaces
    assert len(list(folder.glob("*.tfrecord"))) == 4 and len(read_index(folder).pairs()) == 17


def test_a_changed_image_or_a_damaged_shard_is_written_anew(copy, capsys):
    photo = copy / "photos/train03.png"
    cv2.imwrite(str(photo), 255 - cv2.imread(str(photo)))
    shard = copy / "tfrecords/test-00001-of-00003.tfrecord"
    shard.write_bytes(shard.read_bytes()[:-1] + b"x")
    assert prepare("pairs", copy, copy, "--shards", 3) == 0
    assert capsys.readouterr().out.count("was there") == 4
    faces, streamed = faces_of(copy, "images"), faces_of(copy, "tfrecord")
    assert_same(
        [faces.fitting.sums, faces.test.original_photos], [streamed.fitting.sums, streamed.test.original_photos]
    )


# ---------------------------------------------------------------- the same as in memory


@pytest.mark.parametrize("fit", ["squeeze", "pad"])
def test_faces_are_the_same_as_from_images(made, fit):
    one, two = faces_of(made, "images", fit=fit), faces_of(made, "tfrecord", fit=fit)
    assert one.counts() == two.counts() and one.split_hash == two.split_hash and one.image_shape == two.image_shape
    for part in ("validation", "test", "fitting"):
        assert getattr(one, part).identities == getattr(two, part).identities
    for part in ("validation", "test"):
        a, b = getattr(one, part), getattr(two, part)
        assert_same(
            [a.photos, a.sketches, a.original_photos, a.original_sketches],
            [b.photos, b.sketches, b.original_photos, b.original_sketches],
        )
    np.testing.assert_array_equal(one.fitting.labels, two.fitting.labels)
    for side, mean in one.mean_training_images().items():
        everything = np.concatenate([getattr(one.fitting, side), getattr(one.validation, side)])
        np.testing.assert_array_equal(mean, everything.mean(0))
        np.testing.assert_array_equal(mean, two.mean_training_images()[side])


def test_native_size_and_a_size_that_needs_no_fitting(tmp_path):
    own = own_pairs(tmp_path / "own", size=lambda number: (32, 26))
    assert prepare("pairs", own, own, "--shards", 1) == 0
    for settings in (dict(fit="native"), dict(fit="squeeze", height=32, width=28)):
        one, two = faces_of(own, "images", **settings), faces_of(own, "tfrecord", **settings)
        assert one.image_shape == two.image_shape == (32, 28, 3)
        assert_same(take(streams(one.fitting)[0](0), 5), take(streams(two.fitting)[0](0), 5))


def streams(pairs) -> list:
    """Each kind of stream as a function of its first step (and its worker)."""
    both, twice = joined([pairs.photos, pairs.sketches]), np.tile(pairs.labels, 2)
    sources = [(pairs.photos, pairs.labels), (pairs.sketches, pairs.labels)]
    common = dict(seed=7, augmentation=RICH)
    return [
        lambda start, **more: paired_stream(pairs.photos, pairs.sketches, batch=4, start_step=start, **common, **more),
        lambda start, **more: paired_stream(
            pairs.photos, pairs.sketches, batch=2, together=False, start_step=start, **common, **more
        ),
        lambda start, **more: labelled_stream(both, twice, batch=4, start_step=start, **common, **more),
        lambda start, **more: identity_stream(sources, people=4, images=3, start_step=start, **common, **more),
    ]


@pytest.mark.parametrize("kind", range(4), ids=["paired", "paired apart", "labelled", "identities"])
@pytest.mark.parametrize("start", [0, 5])
def test_streamed_batches_are_those_from_memory_bit_for_bit(made, kind, start):
    one, two = (streams(faces_of(made, form).fitting)[kind] for form in ("images", "tfrecord"))
    assert_same(take(one(start), 9), take(two(start), 9))


@pytest.mark.parametrize("kind", range(4), ids=["paired", "paired apart", "labelled", "identities"])
def test_workers_together_see_the_batches_of_one_and_no_sample_twice(made, kind):
    stream = streams(faces_of(made, "tfrecord").fitting)[kind]
    shares = [take(stream(3, worker=Worker(number, 2)), 6) for number in range(2)]
    for whole, *parts in zip(take(stream(3), 6), *shares, strict=True):
        assert_same([whole], [[np.concatenate(part) for part in zip(*parts)]])


def test_a_batch_that_workers_cannot_share_is_refused(made):
    fitting = faces_of(made, "tfrecord").fitting
    with pytest.raises(UserError, match="batch of 4 .* 3 workers"):
        streams(fitting)[0](0, worker=Worker(1, 3))
    with pytest.raises(ValueError, match="worker 2 of 2"):
        Worker(2, 2)


def test_a_stream_started_later_reads_nothing_of_what_it_skips(copy):
    fitting = faces_of(copy, "tfrecord").fitting
    epoch = len(fitting)

    def stream(start):
        return paired_stream(
            fitting.photos, fitting.sketches, batch=1, seed=2, augmentation=Augmentation(), start_step=start
        )

    photos = [fitting.images(tf.constant(i, tf.int64))[0].numpy() / 127.5 - 1 for i in range(epoch)]
    first = take(stream(0), 1)[0][0][0]
    [number] = [i for i, photo in enumerate(photos) if np.abs(photo - first).max() < 1e-6]
    record = fitting.numbers[number]
    shard = copy / "tfrecords" / fitting.index.shards[fitting.index.shard_numbers[record]].file
    data = bytearray(shard.read_bytes())
    data[fitting.index.offsets[record] + 100] ^= 1
    shard.write_bytes(data)
    assert len(take(stream(1), epoch - 1)) == epoch - 1
    with pytest.raises(UserError, match=f"{shard.name}' is damaged: its SHA-256"), fitting.reading():
        take(stream(0), 1)


# ---------------------------------------------------------------- synthesised partners on the disk


def test_only_the_partners_that_fine_tuning_asks_for_are_made_and_kept(made, tmp_path):
    calls = []

    def generator(images):
        calls.append(len(images))
        return tf.convert_to_tensor(images) * -0.5

    one, two = (faces_of(made, form).fitting for form in ("images", "tfrecord"))
    settings = FinetuneConfig(steps=2, people=2, images=2)
    folder = tmp_path / "fakes"

    def batches(pairs):
        with synthesised_partners(generator, pairs.sketches, pairs.labels, settings, 5, folder) as fakes:
            return take(
                identity_stream(
                    [(pairs.photos, pairs.labels), (fakes, pairs.labels)], people=2, images=2, seed=5, augmentation=RICH
                ),
                settings.steps,
            )

    from_memory = batches(one)
    assert sum(calls) == len(one) and not folder.exists()
    calls.clear()
    assert_same(from_memory, batches(two))
    assert 2 <= sum(calls) <= 4 < len(two)  # two people in each of two batches, one synthesised image each
    calls.clear()
    assert_same(from_memory, batches(two))
    assert calls == []  # they were there
    data = bytearray((folder / "images.tfrecord").read_bytes())
    data[40] ^= 1
    (folder / "images.tfrecord").write_bytes(data)
    assert_same(from_memory, batches(two))
    assert sum(calls) >= 2  # made anew


def test_partners_damaged_while_they_are_read_are_named(made, tmp_path):
    pairs = faces_of(made, "tfrecord").fitting
    with pytest.raises(UserError, match="images.tfrecord is damaged; the same command writes it anew"):
        with synthesised_partners(
            lambda images: tf.convert_to_tensor(images),
            pairs.photos,
            pairs.labels,
            FinetuneConfig(steps=2, people=2, images=2),
            5,
            tmp_path / "fakes",
        ) as fakes:
            (tmp_path / "fakes/images.tfrecord").write_bytes(b"")
            stored = np.array(json.loads((tmp_path / "fakes/index.json").read_text())["numbers"])
            fakes(tf.constant(stored[0]))


def test_synthesised_images_are_rounded_and_clipped():
    images = np.array([0, 100, 255], np.uint8)[None, None, :, None] * np.ones([9, 4, 1, 3], np.uint8)
    result = synthesised(lambda some: tf.convert_to_tensor(some) * 1.5, images)
    assert result.dtype == np.uint8 and result.shape == images.shape
    assert result[8, 0, :, 0].tolist() == [0, round((1.5 * (100 / 127.5 - 1) + 1) * 127.5), 255]


# ---------------------------------------------------------------- what is refused


def edit(folder: Path, change) -> None:
    path = folder / "tfrecords/index.json"
    index = json.loads(path.read_text())
    change(index)
    path.write_text(json.dumps(index))


def rehash(index: dict) -> None:
    """The split's hash of what the index now lists, as one would who edits on purpose."""
    from iacyclegan_tf.data.shards.entry import Shard

    index["split_sha256"] = split_hash([pair for shard in index["shards"] for pair in Shard(**shard).pairs()])


def shift(index: dict) -> None:
    index["shards"][0]["offsets"][1] += 1


def rename(index: dict) -> None:
    index["shards"][0]["identities"][0] = index["shards"][0]["identities"][1] = "stranger"
    index["splits"]["train"]["people"] = len(
        {name for shard in index["shards"] if shard["split"] == "train" for name in shard["identities"]}
    )
    rehash(index)


def resize(index: dict) -> None:
    index["shards"][0]["sizes"] = [[80, 60, 80, 60]] * len(index["shards"][0]["sizes"])


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda index: index.update(format="x"), "index.json' is no index of shards"),
        (lambda index: index.pop("shards"), "index.json' is no index of shards"),
        (lambda index: index["shards"][0].pop("sizes"), "other fields"),
        (lambda index: index["shards"][0]["identities"].pop(), "lists are not equally long"),
        (lambda index: index["shards"].pop(), "contradicts itself .splits, split_sha256"),
        (lambda index: index["splits"]["train"].update(pairs=15), "contradicts itself .splits"),
        (lambda index: index["shards"][0]["identities"].__setitem__(0, "test-14"), "contradicts itself"),
        (lambda index: index["shards"][0].update(file="../x-00000-of-00001.tfrecord"), "name or split is not allowed"),
        (lambda index: index["shards"][0]["sizes"].__setitem__(0, [10**5, 10**5, 1, 1]), "size is not within"),
        (lambda index: index["shards"][0]["offsets"].__setitem__(0, -5), "records do not follow"),
        (lambda index: index["shards"][0]["offsets"].__setitem__(1, 2**60), "records do not follow"),
        (lambda index: index["shards"][0]["identities"].__setitem__(0, "\ud800"), "is no text"),
        (lambda index: index["shards"][0].update(bytes=10**6), "train-00000-of-00003.tfrecord' has .* bytes"),
    ],
)
def test_a_wrong_index_is_refused_before_anything_is_read(copy, change, words):
    edit(copy, change)
    with pytest.raises(UserError, match=words):
        faces_of(copy, "tfrecord")


@pytest.mark.parametrize(
    "change, words",
    [
        (shift, "records start elsewhere"),
        (rename, "does not fit its shards. A record is not what the index says: an identity"),
        (resize, "does not fit its shards. A record is not what the index says: the size of an image"),
    ],
)
def test_an_index_that_lies_about_records_is_refused_when_they_are_read(copy, change, words):
    edit(copy, change)
    with pytest.raises(UserError, match=words):
        fitting = faces_of(copy, "tfrecord", test_split="test").fitting
        with fitting.reading():
            take(streams(fitting)[0](0), 5)


@pytest.mark.parametrize(
    "damage, words",
    [
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:-7]), "truncated"),
        (lambda path: path.write_bytes(b""), "has 0 bytes"),
        (lambda path: path.write_bytes(path.read_bytes()[:-20] + b"y" * 20), "is damaged: its SHA-256"),
    ],
)
def test_a_damaged_shard_is_named(copy, damage, words):
    damage(copy / "tfrecords/test-00002-of-00003.tfrecord")
    with pytest.raises(UserError, match=f"test-00002-of-00003.tfrecord' .*{words}"):
        faces_of(copy, "tfrecord")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, '{"format": 1}', "\xff"])
def test_an_index_that_is_none_is_refused(copy, text):
    (copy / "tfrecords/index.json").write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match="index.json"):
        faces_of(copy, "tfrecord")


def test_settings_are_checked_against_the_index(made, tmp_path):
    with pytest.raises(UserError, match="data.fit is native, but in .*index.json"):
        faces_of(made, "tfrecord", fit="native")
    with pytest.raises(UserError, match="'trian'"):
        faces_of(made, "tfrecord", train_split="trian")
    with pytest.raises(UserError, match="holds no tfrecords/index.json"):
        faces_of(tmp_path, "tfrecord")
    with pytest.raises(UserError, match="fitting part|all are held out"):
        faces_of(made, "tfrecord", validation_share=0.89)


def test_a_split_file_overrules_the_splits_of_the_index(made, tmp_path):
    names = tmp_path / "split.yaml"
    names.write_text(
        "train: [person-0é, person-1é, person-2é, person-3é, test-14, test-15]\ntest: [person-4é, person-5é]\n",
        encoding="utf-8",
    )
    one, two = (faces_of(made, form, split_file=str(names)) for form in ("images", "tfrecord"))
    assert one.counts() == two.counts() and one.split_hash == two.split_hash
    assert set(one.test.identities) == set(two.test.identities) == {"person-4é", "person-5é"}
    assert any("not named in the split file" in note for note in two.notes)


def test_notes_tell_what_is_streamed_and_what_is_held(made):
    notes = read_shards(
        DataConfig(source="pairs", root=str(made), height=32, width=24), 3, lambda items, words, total: items
    ).notes
    assert notes[0].startswith("17 pairs (test 3, train 14)") and "streamed from 6 shards" in notes[-1]
