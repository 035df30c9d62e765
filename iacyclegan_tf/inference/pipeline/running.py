"""The pipeline from end to end: read → decode → batch → model → write, failures to the side; run and counted."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.inference.pipeline.elements import FAILED, GROUP, Apply, Decode
from iacyclegan_tf.inference.pipeline.reading import ReadFolder, ReadRecords
from iacyclegan_tf.inference.pipeline.writing import FAILURES, ToExample, WriteFailures, WriteImages, target
from iacyclegan_tf.serving.exports import check_files

ABOUT = "about.json"


@dataclass(frozen=True)
class Job:
    """What to do.

    Attributes:
        model: a SavedModel's folder. output: of its signature ``tensor``. kind: ``sketch``, ``photo`` or ``embedding``.
        images: a folder, or empty: then ``records``, a pattern of TFRecord files with these two features.
        out: a folder. form: ``png`` or ``tfrecord``.
        batch: images in one call of the model.
    """

    model: str
    output: str
    kind: str
    out: str
    form: str
    images: str = ""
    records: str = ""
    image_feature: str = "image"
    name_feature: str = "name"
    batch: int = 8


def run(job: Job, options: list[str]) -> dict[str, int]:
    """Runs ``job`` under Beam's own ``options`` and returns its counters: written, there, failed, models loaded."""
    _one_model_per_folder(job)
    pipeline = beam.Pipeline(options=PipelineOptions(options))
    build(pipeline, job)
    result = pipeline.run()
    result.wait_until_finish()
    found = result.metrics().query(beam.metrics.MetricsFilter().with_namespace(GROUP))["counters"]
    counters = dict.fromkeys(("written", "there", "failed", "models loaded"), 0)
    for counter in found:
        counters[counter.key.metric.name] = counters.get(counter.key.metric.name, 0) + counter.result
    return counters


def build(pipeline: beam.Pipeline, job: Job) -> None:
    if job.images:
        skip = (lambda name: target(job.out, name, job.kind)) if job.form == "png" else None
        read = pipeline | "read" >> ReadFolder(job.images, skip)
    else:
        read = pipeline | "read" >> ReadRecords(job.records, job.image_feature, job.name_feature)
    decoded = read["images"] | "decode" >> beam.ParDo(Decode()).with_outputs(FAILED, main="pixels")
    made = (
        decoded.pixels
        | "batch" >> beam.BatchElements(min_batch_size=job.batch, max_batch_size=job.batch)
        | "apply" >> beam.ParDo(Apply(job.model, job.output)).with_outputs(FAILED, main="results")
    )
    failed = [read[FAILED], decoded[FAILED], made[FAILED]]
    if job.form == "png":
        written = made.results | "write" >> beam.ParDo(WriteImages(job.out, job.kind)).with_outputs(FAILED, main="none")
        failed.append(written[FAILED])
    else:
        (
            made.results
            | "examples" >> beam.ParDo(ToExample())
            | "write" >> beam.io.WriteToTFRecord(FileSystems.join(job.out, job.kind), file_name_suffix=".tfrecord")
        )
    failed | beam.Flatten() | "failures" >> WriteFailures(job.out)


def failures(job: Job) -> list[dict]:
    """What the last run wrote, by name."""
    with FileSystems.open(FileSystems.join(job.out, FAILURES)) as file:
        return sorted(map(json.loads, file.read().decode().splitlines()), key=lambda one: one["name"])


def _one_model_per_folder(job: Job) -> None:
    """A folder goes on with the model it was begun with: results of two would look alike."""
    if "://" not in job.model:
        check_files(Path(job.model))
    about = {"kind": job.kind, "form": job.form, "model_sha256": _sha256(job.model)}
    path = FileSystems.join(job.out, ABOUT)
    if FileSystems.exists(path):
        try:
            with FileSystems.open(path) as file:
                before = dict(json.loads(file.read(2**20).decode()))
        except (ValueError, TypeError, RecursionError):
            raise UserError(f"{path} is damaged; remove it, or give another --out.") from None
        if before != about:
            raise UserError(
                f"{job.out} holds results of another model or of another kind ({before.get('kind')}, "
                f"{before.get('form')}); give another --out."
            )
        return
    if FileSystems.get_scheme(job.out) is None:
        if os.path.isdir(job.out) and os.listdir(job.out):
            raise UserError(f"{job.out} holds other files and no results of this command; give another --out.")
        os.makedirs(job.out, exist_ok=True)
    with FileSystems.create(path, "application/json") as file:
        file.write(json.dumps(about, indent=2).encode())


def _sha256(model: str) -> str:
    """Of the graph and of the index of the variables, which holds a checksum of each."""
    digest = hashlib.sha256()
    for name in ("saved_model.pb", "variables/variables.index"):
        path = FileSystems.join(model, *name.split("/"))
        if not FileSystems.exists(path):
            raise UserError(f"{model} is no SavedModel: it holds no {name}.")
        with FileSystems.open(path) as file:
            digest.update(file.read())
    return digest.hexdigest()
