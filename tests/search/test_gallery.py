"""Galleries of photos on models that are known: build, go on, add, remove; searches are those of ``matching.py``."""

import csv
import hashlib
import io
import json
import shutil
import unicodedata
from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from iacyclegan_tf import Gallery
from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.tables import print_table
from iacyclegan_tf.evaluation.matching import Matcher, match
from iacyclegan_tf.inference.given_image import decoded
from iacyclegan_tf.inference.trained import Trained
from iacyclegan_tf.search import photo_files
from iacyclegan_tf.search.contact_strip import TILE, contact_strip
from iacyclegan_tf.search.gallery import Gallery as FromItsModule
from iacyclegan_tf.search.ranked_list import as_csv, as_json, table
from iacyclegan_tf.search.search_result import LEAD, stored_photo
from iacyclegan_tf.serving.signatures import CALIBRATION, SERVABLES

HEIGHT, WIDTH, LENGTH = 10, 8, {"photo": 12, "sketch": 9}


class KnownModels(Trained):
    """Pixels through fixed random matrices; a sketch is the photo's negative. Remembers how many photos it embedded."""

    def __init__(self, folder: Path, seed: int = 0):
        super().__init__("known", 3, {servable: folder / servable for servable in SERVABLES})
        self.seed, self.embedded = seed, 0

    def fingerprint(self, servable):
        return f"{servable} {self.seed}"

    def _call(self, servable, images):
        pixels = [decoded(image)[0] for image in images]
        if not servable.endswith("recognizer"):
            return [255 - image for image in pixels]
        of = servable.removesuffix("_recognizer")
        self.embedded += len(images) if of == "photo" else 0
        weights = np.random.default_rng((self.seed, len(of))).normal(size=(3, LENGTH[of]))
        vectors = (
            np.stack([(image.reshape(-1, 3) / 255 - 0.5).std(0) + image.mean((0, 1)) / 255 for image in pixels])
            @ weights
        )
        return list((vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32))


def picture(number: int) -> np.ndarray:
    random = np.random.default_rng(number)
    return random.integers(random.integers(0, 90, 3), random.integers(100, 256, 3), (HEIGHT, WIDTH, 3)).astype(np.uint8)


def name(number: int) -> str:
    return f"{'a' if number % 2 else 'b'}/{number}.png"


@cache
def encoded(number: int) -> bytes:
    return cv2.imencode(".png", picture(number)[..., ::-1])[1].tobytes()


def write_png(path: Path, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(number))


def write(folder: Path, numbers) -> Path:
    for number in numbers:
        write_png(folder / name(number), number)
    return folder


@pytest.fixture
def models(tmp_path) -> KnownModels:
    return KnownModels(tmp_path / "models")


@pytest.fixture
def photos(tmp_path) -> Path:
    return write(tmp_path / "photos", range(40))


@pytest.fixture
def gallery(photos, tmp_path, models) -> Gallery:
    made, added = Gallery.build(photos, tmp_path / "index", models)
    assert (added.added, added.unchanged, added.bad, added.notes, len(made)) == (40, 0, (), (), 40)
    return made


def test_the_class_is_one_of_the_public_names():
    import iacyclegan_tf

    assert Gallery is FromItsModule and "Gallery" in iacyclegan_tf.__all__


# ---------------------------------------------------------------- search


@pytest.mark.parametrize("by", ["fusion", "photo", "sketch"])
def test_a_search_gives_what_evaluation_gives(gallery, models, by):
    """Scores of ``match`` for one probe; ranks by sorting all of them."""
    probe, pictures = picture(1000), [picture(number) for number in range(40)]
    of_photos, of_sketches = (lambda images, of=of: models.embed(list(images), of=of) for of in ("photo", "sketch"))
    matcher = Matcher(models.to_sketch, models.to_photo, of_photos, of_photos, of_sketches)
    scores = match(matcher, [probe], pictures, models.to_photo([probe]), models.to_sketch(pictures))
    result = gallery.search(probe, top=7, by=by)
    order = sorted(range(40), key=lambda i: -scores[by][0, i])[:7]
    assert [one.name for one in result.candidates] == [name(i) for i in order]
    assert [one.rank for one in result.candidates] == [*range(1, 8)] and result.searched == 40 and result.by == by
    for one, i in zip(result.candidates, order):
        for way in ("photo", "sketch", "fusion"):
            assert getattr(one, way) == pytest.approx(scores[way][0, i], abs=1e-5)
    np.testing.assert_array_equal(result.synthesized[0], 255 - probe)


