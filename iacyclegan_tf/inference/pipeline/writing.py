"""Where results go: pictures as PNG files in a folder, embeddings as records."""

from __future__ import annotations

import os
import uuid

import apache_beam as beam
import numpy as np
from apache_beam.io.filesystem import BeamIOError, CompressionTypes
from apache_beam.io.filesystems import FileSystems

from iacyclegan_tf.common.atomic_files import NAME_START
from iacyclegan_tf.data.images.files import encode_png
from iacyclegan_tf.inference.pipeline.reading import count, failed


def target(folder: str, name: str, kind: str) -> str:
    """The file of a translated image: its whole name is kept, since ``a.jpg`` and ``a.png`` may both be there."""
    return FileSystems.join(folder, *f"{name}.{kind}.png".split("/"))


class WriteImages(beam.DoFn):
    """``(name, uint8 [h, w, 3])`` -> a PNG file, whole or not there; and the side output ``failed``."""

    def __init__(self, folder: str, kind: str):
        self.folder, self.kind = folder, kind

    def process(self, result: tuple[str, np.ndarray]):
        path = target(self.folder, result[0], self.kind)
        parent, name = FileSystems.split(path)
        aside = FileSystems.join(parent, f".{name[:NAME_START]}.{uuid.uuid4().hex}.partial")
        try:
            if FileSystems.get_scheme(parent) is None:  # others have no folders
                os.makedirs(parent, exist_ok=True)
            with FileSystems.create(aside, "image/png", CompressionTypes.UNCOMPRESSED) as file:
                file.write(encode_png(result[1]))
            FileSystems.rename([aside], [path])
        except (OSError, BeamIOError) as error:  # e.g. a name that is too long for a file
            yield failed(result[0], f"{path} cannot be written: {error}")
            return
        count("written")


def example(result: tuple[str, np.ndarray]) -> bytes:
    """``(name, float32 [D])`` -> a serialized ``tf.train.Example`` of ``name`` and ``embedding``."""
    import tensorflow as tf

    name = tf.train.Feature(bytes_list=tf.train.BytesList(value=[result[0].encode()]))
    embedding = tf.train.Feature(float_list=tf.train.FloatList(value=result[1]))
    count("written")
    features = tf.train.Features(feature={"name": name, "embedding": embedding})
    return tf.train.Example(features=features).SerializeToString(deterministic=True)
