"""Alignment: the similarity against an independent library, the crop against geometry, fiducial files."""

from pathlib import Path

import numpy as np
import pytest
from skimage.transform import estimate_transform

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.alignment.crop import TARGETS, align, outside_share, paste_back, similarity, suspicions
from iacyclegan_tf.data.alignment.eye_files import PointFiles, read_eyes, read_points


def inverse_points(scale: float, degrees: float, shift: tuple[float, float]) -> np.ndarray:
    """Points of an original whose crop needs the given similarity."""
    angle = np.radians(degrees)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (TARGETS - shift) @ np.linalg.inv(turn).T


@pytest.mark.parametrize("noise", [0.0, 4.0])
@pytest.mark.parametrize("count", [2, 3])
def test_similarity_agrees_with_scikit_image(count, noise):
    rng = np.random.default_rng(0)
    for _ in range(20):
        points = inverse_points(rng.uniform(0.2, 3), rng.uniform(-170, 170), tuple(rng.uniform(-200, 200, 2)))
        points = points[:count] + rng.normal(0, 1, (count, 2)) * noise
        other = estimate_transform("similarity", points, TARGETS[:count])
        np.testing.assert_allclose(similarity(points, TARGETS[:count]), other.params[:2], atol=1e-6)


def test_two_points_are_met_exactly():
    points = np.array([[467.2, 367.5], [597.2, 370.3]])
    matrix = similarity(points, TARGETS[:2])
    np.testing.assert_allclose(points @ matrix[:, :2].T + matrix[:, 2], TARGETS[:2], atol=1e-9)


@pytest.mark.parametrize("points", [[[5, 5], [5, 5]], [[np.nan, 1], [2, 2]], [[np.inf, 1], [2, 2]]])
def test_points_without_extent_are_refused(points):
    with pytest.raises(UserError, match="coincide or are not finite"):
        similarity(np.array(points, float), TARGETS[:2])


@pytest.mark.parametrize("scale, degrees", [(0.3, 12.0), (1.0, -25.0), (2.0, 5.0)])
def test_eyes_land_where_they_belong(scale, degrees):
    """White dots at the eyes of an original appear at (75, 125) and (125, 125)."""
    points = inverse_points(scale, degrees, (30.0, 40.0))
    points -= points.min(axis=0) - 60
    image = np.zeros((int(points[:, 1].max()) + 300, int(points[:, 0].max()) + 300, 3), np.uint8)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    for eye in points[:2]:
        distance = np.hypot(x - eye[0], y - eye[1]) * scale
        image += (200 * np.exp(-(distance**2) / 18))[..., None].astype(np.uint8)
    crop = align(image, similarity(points[:2], TARGETS[:2]), border=0)[..., 0].astype(float)
    assert crop.shape == (250, 200)
    for target in TARGETS[:2]:
        left, top = (target - 12).astype(int)
        window = crop[top : top + 25, left : left + 25]
        rows, columns = np.mgrid[top : top + 25, left : left + 25]
        centre = (columns * window).sum() / window.sum(), (rows * window).sum() / window.sum()
        np.testing.assert_allclose(centre, target, atol=0.1)


def test_identity_returns_the_crop_unchanged_and_border_fills_the_outside():
    crop = np.random.default_rng(1).integers(0, 256, (250, 200, 3)).astype(np.uint8)
    np.testing.assert_array_equal(align(crop, similarity(TARGETS, TARGETS), 0), crop)
    shifted = similarity(TARGETS - [0, 100], TARGETS)
    for border in (0, 255):
        assert np.all(align(crop, shifted, border)[:99] == border)
    assert outside_share(shifted, (250, 200)) == pytest.approx(0.4)
    assert outside_share(similarity(TARGETS, TARGETS), (250, 200)) == 0


def test_shrinking_does_not_alias():
    """Hatching of one-pixel lines becomes even gray, not moire."""
    image = np.zeros((1250, 1000, 3), np.uint8)
    image[:, ::2] = 255
    crop = align(image, similarity(TARGETS * 5, TARGETS), 0)[5:-5, 5:-5]
    assert np.abs(crop.astype(int) - 127).max() <= 2


