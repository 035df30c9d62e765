"""The evaluator: an export is blessed only where the round's measures meet every threshold of its servable."""

from __future__ import annotations

import json
from pathlib import Path

from iacyclegan_tf.common.atomic_files import write_bytes, write_text
from iacyclegan_tf.common.json_files import read_object
from iacyclegan_tf.config.blessing_rules import flat_measures, parse_rule
from iacyclegan_tf.serving.version_folders import list_versions

BLESSED, NOT_BLESSED = "BLESSED", "NOT_BLESSED"
FILE = "evaluation.json"


def evaluate(servable: str, metrics: dict, rules: tuple[str, ...], blessings: Path, version: int) -> list[str]:
    """Judges one export and writes ``<blessings>/<version>/evaluation.json``, then the mark.

    Changes are against the newest version that was blessed before; without one only values count, and without any rule
    that counts nothing is blessed (as in TFX). Returns the reasons against it, empty when it is blessed.
    """
    measures = flat_measures({name: value for name, value in metrics.items() if name not in ("round", "protocol")})
    baseline = newest_blessed(blessings, below=version)
    before = flat_measures(read_object(blessings / str(baseline) / FILE).get("measures") or {}) if baseline else None
    results = [parse_rule(rule, f"export.thresholds.{servable}").judge(measures, before) for rule in rules]
    reasons = [f"{result['rule']}: {result['why']}" for result in results if result["passed"] is False]
    if all(result["passed"] is None for result in results):
        reasons.append("no threshold that counts; without one nothing is blessed")
    place = blessings / str(version)
    content = {"servable": servable, "version": version, "baseline": baseline, "results": results, "reasons": reasons}
    content |= {"measures": measures, "protocol": metrics["protocol"]}
    write_text(place / FILE, json.dumps(content, indent=2) + "\n")
    write_bytes(place / (NOT_BLESSED if reasons else BLESSED), b"")
    return reasons


def newest_blessed(blessings: Path, below: int) -> int | None:
    """The newest version under ``below`` that bears ``BLESSED``."""
    marked = (version for version in list_versions(blessings) if (blessings / str(version) / BLESSED).exists())
    return max((version for version in marked if version < below), default=None)
