"""Where images come from: a folder on any file system that Beam knows, or TFRecords of ``tf.train.Example``."""

from __future__ import annotations

import os
import re
from pathlib import PurePosixPath

import apache_beam as beam
from apache_beam.io import fileio
from apache_beam.io.filesystem import CompressionTypes, FileMetadata
from apache_beam.io.filesystems import FileSystems

from iacyclegan_tf.common.foreign_text import printable
from iacyclegan_tf.data.images.files import MAX_BYTES, begins_as_image, has_image_name
from iacyclegan_tf.data.images.folder import is_left_out, walk_images
from iacyclegan_tf.inference.pipeline.elements import FAILED, Encoded, count, failure


class ReadFolder(beam.PTransform):
    """All images below a folder -> ``Encoded``, named by their path below it, and the side output ``failed``, which
    also has the files that hold no image, and of a local folder what cannot be opened. What is hidden or made by
    systems is counted as ``left out``.

    Args:
        folder: local, or e.g. ``gs://bucket/folder``.
        target: a function from an image's name to the file that its result will have, where such files are not made
            again; or ``None``.
    """

    def __init__(self, folder: str, target=None):
        super().__init__()
        self.folder, self.target = folder.rstrip("/"), target

    def expand(self, start):
        if FileSystems.get_scheme(self.folder) is None:
            found = start | beam.Create([self.folder]) | beam.ParDo(_Walk()).with_outputs(FAILED, main="files")
            files, failed = found.files, [found[FAILED]]
        else:
            files, failed = start | fileio.MatchFiles(f"{self.folder}/**"), []
        read = (
            files
            | beam.Reshuffle()  # so that workers share the files, however they were found
            | beam.ParDo(_ReadFile(self.folder, self.target)).with_outputs(FAILED, main="images")
        )
        return {"images": read.images, FAILED: (read[FAILED], *failed) | beam.Flatten()}


class _Walk(beam.DoFn):
    """A local folder -> its files; Beam's own walk passes over closed folders without a word."""

    def process(self, folder: str):
        walked = walk_images(folder)
        count("left out", len(walked.left_out))
        for path, reason in walked.unreadable.items():
            name = printable(path.relative_to(folder).as_posix())
            yield failure(name, f"'{name}' cannot be read: {reason}.")
        for path in (*walked.paths, *walked.others):
            yield FileMetadata(str(path), os.path.getsize(path) if path.exists() else 0)


class _ReadFile(beam.DoFn):
    def __init__(self, folder: str, target):
        self.folder, self.target = folder, target

    def process(self, file):
        name = file.path[len(self.folder) :].lstrip("/")
        if any(map(is_left_out, name.split("/"))):  # of a folder that is not local
            count("left out")
            return
        if self.target is not None and FileSystems.exists(self.target(name)):
            count("there")
            return
        if file.size_in_bytes > MAX_BYTES:
            yield failure(name, f"'{name}' has {file.size_in_bytes} bytes; at most {MAX_BYTES} are read.")
            return
        try:
            with FileSystems.open(file.path, compression_type=CompressionTypes.UNCOMPRESSED) as opened:
                data = opened.read(2**20)
                if not has_image_name(PurePosixPath(name)) and not begins_as_image(data):
                    yield failure(name, f"'{name}' holds no image that can be read.")
                    return
                data += opened.read()
        except OSError as error:
            yield failure(name, f"'{name}' cannot be read: {error}")
            return
        yield Encoded(name, data)


class ReadRecords(beam.PTransform):
    """TFRecords of ``tf.train.Example`` -> ``Encoded``, and the side output ``failed``.

    A record whose bytes are damaged ends the pipeline, since nothing behind it in its file can be trusted; one without
    the two features, with a name that is no plain path, or with a name that occurs twice is a failure of its own.

    Args:
        pattern: files, e.g. ``shards/*.tfrecord``.
        image, name: the features that hold the encoded image and what to call it.
    """

    def __init__(self, pattern: str, image: str, name: str):
        super().__init__()
        self.pattern, self.image, self.name = pattern, image, name

    def expand(self, start):
        found = (
            start
            | beam.io.ReadFromTFRecord(self.pattern, validate=True)
            | beam.Reshuffle()
            | beam.ParDo(_Parse(self.image, self.name)).with_outputs(FAILED, main="images")
        )
        # results are kept under their names: of two with one name, one would be lost
        repeated = (
            found.images
            | beam.Map(lambda encoded: encoded.name)
            | beam.combiners.Count.PerElement()
            | beam.Filter(lambda pair: pair[1] > 1)
        )
        single = found.images | beam.ParDo(_Single(), beam.pvalue.AsDict(repeated)).with_outputs(FAILED, main="images")
        return {"images": single.images, FAILED: (found[FAILED], single[FAILED]) | beam.Flatten()}


class _Parse(beam.DoFn):
    def __init__(self, image: str, name: str):
        self.image, self.name = image, name

    def process(self, record: bytes):
        import tensorflow as tf
        from google.protobuf.message import DecodeError

        try:
            features = tf.train.Example.FromString(record).features.feature
        except DecodeError:
            yield failure("a record", "it is no tf.train.Example")
            return
        values = [list(features[key].bytes_list.value) if key in features else [] for key in (self.name, self.image)]
        if [len(some) for some in values] != [1, 1]:
            yield failure(
                values[0][0].decode(errors="replace") if values[0] else "a record",
                f"it does not hold one {self.name!r} and one {self.image!r} as bytes; it has "
                f"{', '.join(sorted(features)[:20]) or 'nothing'}",
            )
            return
        name = values[0][0].decode(errors="replace")
        if not plain_name(name):
            yield failure(name, "its name is no plain path: relative, without '..' and control characters")
            return
        yield Encoded(name, values[1][0])


def plain_name(name: str) -> bool:
    """Whether a file of this name lies below the folder to which it is written, and no other name means it too."""
    path = PurePosixPath(name)
    plain = str(path) == name and bool(path.parts) and not path.is_absolute() and ".." not in path.parts
    return plain and not re.search(r"[\x00-\x1f\x7f\\\ufffd]", name)


class _Single(beam.DoFn):
    def process(self, encoded: Encoded, repeated: dict[str, int]):
        if encoded.name in repeated:
            yield failure(encoded.name, f"{repeated[encoded.name]} records have this name")
        else:
            yield encoded