@pytest.mark.parametrize(
    "points, size, words",
    [
        (TARGETS[:2], (250, 200), None),
        ([[300, 300], [310, 300]], (600, 600), "10.0 pixels apart"),
        ([[300, 300], [300, 400]], (600, 600), "rotated by -90 degrees"),
        ([[400, 300], [300, 300]], (600, 600), "rotated by 180 degrees"),
        ([[10, 10], [90, 10]], (300, 300), "lie outside the original"),
        ([[150, 250], [250, 250], [200, 300]], (600, 600), "miss their places"),
    ],
)
def test_suspicious_alignments_say_why(points, size, words):
    points = np.array(points, float)
    reasons = suspicions(similarity(points, TARGETS[: len(points)]), points, size)
    assert reasons == [] if words is None else any(words in reason for reason in reasons)


def dat_text(count: int = 35) -> str:
    return "version: 1\n{\n" + "".join(f"{10 * i} {10 * i + 1.5}\n" for i in range(count)) + "}\n"


def test_dat_takes_points_16_and_18_and_skips_other_lines(tmp_path):
    (tmp_path / "a.dat").write_text(dat_text().replace("\n", "\r\n"))
    np.testing.assert_array_equal(read_points(tmp_path / "a.dat"), [[160, 161.5], [180, 181.5]])


def test_pos_has_the_subjects_left_eye_first(tmp_path):
    (tmp_path / "a.tif.pos").write_text("320 210 180 205\n")
    np.testing.assert_array_equal(read_points(tmp_path / "a.tif.pos"), [[180, 205], [320, 210]])


def test_3pts_as_they_stand(tmp_path):
    (tmp_path / "a.3pts").write_text("\ufeff1.5 2\n3 4\n5 6\n", encoding="utf-8")
    np.testing.assert_array_equal(read_points(tmp_path / "a.3pts"), [[1.5, 2], [3, 4], [5, 6]])


@pytest.mark.parametrize(
    "name, text, words",
    [
        ("a.dat", dat_text(34), "must hold 35 points"),
        ("a.3pts", "1 2\n3 4\n", "three points"),
        ("a.3pts", "1 2\n3 4\nnan 1\n", "three points"),
        ("a.pos", "1 2 3\n", "two points in one line"),
        ("a.pos", "", "two points"),
        ("gone.dat", None, "cannot be read"),
    ],
)
def test_wrong_fiducial_files_are_named(name, text, words, tmp_path):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=f"{name}.*{words}"):
        read_points(tmp_path / name)


def point_files(*names: str) -> PointFiles:
    return PointFiles((name, Path("/photos/of/a/sketch/class") / name) for name in names)


@pytest.mark.parametrize(
    "files, image, side, expected",
    [
        (["points/F-005-01.DAT"], "f-005-01.jpg", "photo", "points/F-005-01.DAT"),
        (["photo_points/a.3pts", "sketch_points/a.3pts"], "a.jpg", "sketch", "sketch_points/a.3pts"),
        (["sketch_points/a.3pts"], "a.jpg", "photo", None),
        (
            ["photo_points/00001.3pts", "feret/00001fb010_930831.tif.pos"],
            "00001fb010_930831.tif",
            "photo",
            "feret/00001fb010_930831.tif.pos",
        ),
        (["photo_points/00001.3pts"], "00001fb010_930831.tif", "photo", "photo_points/00001.3pts"),
        (["points/00001.3pts"], "00001fb010_930831.tif", "photo", None),  # it may be the sketch's
        (["a.pos", "a.3pts"], "a.jpg", "photo", "a.3pts"),
    ],
)
def test_fiducial_file_of_an_image(files, image, side, expected):
    found = point_files(*files).find(Path(image), side)
    assert (found and found.relative_to("/photos/of/a/sketch/class").as_posix()) == expected


def test_two_fiducial_files_for_one_image_are_refused():
    with pytest.raises(UserError, match=r"x/a.dat' and .*y/a.dat' claim"):
        point_files("x/a.dat", "y/a.dat").find(Path("a.jpg"), "photo")


IMAGES = [
    ("photos/a.jpg", Path("photos/a.jpg")),
    ("sketches/a.jpg", Path("sketches/a.jpg")),
    ("photos/b.png", Path("photos/b.png")),
]


