"""The images of a folder, on any file system that Beam knows, read and decoded; failures go to the side."""

from __future__ import annotations

import apache_beam as beam
from apache_beam.io import fileio
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.foreign_text import printable
from iacyclegan_tf.data.images.files import MAX_BYTES, decode_image
from iacyclegan_tf.data.images.folder import is_left_out, walk_images
from iacyclegan_tf.serving.calling import bounded

FAILED = "failed"  # the side output for images that could not be done
GROUP = "iacyclegan_tf"  # of the counters


def failed(name: str, reason: object) -> beam.pvalue.TaggedOutput:
    """For the side output: name and reason, each on one line."""
    one = {"name": printable(name, 1000), "reason": printable(" ".join(str(reason).split()), 500)}
    return beam.pvalue.TaggedOutput(FAILED, one)


def count(what: str, number: int = 1) -> None:
    """Adds to a counter of the running pipeline."""
    beam.metrics.Metrics.counter(GROUP, what).inc(number)


class ReadFolder(beam.PTransform):
    """All images below a folder -> ``(name, uint8 [h, w, 3] RGB)`` under ``images``, and the side output ``failed``.

    The name is the path below the folder. ``failed`` also has the files that hold no image, and of a local folder what
    cannot be opened. What is hidden or made by systems is counted as ``left out``.

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
            found = start | beam.Create([self.folder]) | beam.ParDo(_Walk()).with_outputs(FAILED, main="names")
            names, failures = found.names, [found[FAILED]]
        else:
            at, failures = len(self.folder), []
            names = start | fileio.MatchFiles(f"{self.folder}/**") | beam.Map(lambda file: file.path[at:].lstrip("/"))
        read = (
            names
            | beam.Reshuffle()  # so that workers share the files, however they were found
            | beam.ParDo(_Read(self.folder, self.target)).with_outputs(FAILED, main="images")
        )
        return {"images": read.images, FAILED: (read[FAILED], *failures) | beam.Flatten()}


class _Walk(beam.DoFn):
    """A local folder -> its images; Beam's own walk passes over closed folders without a word."""

    def process(self, folder: str):
        walked = walk_images(folder)
        count("left out", len(walked.left_out))
        reasons = {**walked.unreadable, **dict.fromkeys(walked.others, "it holds no image that can be read")}
        for path, reason in reasons.items():
            name = path.relative_to(folder).as_posix()
            yield failed(name, f"'{name}' cannot be read: {reason}.")
        for path in walked.paths:
            yield path.relative_to(folder).as_posix()


class _Read(beam.DoFn):
    def __init__(self, folder: str, target):
        self.folder, self.target = folder, target

    def process(self, name: str):
        if any(map(is_left_out, name.split("/"))):  # of a folder that is not local
            count("left out")
            return
        if self.target is not None and FileSystems.exists(self.target(name)):
            count("there")
            return
        path = FileSystems.join(self.folder, *name.split("/"))
        try:
            with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
                data = file.read(MAX_BYTES + 1)
            if len(data) > MAX_BYTES:
                raise UserError(f"'{name}' has more than {MAX_BYTES} bytes, which are not read.")
            image = bounded(decode_image(data, name), f"'{name}'")
        except UserError as error:
            yield failed(name, error)
        except OSError as error:
            yield failed(name, f"'{name}' cannot be read: {error}")
        else:
            yield name, image
