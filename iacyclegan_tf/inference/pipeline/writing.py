"""Where results go: PNG files in a folder, or TFRecords; and the failures, one JSON object a line."""

from __future__ import annotations

import json
import os
import uuid

import apache_beam as beam
from apache_beam.io.filesystem import BeamIOError, CompressionTypes
from apache_beam.io.filesystems import FileSystems

from iacyclegan_tf.common.atomic_files import NAME_START
from iacyclegan_tf.inference.pipeline.elements import Failure, Result, count, failure

FAILURES = "failures.jsonl"


def target(folder: str, name: str, kind: str) -> str:
    """The file of a translated image: its whole name is kept, since ``a.jpg`` and ``a.png`` may both be there."""
    return FileSystems.join(folder, *f"{name}.{kind}.png".split("/"))


class WriteImages(beam.DoFn):
    """``Result`` of translation -> a PNG file, whole or not there; and the side output ``failed``."""

    def __init__(self, folder: str, kind: str):
        self.folder, self.kind = folder, kind

    def process(self, result: Result):
        path = target(self.folder, result.name, self.kind)
        parent, name = FileSystems.split(path)
        aside = FileSystems.join(parent, f".{name[:NAME_START]}.{uuid.uuid4().hex}.partial")
        try:
            if FileSystems.get_scheme(parent) is None:  # others have no folders
                os.makedirs(parent, exist_ok=True)
            with FileSystems.create(aside, "image/png", CompressionTypes.UNCOMPRESSED) as file:
                file.write(png(result))
            FileSystems.rename([aside], [path])
        except (OSError, BeamIOError) as error:  # e.g. a name that is too long for a file
            yield failure(result.name, f"{path} cannot be written: {error}")
            return
        count("written")


class ToExample(beam.DoFn):
    """``Result`` -> a serialized ``tf.train.Example``.

    Its features: ``name``, and ``image`` (PNG), ``height``, ``width`` or ``embedding``.
    """

    def process(self, result: Result):
        import tensorflow as tf

        def of_bytes(value: bytes):
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

        features = {"name": of_bytes(result.name.encode())}
        if result.values.ndim == 3:
            features |= {"image": of_bytes(png(result))}
            features |= {
                side: tf.train.Feature(int64_list=tf.train.Int64List(value=[length]))
                for side, length in zip(("height", "width"), result.values.shape)
            }
        else:
            features["embedding"] = tf.train.Feature(float_list=tf.train.FloatList(value=result.values))
        count("written")
        yield tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString(deterministic=True)


def png(result: Result) -> bytes:
    import tensorflow as tf

    return tf.io.encode_png(result.values).numpy()


class WriteFailures(beam.PTransform):
    """``Failure`` -> ``failures.jsonl`` in ``folder``, also where there are none."""

    def __init__(self, folder: str):
        super().__init__()
        self.folder = folder

    def expand(self, failures):
        return (
            failures
            | beam.Map(_line)
            | beam.io.WriteToText(FileSystems.join(self.folder, FAILURES), num_shards=1, shard_name_template="")
        )


def _line(one: Failure) -> str:
    count("failed")
    return json.dumps(one._asdict(), ensure_ascii=False)