def test_table_of_eyes(tmp_path):
    (tmp_path / "eyes.csv").write_text(
        "\ufefffile,left_x,left_y,right_x,right_y\r\nphotos\\a.jpg,1,2,3,4.5\r\nB,5,6,7,8\r\n", encoding="utf-8"
    )
    eyes = read_eyes(tmp_path / "eyes.csv", IMAGES)
    assert {path.as_posix(): points.tolist() for path, points in eyes.items()} == {
        "photos/a.jpg": [[1, 2], [3, 4.5]],
        "photos/b.png": [[5, 6], [7, 8]],
    }


@pytest.mark.parametrize(
    "text, words",
    [
        ("file,left_x,left_y,right_x\n", "lacks the column.* right_y"),
        ("file,left_x,left_y,right_x,right_y\na.jpg,1,2,3,4\n", "line 2: 'a.jpg' fits 2 paired images"),
        ("file,left_x,left_y,right_x,right_y\nc.jpg,1,2,3,4\n", "line 2: 'c.jpg' fits 0 paired images"),
        ("file,left_x,left_y,right_x,right_y\nb,1,2,x,4\n", "line 2: four numbers"),
        ("file,left_x,left_y,right_x,right_y\nb,1,2\n", "line 2: four numbers"),
    ],
)
def test_wrong_tables_of_eyes_are_named(text, words, tmp_path):
    (tmp_path / "eyes.csv").write_text(text)
    with pytest.raises(UserError, match=words):
        read_eyes(tmp_path / "eyes.csv", IMAGES)


# ---------------------------------------------------------------- back to the original's place


def test_pasted_back_is_the_crop_inside_an_oval_and_the_picture_outside():
    image, crop = (np.random.default_rng(seed).integers(0, 256, (250, 200, 3), np.uint8) for seed in (0, 1))
    pasted = paste_back(image, crop, np.array([[1.0, 0, 0], [0, 1, 0]]))
    y, x = np.mgrid[:250, :200]
    away = np.hypot((x - 99.5) / 100, (y - 124.5) / 125)
    assert np.array_equal(pasted[away < 0.8], crop[away < 0.8])
    assert np.array_equal(pasted[away >= 1], image[away >= 1])
    ring = (away > 0.85) & (away < 0.95)  # in between it fades
    low, high = np.minimum(image, crop)[ring], np.maximum(image, crop)[ring]
    assert (low <= pasted[ring]).all() and (pasted[ring] <= high).all() and (pasted[ring] != crop[ring]).any()


@pytest.mark.parametrize("eyes", [[[150.0, 200], [250, 200]], [[100.0, 130], [139, 145]], [[10.0, 15], [70, 5]]])
def test_what_is_not_the_crops_place_stays_and_what_is_returns(eyes):
    """A smooth picture, cut out and put back, is itself again; the place is computed pixel by pixel, apart from
    ours."""
    y, x = np.mgrid[:400, :420].astype(float)
    image = np.stack([127 + 100 * np.sin(x / 60), 127 + 100 * np.cos(y / 50), (x + y) / 4], -1).astype(np.uint8)
    matrix = similarity(np.array(eyes), TARGETS[:2])
    crop = align(image, matrix, 0)
    place = np.einsum("rc,hwc->hwr", matrix[:, :2], np.stack([x, y], -1)) + matrix[:, 2]
    away = np.hypot(*np.moveaxis((place + 0.5) / [100, 125] - 1, -1, 0))
    inside, deep = away < 1, away < 0.8
    black = paste_back(image, np.zeros_like(crop), matrix)
    assert np.array_equal(black[~inside], image[~inside]) and not black[deep].any()
    difference = np.abs(paste_back(image, crop, matrix).astype(int) - image)
    assert deep.sum() > 700 and difference[~inside].max() == 0
    edge = (x > 6) & (x < 413) & (y > 6) & (y < 393)  # beyond the picture's edge the crop is black
    assert difference[deep & edge].max() <= 3


def test_a_crop_that_lies_wholly_outside_changes_nothing():
    image = np.random.default_rng(0).integers(0, 256, (50, 60, 3), np.uint8)
    assert np.array_equal(
        paste_back(image, np.zeros((250, 200, 3), np.uint8), np.array([[1.0, 0, 5000], [0, 1, 0]])), image
    )
