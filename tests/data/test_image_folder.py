"""One walk over a folder of images: nothing that holds an image is missed, and everything else is accounted for."""

import bz2
import gzip
import io
import os
from pathlib import Path

import pytest
from PIL import Image

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.images import folder as walking
from iacyclegan_tf.data.images.folder import walk_images


def encoded(kind: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 3), (200, 100, 50)).save(file, kind)
    return file.getvalue()


def put(path: Path, data: bytes = b"") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def names(paths, below: Path) -> list[str]:
    return [path.relative_to(below).as_posix() for path in paths]


def test_what_holds_an_image_is_one_whatever_its_name(tmp_path):
    kinds = ("JPEG", "PNG", "GIF", "BMP", "PPM", "TIFF", "WEBP")
    images = [put(tmp_path / f"sub/{kind}.thing", encoded(kind)) for kind in kinds]
    images += [put(tmp_path / f"{number}.HEIC", encoded("JPEG")) for number in range(2)]
    images += [
        put(tmp_path / "packed.z", gzip.compress(encoded("PPM"))),
        put(tmp_path / "b", bz2.compress(encoded("BMP"))),
    ]
    images += [
        put(tmp_path / "cut.jpg"),
        put(tmp_path / "named.ppm.bz2", b"damaged"),
    ]  # their reader says what is wrong
    others = {
        "a.psd": b"8BPS" + bytes(99),
        "BMW.txt": b"BM is a brand and PNG a format",
        "P1.txt": b"P1 is a person",
        "tar.gz": gzip.compress(b"no image"),
        "cut.gz": gzip.compress(encoded("PPM"))[:12],
        "not.bz2": b"BZh and so on",
    }
    for name, data in others.items():
        put(tmp_path / name, data)
    found = walk_images(tmp_path)
    assert found.paths == tuple(sorted(images))
    assert names(found.others, tmp_path) == sorted(others)
    assert not found.unreadable and not found.left_out
    assert sum("a.psd' holds no image that can be read." in line for line in found.complaints()) == 1


def test_what_systems_make_and_what_is_hidden_is_left_out_and_said(tmp_path):
    system = (
        "@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg",
        "sub/@eaDir/SYNOPHOTO_THUMB_M.jpg",
        "__MACOSX/._a.jpg",
        ".thumbnails/a.png",
        "#recycle/a.jpg",
        ".Trash-1000/files/a.jpg",
        "$RECYCLE.BIN/a.jpg",
        "System Volume Information/a.jpg",
        ".AppleDouble/a.jpg",
        "THUMBS.DB",
        ".DS_Store",
        "Desktop.ini",
        "._a.jpg",
    )
    for name in system:
        put(tmp_path / name, encoded("JPEG"))
    kept = [put(tmp_path / "a.jpg", encoded("JPEG")), put(tmp_path / "sub/eaDir/a.jpg", encoded("JPEG"))]
    found = walk_images(tmp_path)
    assert found.paths == tuple(kept) and not found.others and not found.unreadable
    assert {path.relative_to(tmp_path).parts[0] for path in found.left_out} == {Path(name).parts[0] for name in system}
    (note,) = found.notes()
    assert note.startswith("left out, hidden or made by a system: @eaDir (2), ") and note.endswith("other names")


def test_closed_folders_and_files_are_named(tmp_path, monkeypatch):
    put(tmp_path / "closed/b.jpg", encoded("JPEG"))
    secret = put(tmp_path / "secret.jpg", encoded("JPEG"))
    unnamed = put(tmp_path / "unnamed", encoded("JPEG"))
    open_one = put(tmp_path / "a.jpg", encoded("JPEG"))
    scan, access = os.scandir, os.access  # root opens everything: the refusals are played

    def closed(*arguments):
        raise PermissionError(13, "Permission denied", str(arguments[0]))

    monkeypatch.setattr(walking.os, "scandir", lambda path: closed(path) if path.name == "closed" else scan(path))
    monkeypatch.setattr(walking.os, "access", lambda path, mode: path != str(secret) and access(path, mode))
    monkeypatch.setattr("builtins.open", closed)
    found = walk_images(tmp_path)
    assert found.paths == (open_one,)
    assert found.unreadable == dict.fromkeys([tmp_path / "closed", secret, unnamed], "Permission denied")
    assert f"'{tmp_path / 'closed'}' cannot be read: Permission denied." in found.complaints()


def test_links_are_followed_to_files_only(tmp_path):
    outside = put(tmp_path / "outside/far.jpg", encoded("JPEG"))
    root = tmp_path / "root"
    image = put(root / "z/image.jpg", encoded("JPEG"))
    (root / "again.jpg").symlink_to(image)
    (root / "far.jpg").symlink_to(outside)
    (root / "loop").symlink_to(root, target_is_directory=True)
    (root / "self.jpg").symlink_to(root / "self.jpg")
    (root / "nowhere.jpg").symlink_to(root / "gone.jpg")
    os.mkfifo(root / "pipe.jpg")
    found = walk_images(root)
    assert names(found.paths, root) == ["again.jpg", "far.jpg", "z/image.jpg"]
    assert {path.name: why for path, why in found.left_out.items()} == {"loop": "a link to a folder"}
    assert [path.name for path in found.unreadable] == ["nowhere.jpg", "pipe.jpg", "self.jpg"]
    (tmp_path / "through").symlink_to(root, target_is_directory=True)
    assert len(walk_images(tmp_path / "through").paths) == 3  # what the user names is entered


def test_names_that_no_list_could_hold_are_named(tmp_path):
    put(Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jpg")), encoded("JPEG"))
    put(tmp_path / "a\x1b[31m.txt", b"red")
    first, second = walk_images(tmp_path).complaints()
    assert "caf\\udce9.jpg' cannot be read: its name is not UTF-8" in first
    assert "a\\x1b[31m.txt' holds no image" in second


def test_without_recursion_subfolders_are_left_out_and_said(tmp_path, monkeypatch):
    put(tmp_path / "b.jpg", encoded("JPEG"))
    put(tmp_path / "a.PNG", encoded("PNG"))
    put(tmp_path / "sub/c.jpg", encoded("JPEG"))
    found = walk_images(tmp_path, recursive=False)
    assert [path.name for path in found.paths] == ["a.PNG", "b.jpg"]
    assert found.notes() == ["left out, a subfolder, which is not entered: sub"]
    monkeypatch.chdir(tmp_path)
    assert [str(path) for path in walk_images(".").paths] == ["a.PNG", "b.jpg", "sub/c.jpg"]


def test_only_a_folder_is_walked(tmp_path):
    for wrong in (tmp_path / "none", put(tmp_path / "a.jpg")):
        with pytest.raises(UserError, match="is not a folder"):
            walk_images(wrong)
