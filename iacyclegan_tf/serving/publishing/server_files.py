"""The text files that a TensorFlow Serving process reads: models, batching and monitoring (docs/serving.md).

Their protos are ModelServerConfig, BatchingParameters and MonitoringConfig of tensorflow/serving.
"""

from __future__ import annotations

from pathlib import Path

from iacyclegan_tf.common.atomic_files import write_text
from iacyclegan_tf.config.settings import BatchingConfig, ExportConfig
from iacyclegan_tf.serving.signatures import SERVABLES
from iacyclegan_tf.serving.version_folders import list_versions

PUSHED = "assets.extra/pushed.json"  # in each version that the pusher made of a blessed export
MODELS, BATCHING, MONITORING = "models.config", "batching.config", "monitoring.config"
PER_MODEL_BATCHING = "batching_params.pbtxt"  # inside a version; servables without it are not batched
METRICS_PATH = "/monitoring/prometheus/metrics"


def write_server_files(base: Path, settings: ExportConfig) -> None:
    write_text(base / BATCHING, batching(settings.batching))
    write_text(base / MONITORING, f'prometheus_config {{ enable: true path: "{METRICS_PATH}" }}\n')
    write_text(base / MODELS, models(base, settings))


def pushed_versions(folder: Path) -> list[int]:
    """Those that the pusher made, hence blessed, oldest first."""
    return [version for version in list_versions(folder) if (folder / str(version) / PUSHED).is_file()]


def models(base: Path, settings: ExportConfig) -> str:
    """A ModelServerConfig of all servables that have a blessed version.

    ``stable`` is the newest blessed version, ``canary`` the newest of all, also one that somebody put there for trial.
    Labels may only point to versions that are loaded: ``specific`` loads those two and the blessed one before, to go
    back to; ``latest`` as many of the newest as that takes.
    """
    blocks = []
    for servable in SERVABLES:
        versions, blessed = list_versions(base / servable), pushed_versions(base / servable)
        if not blessed:
            continue
        labels = {"stable": blessed[-1], "canary": versions[-1]}
        loaded = sorted({*blessed[-2:], *labels.values()})
        if settings.version_policy == "specific":
            policy = f"specific {{ {' '.join(f'versions: {version}' for version in loaded)} }}"
        else:
            policy = f"latest {{ num_versions: {sum(version >= loaded[0] for version in versions)} }}"
        lines = [
            f'name: "{servable}"',
            f"base_path: {_quoted(settings.server_path.rstrip('/') + '/' + servable)}",
            'model_platform: "tensorflow"',
            f"model_version_policy {{ {policy} }}",
            *(f'version_labels {{ key: "{label}" value: {version} }}' for label, version in labels.items()),
        ]
        blocks.append("  config {\n" + "".join(f"    {line}\n" for line in lines) + "  }\n")
    return "model_config_list {\n" + "".join(blocks) + "}\n"


def batching(settings: BatchingConfig) -> str:
    """BatchingParameters. No ``allowed_batch_sizes``: an image of padding costs as much as a real one."""
    return (
        f"max_batch_size {{ value: {settings.max_batch_size} }}\n"
        f"batch_timeout_micros {{ value: {settings.timeout_micros} }}\n"
        f"num_batch_threads {{ value: {settings.threads} }}\n"
        "max_enqueued_batches { value: 100 }\n"
    )


def _quoted(text: str) -> str:
    """A string of the protobuf text format."""
    return '"' + "".join(chr(b) if 32 <= b < 127 and b not in b'"\\' else f"\\{b:03o}" for b in text.encode()) + '"'
