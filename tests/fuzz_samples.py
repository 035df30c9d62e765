"""Every reader of files from elsewhere: valid files for it, what else its format knows, and how it is called.

``READERS[name](folder)`` gives a ``Reader``; ``read`` takes damaged bytes and must return or raise ``UserError``.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from iacyclegan_tf.common.errors import UserError

NUMBERS = (b"0", b"-1", b"1e999", b"nan", b"inf", b"0x10", b"9" * 400, b"1_0", "٣".encode(), b"\0")
TEXT = (
    b"\xef\xbb\xbf",
    b"\r\n",
    b"\r",
    b"\t",
    b'"',
    b"'",
    b",",
    b"\xff",
    "\u2028".encode(),
    b"\\",
    b"../",
    b"/etc/passwd",
    b"C:\\x",
)
YAML = (
    b"&a ",
    b"*a",
    b"!!python/object/apply:os.system [x]",
    b"!!binary x",
    b"? ",
    b"- ",
    b"<<: ",
    b"{",
    b"[" * 2000,
    b": ",
    b"|\n",
    b"#",
    b"---\n",
    b"%YAML 9.9\n",
    b"1:30",
    b"yes",
    b"~",
    b".inf",
    b"2001-01-01",
    b"\x07",
)
JSON = (b"{", b"[" * 2000, b"]", b"null", b"true", b'"\\ud800"', b"1e999", b"-0", b":", b"NaN")


@dataclass(frozen=True)
class Reader:
    """``samples``: valid files; ``words``: what a damaged file may hold besides bytes at random."""

    samples: tuple[bytes, ...]
    read: Callable[[bytes], object]
    words: tuple[bytes, ...] = ()


def _written(path: Path, read: Callable[[Path], object]) -> Callable[[bytes], object]:
    def through_file(data: bytes):
        path.write_bytes(data)
        return read(path)

    return through_file


def images(folder: Path) -> Reader:
    """What the header announces is what is decoded, and within the bound, or the file is refused."""
    from iacyclegan_tf.data.images.files import MAX_PIXELS, decode_image, unpack
    from iacyclegan_tf.data.images.headers import HeaderError, read_header

    def read(data: bytes):
        try:
            header = read_header(unpack(data))
        except HeaderError:
            header = None
        try:
            image = decode_image(data, "x")
        except UserError as error:
            assert "its pixels" not in str(error), "a decoder gave another size than the header says"
            raise
        _checked(image)
        size = (header.height, header.width)
        assert image.shape[:2] == (size[::-1] if header.orientation >= 5 else size) and size[0] * size[1] <= MAX_PIXELS

    words = (
        b"IDAT",
        b"\xff\xd9",
        b"\xff\xda",
        b"\xff\xc0",
        b"\xff\x01",
        b"\xff\xd0",
        b"acTL",
        b"\0\1\4\0",
        b"\1\1\4\0",
    )
    return Reader(tuple(_pictures()), read, words)


def _checked(image: np.ndarray) -> None:
    assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3 and min(image.shape) > 0


def _pictures() -> list[bytes]:
    """One of each kind and mode, turned ones and packed ones."""
    from image_samples import JPEGS, RGB, SAMPLES, encoded, exif, exif_jpeg, gif, png_chunk, tiff, with_chunk

    made = {name: data for name, (data, _) in (SAMPLES | JPEGS).items()}
    turned = [
        exif_jpeg(made["JPEG"], 6),
        with_chunk(made["PNG"], png_chunk(b"eXIf", exif(6))),
        encoded(RGB, "WEBP", exif=b"Exif\0\0" + exif(6)),
        tiff({274: 6}, RGB[..., 1].tobytes(), ">"),
    ]
    packed = [gzip.compress(made["PPM"], mtime=0), bz2.compress(made["PPM"])]
    return [*made.values(), *turned, gif(2), *packed]


def served_images(folder: Path) -> Reader:
    """The same pictures in the graph that a server runs, whose errors are TensorFlow's."""
    import tensorflow as tf

    from iacyclegan_tf.serving.decoding import decode_bounded

    graph = tf.function(decode_bounded, input_signature=[tf.TensorSpec([], tf.string)])

    def read(data: bytes):
        try:
            _checked(graph(tf.constant(data)).numpy().astype(np.uint8))
        except tf.errors.InvalidArgumentError as error:
            raise UserError(str(error)) from None

    return Reader(tuple(_pictures()), read)


