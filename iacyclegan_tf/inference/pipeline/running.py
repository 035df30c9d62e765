"""The pipeline from end to end: read → batch → model → write, failures to the side; run and counted."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

import apache_beam as beam
import numpy as np
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.utils.shared import Shared

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.inference.pipeline.reading import FAILED, GROUP, ReadFolder
from iacyclegan_tf.inference.pipeline.writing import WriteImages, example, target
from iacyclegan_tf.serving.calling import Served, call
from iacyclegan_tf.serving.version_folders import check_files

ABOUT, FAILURES = "about.json", "failures.jsonl"


@dataclass(frozen=True)
class Job:
    """What to do.

    Attributes:
        model: a SavedModel's folder, where every worker can read it.
        kind: what it makes: ``sketch`` or ``photo``, written as PNG files, or ``embedding``, as TFRecords.
        images, out: folders.
        batch: images in one call of the model.
    """

    model: str
    kind: str
    images: str
    out: str
    batch: int = 8


class Apply(beam.DoFn):
    """Lists of ``(name, uint8 [h, w, 3])`` -> ``(name, what the model makes of it)``; loaded once in each process."""

    def __init__(self, folder: str):
        self.folder, self.shared, self.model = folder, Shared(), None

    def setup(self):
        self.model = self.shared.acquire(lambda: Served(self.folder))

    def process(self, batch: list[tuple[str, np.ndarray]]):
        names, images = zip(*batch)
        yield from zip(names, call(self.model, images))


def run(job: Job, options: list[str]) -> tuple[dict[str, int], list[dict]]:
    """Runs ``job`` under Beam's own ``options``.

    Returns its counters (``written``, ``there``, ``left out``), and name and reason of each failure, by name.
    """
    _one_model_per_folder(job)
    pipeline = beam.Pipeline(options=PipelineOptions(options))
    _build(pipeline, job)
    result = pipeline.run()
    result.wait_until_finish()
    counters = dict.fromkeys(("written", "there", "left out"), 0)
    for counter in result.metrics().query(beam.metrics.MetricsFilter().with_namespace(GROUP))["counters"]:
        counters[counter.key.metric.name] += counter.result
    with FileSystems.open(FileSystems.join(job.out, FAILURES)) as file:
        failures = [json.loads(line) for line in file.read().decode().splitlines()]
    return counters, sorted(failures, key=lambda one: one["name"])


def _build(pipeline: beam.Pipeline, job: Job) -> None:
    pictures = job.kind != "embedding"
    skip = (lambda name: target(job.out, name, job.kind)) if pictures else None
    read = pipeline | "read" >> ReadFolder(job.images, skip)
    made = (
        read["images"]
        | "batch" >> beam.BatchElements(min_batch_size=job.batch, max_batch_size=job.batch)
        | "apply" >> beam.ParDo(Apply(job.model))
    )
    failures = [read[FAILED]]
    if pictures:
        written = made | "write" >> beam.ParDo(WriteImages(job.out, job.kind)).with_outputs(FAILED, main="none")
        failures.append(written[FAILED])
    else:
        records = made | "examples" >> beam.Map(example)
        records | "write" >> beam.io.WriteToTFRecord(FileSystems.join(job.out, job.kind), file_name_suffix=".tfrecord")
    (
        failures
        | beam.Flatten()
        | "lines" >> beam.Map(json.dumps, ensure_ascii=False)
        | "failures" >> beam.io.WriteToText(FileSystems.join(job.out, FAILURES), num_shards=1, shard_name_template="")
    )


def _one_model_per_folder(job: Job) -> None:
    """A folder goes on with the model it was begun with: results of two would look alike."""
    if "://" not in job.model:
        check_files(Path(job.model))
    about = {"kind": job.kind, "model_sha256": _sha256(job.model)}
    path = FileSystems.join(job.out, ABOUT)
    if FileSystems.exists(path):
        try:
            with FileSystems.open(path) as file:
                before = dict(json.loads(file.read(2**20).decode()))
        except (ValueError, TypeError, RecursionError):
            raise UserError(f"{path} is damaged; remove it, or give another --out.") from None
        if before != about:
            raise UserError(
                f"{job.out} holds results of another model or of another kind ({before.get('kind')}); "
                "give another --out."
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