def test_several_sketches_rank_by_the_means_of_their_cosines(gallery):
    probes = [picture(3), picture(1000), picture(1001)]
    alone = [{one.name: one for one in gallery.search(probe, top=40).candidates} for probe in probes]
    result = gallery.search(probes, top=40)
    for one in result.candidates:
        for way in ("photo", "sketch"):
            wanted = np.mean([getattr(found[one.name], way) for found in alone])
            assert getattr(one, way) == pytest.approx(wanted, abs=1e-5)
    assert len(result.probes) == len(result.synthesized) == 3
    assert result.about["probe_sha256"].split("; ") == [hashlib.sha256(probe.tobytes()).hexdigest() for probe in probes]


def test_the_top_may_be_more_than_there_are(gallery):
    assert [one.rank for one in gallery.search(picture(3), top=100).candidates] == [*range(1, 41)]


def test_one_photo_alone_and_none(tmp_path, models):
    gallery, _ = Gallery.build(write(tmp_path / "one", [5]), tmp_path / "index", models)
    (one,) = gallery.search(picture(5)).candidates
    assert one.fusion == 0 and one.name == "a/5.png"
    gallery.remove(["a/5.png"])
    with pytest.raises(UserError, match="holds no photo, so there is nothing to search"):
        gallery.search(picture(5))


def test_wrong_questions_are_refused(gallery, tmp_path):
    for wrong in ({"top": 0}, {"by": "none"}):
        with pytest.raises(UserError, match="needs a top of at least 1 and one of fusion, photo, sketch"):
            gallery.search(picture(1), **wrong)
    (tmp_path / "text.png").write_text("text")
    with pytest.raises(UserError, match=r"text.png' cannot be decoded"):
        gallery.search(tmp_path / "text.png")