def fiducials(folder: Path) -> Reader:
    from iacyclegan_tf.data.alignment.eye_files import read_points

    kinds = {
        ".dat": b"".join(b"%d %d.5\n" % (i, 2 * i) for i in range(35)),
        ".3pts": b"75 125\n125 125\n100 180\n",
        ".pos": b"10 20 30 40\n",
    }
    paths = {suffix: folder / f"points{suffix}" for suffix in kinds}

    def read(data: bytes):
        suffix = ".pos" if data.count(b"\n") < 2 else ".3pts" if data.count(b"\n") < 5 else ".dat"
        paths[suffix].write_bytes(data)
        points = read_points(paths[suffix])
        assert points.shape in ((2, 2), (3, 2)) and np.isfinite(points).all()

    return Reader(tuple(kinds.values()), read, NUMBERS + TEXT)


def eyes(folder: Path) -> Reader:
    from iacyclegan_tf.data.alignment.eye_files import read_eyes

    files = [(f"photos/{name}.jpg", folder / f"photos/{name}.jpg") for name in ("a", "b", "ü")]
    text = "file,left_x,left_y,right_x,right_y\na,1,2,3,4\nphotos/b.jpg,1.5,2,3e1,4\nü.jpg,0,0,1,1\n".encode()

    def read(path: Path):
        assert all(points.shape == (2, 2) and np.isfinite(points).all() for points in read_eyes(path, files).values())

    return Reader(
        (text, b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n")), _written(folder / "eyes.csv", read), NUMBERS + TEXT
    )


def manifest(folder: Path) -> Reader:
    from iacyclegan_tf.data.pairs.manifest import read_manifest

    lines = ["identity,photo,sketch,split,note"]
    for name, split in (("a", "train"), ("b", "train"), ("ü x", "test")):
        for side in ("photos", "sketches"):
            (folder / side).mkdir(exist_ok=True)
            (folder / side / f"{name}.png").touch()
        lines.append(f'{name},photos/{name}.png,sketches\\{name}.png,{split},"a, ""b"""')
    text = ("\n".join(lines) + "\n").encode()

    def read(path: Path):
        for pair in read_manifest(path).pairs:
            assert all(file.resolve().is_relative_to(folder.resolve()) for file in (pair.photo, pair.sketch))

    return Reader((text, b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n")), _written(folder / "manifest.csv", read), TEXT)


def split_file(folder: Path) -> Reader:
    from iacyclegan_tf.data.pairs.splits import read_split_file

    return Reader(
        (b"train: [m-001, 000_1_1]\ntest:\n  - w-002\n  - 'x y'\n",),
        _written(folder / "split.yaml", read_split_file),
        YAML + TEXT,
    )


def config(folder: Path) -> Reader:
    from iacyclegan_tf.config.reading import dump_config, load_config

    shipped = sorted((Path(__file__).parents[1] / "configs").glob("*.yaml"))
    samples = tuple(path.read_bytes().replace(b'  root: ""', b"  root: somewhere") for path in shipped)

    def read(path: Path):
        loaded = load_config(path)
        assert dump_config(loaded)

    return Reader(samples, _written(folder / "config.yaml", read), YAML + TEXT + NUMBERS)


def overrides(folder: Path) -> Reader:
    from iacyclegan_tf.config.reading import load_config

    return Reader(
        (
            b"train.epochs=4",
            b"data.root=/x y",
            b"loss.perception_layer=pool1,fc7",
            b"export.thresholds.photo_recognizer=[]",
            b"train.learning_rate=2e-4",
            b"data.drawn={seed: 3}",
        ),
        lambda data: load_config(None, [data.decode("utf-8", "surrogateescape")]),
        YAML + TEXT + NUMBERS,
    )


def _network():
    import vggface_files as files

    return files.random_network(files.BLOCKS_TINY, (3, 3), 2, 1)


def _weights(*writers: Callable[[Path], object], crashes: bool = False) -> Callable[[Path], Reader]:
    """``crashes``: a library ends its process on some of the files, which is why the package gives it one of its
    own."""

    def reader(folder: Path) -> Reader:
        import vggface_files as files
        import vggface_reading as reading

        from iacyclegan_tf.models.vggface_weights import VGGArchitecture

        tiny = VGGArchitecture(files.BLOCKS_TINY, (3, 3), 2, 1)
        samples = []
        for write in writers:
            write(folder / "sample.npz")
            samples.append((folder / "sample.npz").read_bytes())
        read = reading.read_in_fork if crashes else reading.read_here
        return Reader(tuple(samples), _written(folder / "weights", lambda path: read(path, tiny)))

    return reader


def _caffe(path: Path, **options):
    import vggface_files as files

    return files.write_caffe(path, _network(), **options)


def _matconvnet(path: Path, **options):
    import vggface_files as files

    return files.write_matconvnet(path, _network(), **options)


def _keras(path: Path, **options):
    import vggface_files as files

    return files.write_keras_vggface(path, _network(), **options)


def _deepface(path: Path):
    import vggface_files as files

    return files.write_deepface(path, _network())


def dlib(folder: Path) -> Reader:
    from dlib_file import TINY, random_arrays, write_dlib

    from iacyclegan_tf.models.dlib_weights import read_dlib

    write_dlib(folder / "sample.dat", random_arrays(TINY), TINY)

    def read(path: Path):
        assert all(np.isfinite(array).all() for array in read_dlib(path, TINY).values())

    words = (b"\x05con_4", b"\x07affine_", b"\x04fc_2", b"\x01\x02", b"\x08" + b"\xff" * 8)
    return Reader(((folder / "sample.dat").read_bytes(),), _written(folder / "weights.dat", read), words)


def archive(folder: Path) -> Reader:
    from iacyclegan_tf.data.preparing.archives import extract

    def zipped(kind: int) -> bytes:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", kind) as packed:
            for name in ("a/photo.jpg", "a/sketch.jpg", "b.txt"):
                packed.writestr(zipfile.ZipInfo(name), name.encode() * 20, kind)
        return file.getvalue()

    def read(path: Path):
        target = folder / "deep" / "target"
        target.mkdir(parents=True)
        try:
            extract(path, target)
        finally:
            outside = {path.name for path in folder.iterdir()} - {"deep", "a.zip"}
            outside |= {path.name for path in (folder / "deep").iterdir()} - {"target"}
            links = [path for path in target.rglob("*") if path.is_symlink()]
            shutil.rmtree(folder / "deep")
            assert not outside and not links, (outside, links)

    return Reader(
        (zipped(zipfile.ZIP_STORED), zipped(zipfile.ZIP_DEFLATED)),
        _written(folder / "a.zip", read),
        (b"../", b"/", b"..\\", b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"C:", b"\0"),
    )


def annotations(folder: Path) -> Reader:
    """Of FS2K."""
    from iacyclegan_tf.data.preparing.archives import Tree, list_tree
    from iacyclegan_tf.data.preparing.layouts import LAYOUTS

    names = (
        "photo/photo1/image0001.jpg",
        "photo/photo2/image0001.png",
        "sketch/sketch1/sketch0001.png",
        "sketch/sketch2/sketch0001.jpg",
    )
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    text = json.dumps([{"image_name": "photo1/image0001", "gender": 1}, {"image_name": "photo2/image0001"}]).encode()

    def read(path: Path):
        for part in LAYOUTS["fs2k"].parts.values():
            part(Tree(folder, list_tree(folder)[0], ((folder, ""),)))

    return Reader((text,), _written(folder / "anno_train.json", read), JSON + TEXT)


def saved_state(folder: Path) -> Reader:
    """Any file of a checkpoint, its number in the first byte; other bytes than were written must be noticed."""
    import tensorflow as tf

    from iacyclegan_tf.models.saved_state import read_folder, write_folder

    objects = tf.train.Checkpoint(vector=tf.Variable(tf.range(50.0)), number=tf.Variable(3))
    state = folder / "state"
    write_folder(state, objects, {"window": {"sums": {"loss": 0.25}, "count": 2}, "step": 7})
    files = {path.name: path.read_bytes() for path in sorted(state.iterdir())}
    names = list(files)

    def read(data: bytes):
        name = names[data[0] % len(names)] if data else names[0]
        (state / name).write_bytes(data[1:])
        try:
            read_folder(state, objects)
            assert data[1:] == files[name], f"a changed {name} was not noticed"
        finally:
            (state / name).write_bytes(files[name])

    return Reader(tuple(bytes([number]) + files[name] for number, name in enumerate(names)), read)


READERS: dict[str, Callable[[Path], Reader]] = {
    "images": images,
    "served images": served_images,
    "fiducials": fiducials,
    "table of eyes": eyes,
    "manifest": manifest,
    "split file": split_file,
    "config": config,
    "overrides": overrides,
    "caffe": _weights(_caffe, lambda path: _caffe(path, legacy=False)),
    "matconvnet": _weights(
        _matconvnet,
        lambda path: _matconvnet(path, compress=True),
        lambda path: _matconvnet(path, wrapped=True),
        crashes=True,
    ),
    "keras-vggface": _weights(_keras, lambda path: _keras(path, keras1=True, whole_model=True)),
    "deepface": _weights(_deepface),
    "dlib": dlib,
    "archive": archive,
    "annotations": annotations,
    "saved state": saved_state,
}
