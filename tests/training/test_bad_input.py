"""Files that are odd or wrong and that no other test has: each has a defined answer (docs/reliability.md lists all)."""

import io
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.config.settings import DataConfig
from iacyclegan_tf.data.images.files import decode_image, image_size, write_png
from iacyclegan_tf.data.pairs.pairing import find_pairs, pair_folders, split_hash
from iacyclegan_tf.data.preparing.archives import open_source
from iacyclegan_tf.data.resizing import Fit


def noise(height: int, width: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(height * 7 + width).integers(0, 256, (height, width, channels)).astype(np.uint8)


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


# ---------------------------------------------------------------- pictures


@pytest.mark.parametrize("size", [(1, 1), (1, 10_000), (10_000, 1)])
def test_one_pixel_and_one_line_are_images_and_fit_the_network_and_back(size, tmp_path):
    image = noise(*size)
    write_png(tmp_path / "a.png", image)
    assert image_size(tmp_path / "a.png") == size
    np.testing.assert_array_equal(decode_image((tmp_path / "a.png").read_bytes(), "x"), image)
    for mode in ("squeeze", "pad"):
        fit = Fit(mode, 32, 24)
        fitted = fit.apply(image)
        assert fitted.shape == (32, 24, 3) and fitted.dtype == np.uint8
        assert fit.undo(fitted.astype(np.float32), size).shape == (*size, 3)
    native = Fit("native")
    assert native.apply(image).shape == (*(-(-side // 4) * 4 for side in size), 3)


# ---------------------------------------------------------------- names


def pairs_below(root: Path, names: list, splits=("train", "test"), size=(12, 8)) -> Path:
    random = np.random.default_rng(0)  # no picture twice: a test person's must not be another's
    for split in splits:
        for side in ("photos", "sketches"):
            (root / split / side).mkdir(parents=True, exist_ok=True)
            for name in names:
                name = (
                    name
                    if isinstance(name, bytes)
                    else f"{split}-{name}".encode()[:255]
                    if len(name) < 200
                    else name.encode()
                )
                with open(os.path.join(os.fsencode(root / split / side), name), "wb") as file:
                    file.write(encoded(Image.fromarray(random.integers(0, 256, (*size, 3), np.uint8)), "PNG"))
    return root


def test_a_name_that_is_not_utf8_is_named_in_a_sentence_wherever_it_lies(tmp_path):
    root = pairs_below(tmp_path / "faces", ["a.png", b"caf\xe9.png"], ["train"])
    with pytest.raises(UserError, match=r"caf\\udce9.png' cannot be read: its name is not UTF-8"):
        find_pairs(root)
    with (
        pytest.raises(UserError, match=r"caf\\udce9.png' cannot be read: its name is not UTF-8"),
        open_source(root, tmp_path),
    ):
        pass


def test_names_in_any_script_and_of_the_longest_kind_are_names(tmp_path):
    names = ["é.png", "김민수.png", "a b'\"&$(x).png", "-rf.png", "n" * 251 + ".png"]
    root = pairs_below(tmp_path / "faces", names, ["train"])
    pairing = find_pairs(root)
    assert len(pairing.pairs) == len(names) and len(split_hash(pairing.pairs)) == 64
    assert all(line.encode("utf-8") for line in pairing.report())


def test_the_command_reads_odd_but_good_files_and_prints_in_any_encoding(tmp_path):
    root = pairs_below(tmp_path / "faces", [f"{i}.png" for i in range(6)] + ["김.png"], size=(1, 1000))
    command = [
        sys.executable,
        "-m",
        "iacyclegan_tf.train",
        "data.source=pairs",
        f"data.root={root}",
        "data.height=32",
        "data.width=32",
        "--dry-run",
        "--no-timing",
    ]
    (root / "train/photos/lonely-é.png").write_bytes(encoded(Image.fromarray(noise(1, 1)), "PNG"))
    done = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"PYTHONIOENCODING": "ascii"}, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "train 7 = 5 fit + 2 validation" in done.stdout and "lonely-\\xe9.png" in done.stdout


# ---------------------------------------------------------------- many, few, the same


@pytest.mark.slow
def test_a_folder_of_100_000_files_is_paired_in_seconds(tmp_path):
    """Hard links to one file a side; of the photos every tenth has no sketch."""
    begun = time.process_time()
    for side, step in (("photos", 1), ("sketches", 10)):
        folder = tmp_path / side
        folder.mkdir()
        handle = os.open(folder, os.O_RDONLY)
        (folder / "p000000.png").touch()
        for number in range(1, 50_000):
            if step == 1 or number % step:
                os.link("p000000.png", f"p{number:06d}.png", src_dir_fd=handle, dst_dir_fd=handle)
        os.close(handle)
    made = time.process_time() - begun
    pairing = pair_folders(tmp_path / "photos", tmp_path / "sketches")
    assert len(pairing.pairs) == 45_001 and len(pairing.orphan_photos) == 4_999
    assert time.process_time() - begun - made < 20
    print(f"made in {made:.1f} s, paired in {time.process_time() - begun - made:.1f} s")


@pytest.mark.parametrize("names", [["one"], []])
def test_too_few_people_is_a_sentence(tmp_path, names):
    from iacyclegan_tf.data.load_faces import load_faces

    root = pairs_below(tmp_path / "faces", [f"{name}.png" for name in names])
    settings = DataConfig(source="pairs", root=str(root), height=32, width=24)
    with pytest.raises(UserError, match="part has 0 people; it needs at least 2" if names else "holds no image"):
        load_faces(settings, seed=0)


def test_one_person_in_every_pair_is_a_sentence(tmp_path):
    """A manifest may give one person several pairs; one person alone cannot be trained on."""
    from iacyclegan_tf.data.load_faces import load_faces

    lines = ["identity,photo,sketch,split"]
    for split, identity in (("train", "ann"), ("test", "bob")):
        for number in range(5):
            for side in "ps":
                write_png(tmp_path / f"{split}{number}{side}.png", noise(8, 8 + len(lines)))
            lines.append(f"{identity},{split}{number}p.png,{split}{number}s.png,{split}")
    (tmp_path / "manifest.csv").write_text("\n".join(lines))
    assert len(find_pairs(tmp_path).pairs) == 10
    with pytest.raises(UserError, match="The fitting part has 0 people; it needs at least 2"):
        load_faces(DataConfig(source="pairs", root=str(tmp_path), height=32, width=24), seed=0)
