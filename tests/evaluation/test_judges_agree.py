"""Our measures give the numbers that other judges print: scikit-image by hand, and the judge beside the project.

Drawn faces, "synthesized" by blur, shift and another person's shade, squeezed to 128x128 as that judge does.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter
from skimage.feature import hog
from skimage.metrics import structural_similarity

from iacyclegan_tf.data.drawn.faces import draw_pair
from iacyclegan_tf.evaluation.image_quality import image_measures
from iacyclegan_tf.evaluation.recognition_rates import hog_ways, recognition

PEOPLE = [f"person{i:02d}" for i in range(34)]  # 1,122 impostor pairs: enough for FAR 1 %
SIDE, CELL = 128, 8
JUDGE = Path(__file__).parents[2] / "../shared/tools/judge.py"


def degraded(image: np.ndarray, other: np.ndarray, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(scale=12, size=image.shape)
    mixed = 0.55 * np.roll(gaussian_filter(image.astype(float), (1.5, 1.5, 0)), 2, axis=1) + 0.45 * other + noise
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def squeezed(image: np.ndarray) -> np.ndarray:
    """Gray first, then scaled; a gray image is one with three equal channels to us."""
    small = np.asarray(Image.fromarray(image).convert("L").resize((SIDE, SIDE), Image.BICUBIC))
    return np.repeat(small[..., None], 3, axis=2)


@pytest.fixture(scope="module")
def images() -> dict[str, list[np.ndarray]]:
    """By folder: true and fake sketches and photos, uint8 [125, 100, 3]."""
    photos, sketches = zip(*(draw_pair(i, 0, seed=5, height=125, width=100) for i in range(len(PEOPLE))))
    return {
        "true_sketches": list(sketches),
        "true_photos": list(photos),
        "fake_sketches": [degraded(s, sketches[i - 1], i) for i, s in enumerate(sketches)],
        "fake_photos": [degraded(p, photos[i - 1], 99 + i) for i, p in enumerate(photos)],
    }


@pytest.fixture(scope="module")
def ours(images) -> dict[str, float]:
    small = {name: list(map(squeezed, pictures)) for name, pictures in images.items()}
    numbers = {
        f"{kind} SSIM": image_measures(small[f"fake_{plural}"], small[f"true_{plural}"], ["ssim"])["ssim"].mean()
        for kind, plural in (("sketch", "sketches"), ("photo", "photos"))
    }
    scores = hog_ways(small["true_sketches"], small["true_photos"], small["fake_photos"], small["fake_sketches"], CELL)
    for way, matrix in scores.items():
        measured = recognition(matrix, PEOPLE, PEOPLE)
        numbers |= {
            f"{way} {name}": measured[key]
            for name, key in (("rank1", "rank1"), ("VR@1%", "vr_far_1"), ("margin", "margin"))
        }
    return numbers


def test_scikit_image_by_hand(images, ours):
    gray = {name: [squeezed(picture)[..., 0] for picture in pictures] for name, pictures in images.items()}
    for kind, plural in (("sketch", "sketches"), ("photo", "photos")):
        each = [
            structural_similarity(
                truth, fake, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
            )
            for truth, fake in zip(gray[f"true_{plural}"], gray[f"fake_{plural}"])
        ]
        assert ours[f"{kind} SSIM"] == pytest.approx(np.mean(each), abs=1e-9)

    def features(name):
        rows = [
            hog(picture, pixels_per_cell=(CELL, CELL), cells_per_block=(2, 2), orientations=9) for picture in gray[name]
        ]
        middle = np.mean(rows, axis=0)
        return [(row - middle) / np.sqrt(((row - middle) ** 2).sum()) for row in rows]

    def cosines(probes, gallery):
        columns = features(gallery)
        return np.array([[float(np.dot(row, column)) for column in columns] for row in features(probes)])

    tables = {
        "none": cosines("true_sketches", "true_photos"),
        "photo": cosines("fake_photos", "true_photos"),
        "sketch": cosines("true_sketches", "fake_sketches"),
    }
    tables["fusion"] = sum((tables[way] - tables[way].mean()) / tables[way].std() for way in ("photo", "sketch"))
    for way, table in tables.items():
        own = table.diagonal()
        others = np.array([[score for j, score in enumerate(row) if j != i] for i, row in enumerate(table)])
        assert ours[f"{way} rank1"] == np.mean(own > others.max(1))
        assert ours[f"{way} VR@1%"] == np.mean(own > np.percentile(others.ravel(), 99))
        assert ours[f"{way} margin"] == pytest.approx(np.mean(own - others.max(1)), abs=1e-9)
    assert 0.2 < ours["sketch SSIM"] < 0.95 and 0.05 < ours["none rank1"] < 1  # neither trivial nor perfect
    assert 0.05 < ours["fusion VR@1%"] < 1


@pytest.mark.skipif(not JUDGE.is_file(), reason="../shared/tools/judge.py is not on this machine")
def test_the_judge_beside_the_project_prints_the_same(images, ours, tmp_path):
    for name, pictures in images.items():
        (tmp_path / name).mkdir()
        for person, picture in zip(PEOPLE, pictures):
            Image.fromarray(picture).save(tmp_path / name / f"{person}.png")
    (tmp_path / "ids.json").write_text(json.dumps({"drawn": PEOPLE}))
    folders = [str(tmp_path / name) for name in ("true_sketches", "true_photos", "fake_sketches", "fake_photos")]
    said = subprocess.run(
        [sys.executable, str(JUDGE), *folders, str(tmp_path / "ids.json"), "drawn", str(SIDE)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for kind in ("sketch", "photo"):
        value = re.search(rf"drawn {kind}: SSIM (\S+)", said).group(1)
        assert float(value) == pytest.approx(ours[f"{kind} SSIM"], abs=6e-5)
    for way in ("none", "sketch", "photo", "fusion"):
        line = re.search(rf"HOG {way} +(.*)", said).group(1)
        for name in ("rank1", "VR@1%", "margin"):
            value = re.search(rf"{re.escape(name)} (\S+)", line).group(1)
            assert float(value) == pytest.approx(ours[f"{way} {name}"], abs=6e-5), (way, name)