def test_a_sketch_in_the_home_folder_is_found(gallery, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write_png(tmp_path / "sketch.png", 7)
    about = gallery.search("~/sketch.png", top=1).about
    assert about["probe"] == "~/sketch.png" and about["probe_sha256"] == hashlib.sha256(encoded(7)).hexdigest()


def test_searches_with_other_models_are_refused(gallery, tmp_path):
    with pytest.raises(
        UserError, match=r"was built with known 3, and known 3 has another photo_to_sketch.* cannot be compared"
    ):
        Gallery.open(tmp_path / "index", KnownModels(tmp_path / "models", seed=1))
    assert len(Gallery.open(tmp_path / "index", KnownModels(tmp_path / "copied elsewhere"))) == 40


# ---------------------------------------------------------------- build, add, remove


def test_names_and_checksums_are_those_of_the_files(gallery, photos):
    entries = gallery.store.snapshot().entries
    assert {entry.name: (entry.sha256, entry.source) for entry in entries} == {
        name(number): (hashlib.sha256((photos / name(number)).read_bytes()).hexdigest(), str(photos / name(number)))
        for number in range(40)
    }


def test_the_same_command_embeds_what_is_new_or_changed_only(gallery, photos, models, tmp_path):
    write_png(photos / name(4), 400)
    write(photos, [40])
    (photos / name(6)).unlink()
    before = models.embedded
    again, added = Gallery.build(photos, tmp_path / "index", models)
    assert (added.added, added.unchanged, len(again)) == (2, 38, 41) and models.embedded == before + 2
    best = again.search(255 - picture(400), top=1, by="photo").candidates[0]
    assert best.name == name(4) and best.photo == pytest.approx(1)
    assert gallery.search(255 - picture(400), top=1).candidates[0].name == name(4)  # an open one sees it, too


def test_photos_that_moved_are_found_again(gallery, photos, models, tmp_path):
    shutil.move(photos, tmp_path / "moved")
    before = models.embedded
    again, added = Gallery.build(tmp_path / "moved", tmp_path / "index", models)
    assert (added.added, added.unchanged) == (0, 40) and models.embedded == before
    assert {Path(entry.source).parents[1] for entry in again.store.snapshot().entries} == {tmp_path / "moved"}


def test_a_build_that_was_stopped_goes_on(photos, tmp_path, models):
    def stop(done, total):
        assert total == 40
        if done == 16:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Gallery.build(photos, tmp_path / "index", models, stop)
    assert len(Gallery.open(tmp_path / "index", models)) == 16
    gallery, added = Gallery.build(photos, tmp_path / "index", models)
    assert (added.added, added.unchanged, len(gallery)) == (24, 16, 40)
    assert gallery.search(255 - picture(39), top=1, by="photo").candidates[0].name == name(39)


def test_every_file_below_the_folder_is_added_or_named(photos, tmp_path, models):
    """What holds an image is read whatever its suffix; what systems make is left out, and said."""
    (photos / "text.png").write_text("text")
    (photos / "cut.png").write_bytes((photos / name(1)).read_bytes()[:60])
    (photos / "notes.txt").write_text("text")
    write_png(photos / "tab\t.png", 50)
    for odd in ("face.jfif", "no suffix", "c/face.JPE"):
        write_png(photos / odd, 60)
    for left_out in (".hidden.png", "@eaDir/a.png", "c/__MACOSX/a.png"):
        write_png(photos / left_out, 70)
    gallery, added = Gallery.build(photos, tmp_path / "index", models)
    assert added.added == 43 and {"face.jfif", "no suffix", "c/face.JPE"} < set(gallery.store.snapshot().names)
    wrong = (
        "notes.txt' holds no image",
        "cut.png' cannot be decoded",
        r"tab\t.png' cannot be the name",
        "text.png' cannot",
    )
    assert len(added.bad) == 4 and all(words in "".join(added.bad) for words in wrong)
    (note,) = added.notes
    assert all(words in note for words in (".hidden.png", "@eaDir", "__MACOSX"))


def test_a_folder_that_cannot_be_looked_into_is_named(photos, tmp_path, models, monkeypatch):
    """Root, who runs some tests, may look into every one."""
    walk = photo_files.walk_images
    closed = {photos / "closed": "Permission denied"}
    monkeypatch.setattr(photo_files, "walk_images", lambda folder: replace(walk(folder), unreadable=closed))
    _, added = Gallery.build(photos, tmp_path / "index", models)
    assert added.added == 40 and added.bad == (f"'{photos}/closed' cannot be read: Permission denied.",)


def test_names_have_one_form(tmp_path, models):
    """macOS writes é as e and an accent, others as one character."""
    apart, whole = (unicodedata.normalize(form, "José.png") for form in ("NFD", "NFC"))
    write_png(tmp_path / "photos" / apart, 1)
    gallery, _ = Gallery.build(tmp_path / "photos", tmp_path / "index", models)
    assert gallery.store.snapshot().names == (whole,)
    write_png(tmp_path / "other" / whole, 1)
    assert gallery.add([tmp_path / "other" / whole]).unchanged == 1
    np.testing.assert_array_equal(stored_photo(gallery.search(picture(1)).candidates[0]), picture(1))
    write_png(tmp_path / "photos" / whole, 2)
    with pytest.raises(UserError, match="Two photos would have the name 'José"):
        gallery.add([tmp_path / "photos"])
    gallery.remove([apart])
    assert len(gallery) == 0


def test_add_takes_files_and_folders_but_no_name_twice(gallery, photos, tmp_path):
    more = write(tmp_path / "more", [51, 53])
    assert gallery.add([more, more / "a/51.png"]).added == 3  # a/51.png, a/53.png, 51.png
    write_png(tmp_path / "other/51.png", 99)
    with pytest.raises(
        UserError, match=r"1 names are taken by other photos .* nothing was added; the first is '51.png'"
    ):
        gallery.add([tmp_path / "other/51.png"])
    with pytest.raises(UserError, match=r"Two photos would have the name '51.png'"):
        gallery.add([tmp_path / "other/51.png", more / "a/51.png"])
    for place, words in ((tmp_path / "nothing", "is not there"), (tmp_path / "models", "is not there")):
        with pytest.raises(UserError, match=words):
            gallery.add([place])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty holds no image"):
        gallery.add([tmp_path / "empty"])
    assert len(gallery) == 43


def test_what_was_removed_is_not_found(gallery):
    probe = 255 - picture(8)
    assert gallery.search(probe, 1).candidates[0].name == name(8)
    gallery.remove([name(8)])
    found = [one.name for one in gallery.search(probe, 100).candidates]
    assert len(found) == 39 and name(8) not in found


# ---------------------------------------------------------------- what is shown


def calibration(limit: float) -> dict:
    return {
        "people": 25,
        "statistics": {"photo": {"mean": 0.5, "deviation": 0.25}, "sketch": {"mean": 0.5, "deviation": 0.5}},
        "thresholds": {
            **{
                way: {"0.01": {"threshold": limit, "true_accept_rate": 0.5}, "0.001": {"refused": "Too few."}}
                for way in ("photo", "sketch")
            },
            "fusion": {"0.01": {"threshold": 2.0}, "0.001": {"threshold": 2.5}},
        },
    }


@pytest.fixture
def calibrated(photos, tmp_path, models) -> Gallery:
    for servable in ("photo_recognizer", "sketch_recognizer"):
        folder = tmp_path / "models" / servable / "assets.extra"
        folder.mkdir(parents=True)
        (folder / CALIBRATION).write_text(json.dumps(calibration(0.9)))
    return Gallery.build(photos, tmp_path / "index", models)[0]


def test_scores_are_held_against_the_thresholds(calibrated):
    result = calibrated.search(255 - picture(7), top=40)
    for one in result.candidates:
        expected = (one.photo - 0.5) / 0.25 + (one.sketch - 0.5) / 0.5
        assert one.calibrated == pytest.approx(expected)
        assert one.far == {
            "photo": 0.01 if one.photo > 0.9 else None,
            "sketch": 0.01 if one.sketch > 0.9 else None,
            "fusion": 0.001 if expected > 2.5 else 0.01 if expected > 2 else None,
        }
    assert len({one.far["fusion"] for one in result.candidates}) > 1
    assert result.sentences[0] == LEAD and "lead, not an identification" in LEAD
    assert "at FAR 1 % chance alone puts about 0.4 of these 40 photos, by fusion" in result.sentences[1]
    assert "Too few." in calibrated.search(picture(7), by="photo").sentences


def test_models_without_calibration_say_so(gallery, tmp_path, models):
    result = gallery.search(picture(7), top=2)
    assert result.sentences[0] == LEAD and "known 3 carry no calibration of one round" in result.sentences[1]
    assert all(one.calibrated is None and set(one.far.values()) == {None} for one in result.candidates)
    folder = tmp_path / "models/photo_recognizer/assets.extra"  # of one recognizer alone
    folder.mkdir(parents=True)
    (folder / CALIBRATION).write_text(json.dumps(calibration(0.9)))
    assert Gallery.open(tmp_path / "index", models).calibration is None


def test_table_csv_and_json_say_the_same(calibrated):
    result = calibrated.search(255 - picture(7), top=5)
    rows = list(csv.DictReader(io.StringIO(as_csv(result))))
    values = json.loads(as_json(result, {"name": "known"}))
    shown = table(result)
    assert shown.notes == tuple(values["sentences"]) == result.sentences and len(rows) == len(shown.rows) == 5
    assert values["calibration"] == calibration(0.9) and values["gallery_photos"] == 40 and values["by"] == "fusion"
    for one, row, value, cells in zip(result.candidates, rows, values["candidates"], shown.rows):
        assert row["name"] == value["name"] == one.name and row["sha256"] == one.sha256
        for way in ("fusion", "photo", "sketch", "calibrated"):
            assert float(row[way]) == value[way] == getattr(one, way)
        assert float(row["far_fusion"] or 1) == (value["far_fusion"] or 1) == (one.far["fusion"] or 1)
        assert cells[:3] == (str(one.rank), one.name, f"{one.fusion:.3f}")
        assert cells[-1] == {None: "none", 0.01: "FAR 1 %", 0.001: "FAR 0.1 %"}[one.far["fusion"]]


def test_names_with_brackets_are_shown_as_they_are(gallery):
    from rich.console import Console

    result = gallery.search(picture(7), top=1)
    shown = table(replace(result, candidates=(replace(result.candidates[0], name="face[b].png"),)))
    written = io.StringIO()
    print_table(shown, Console(file=written, width=200))
    assert shown.rows[0][1] == "face[b].png" and " face[b].png " in written.getvalue()


def test_no_name_is_a_formula_to_a_spreadsheet(calibrated):
    """CSV injection: https://owasp.org/www-community/attacks/CSV_Injection. JSON keeps the names."""
    result = calibrated.search(picture(7), top=4)
    names = ("=1+1.png", "@SUM(A1).png", "-2.png", "plain=1.png")
    odd = replace(result, candidates=tuple(replace(one, name=name) for one, name in zip(result.candidates, names)))
    assert [row["name"] for row in csv.DictReader(io.StringIO(as_csv(odd)))] == [
        "'=1+1.png",
        "'@SUM(A1).png",
        "'-2.png",
        names[3],
    ]
    assert [one["name"] for one in json.loads(as_json(odd, {}))["candidates"]] == list(names)


def test_the_strip_shows_the_photos_that_were_added(gallery, photos):
    result = gallery.search(255 - picture(7), top=9)
    (photos / result.candidates[1].name).unlink()
    write_png(photos / result.candidates[2].name, 77)
    strip, missing = contact_strip(result)
    assert len(missing) == 2 and "cannot be read" in missing[0] and "is not the photo that was added" in missing[1]
    height, width = strip.shape[0] // 2, strip.shape[1] // 6

    def shown(place: int) -> np.ndarray:
        """The middle of a tile."""
        row, column = divmod(place, 6)
        return strip[row * 212 + 8 + TILE // 2 - 5 :, column * width + 8 + TILE // 2 - 5 :][:10, :10].mean((0, 1))

    assert strip.dtype == np.uint8 and height > 212  # two rows of tiles, and the sentences below
    first = picture(int(Path(result.candidates[0].name).stem))
    assert np.abs(shown(2) - first[4:6, 3:5].mean((0, 1))).max() < 25
    assert (
        np.abs(shown(0).sum() - shown(1).sum()) > 1 and np.ptp(shown(3)) < 5
    )  # probe, its photo; a photo not shown is gray
