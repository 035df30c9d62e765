"""A bigger gallery: reading, scores in the four ways, and curves that start at the table's numbers."""

import cv2
import numpy as np
import pytest
from test_recognition_rates import MATCHER, pictures

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.evaluation.distractors import distractor_scores, find_distractors, gallery_size_curves
from iacyclegan_tf.evaluation.matching import WAYS, Matcher, match
from iacyclegan_tf.evaluation.recognition_rates import recognition


def silent(items, words, total):
    items = list(items)
    assert len(items) == total, words
    return items


@pytest.fixture
def folder(tmp_path):
    """70 photos, more than one chunk, in two folders and two sizes; and a network drive's thumbnail."""
    for i, image in enumerate([*pictures(65, 11), *pictures(5, 12, 30, 30)]):
        path = tmp_path / "others" / f"s{i % 2}" / f"{i:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), image[..., ::-1])
    (tmp_path / "others/s1/@eaDir").mkdir()
    (tmp_path / "others/s1/@eaDir/thumb.png").write_bytes(path.read_bytes())
    return tmp_path / "others"


def test_scores_and_curves(folder):
    paths, notes = find_distractors(folder, silent)
    assert len(paths) == 70 and paths == sorted(paths)
    assert notes == ["left out, hidden or made by a system: @eaDir"]
    matcher = Matcher(
        lambda images: [255 - image for image in images],
        None,
        MATCHER.embed_initial,
        MATCHER.embed_photo,
        MATCHER.embed_sketch,
    )
    sketches, photos, fake_photos = pictures(6, 1), pictures(6, 2), pictures(6, 3)
    enrolled = match(matcher, sketches, photos, fake_photos, matcher.to_sketch(photos))
    scores = distractor_scores(matcher, paths, sketches, fake_photos, enrolled, silent)

    others = [cv2.imread(str(path))[..., ::-1] for path in paths]
    expected = match(matcher, sketches, others, fake_photos, [255 - image for image in others])
    for way in ("none", "photo", "sketch"):
        np.testing.assert_allclose(scores[way], expected[way], atol=1e-12)
    one = expected["photo"][2, 5], expected["sketch"][2, 5]
    assert scores["fusion"][2, 5] == pytest.approx(
        sum((score - enrolled[way].mean()) / enrolled[way].std() for score, way in zip(one, ("photo", "sketch")))
    )
    people = list("abcdef")
    curves = gallery_size_curves(enrolled, scores, people)
    for way in WAYS:
        curve = curves[way]["rank1"]
        assert curve["size"] == [6, 12, 24, 48, 76] and (np.diff(curve["mean"]) <= 1e-12).all()
        assert curve["mean"][0] == pytest.approx(recognition(enrolled[way], people, people)["rank1"])
        everyone = np.concatenate([enrolled[way], scores[way]], axis=1)
        found = [row[i] > np.delete(row, i).max() for i, row in enumerate(everyone)]
        assert curve["mean"][-1] == pytest.approx(np.mean(found))


def test_unreadable_files_are_all_named_before_any_work(folder):
    (folder / "s0" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    whole = (folder / "s1" / "01.png").read_bytes()
    (folder / "s1" / "cut.png").write_bytes(whole[: len(whole) // 2])  # its header is fine
    (folder / "notes.txt").write_text("no image")
    (folder / "gone.png").symlink_to(folder / "nowhere")
    with pytest.raises(UserError, match="4 of 74 distractors") as refusal:
        find_distractors(folder, silent)
    assert all(name in str(refusal.value) for name in ("broken.jpg", "cut.png", "notes.txt", "gone.png"))


def test_no_folder_and_no_image(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        find_distractors(tmp_path / "nowhere", silent)
    with pytest.raises(UserError, match="holds no image"):
        find_distractors(tmp_path, silent)
