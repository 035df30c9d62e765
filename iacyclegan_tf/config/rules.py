"""Thresholds of the evaluator, as rules in words: what a measure must reach before an export is blessed.

    photo_to_sketch.ssim >= 0.4                                                     a value
    photo_to_sketch.ssim - trivial_baselines.photo_to_sketch.ssim.input >= 0.02     a difference of two measures
    retrieval.photo.rank1 change >= -0.05                                           against the newest blessed version
    retrieval.photo.rank1 relative change >= -0.1                                   as a share of its value there

Measures are the numbers of a round's ``metrics.json``, by their path. ``>=`` says that higher is better, ``<=`` that
lower is: the value and change thresholds of TFX's Evaluator with their direction.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.config.settings import flat

_NAME = r"[A-Za-z][\w.]*"
_RULE = re.compile(
    rf"(?P<measure>{_NAME})(\s+-\s+(?P<less>{_NAME}))?(\s+(?P<kind>(relative\s+)?change))?"
    r"\s*(?P<direction>>=|<=)\s*(?P<limit>[-+]?[\d.]+(e[-+]?\d+)?)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Rule:
    """``kind`` is ``value``, ``change`` or ``relative change``."""

    text: str
    measure: str
    less: str | None
    kind: str
    direction: str
    limit: float

    def judge(self, measures: dict[str, float], baseline: dict[str, float] | None) -> dict:
        """``{"rule", "value", "baseline", "passed", "why"}``; ``passed`` is ``None`` where there is nothing to compare.

        ``measures`` and ``baseline`` (of the newest blessed version) are flat, by path.
        """
        value = self._value(measures)
        result = {"rule": self.text, "value": value, "baseline": None, "passed": False, "why": ""}
        if value is None:
            return result | {"why": "the round's metrics hold no such finite number"}
        if self.kind != "value":
            if baseline is None:
                return result | {"passed": None, "why": "no version was blessed before"}
            before = self._value(baseline)
            result["baseline"] = before
            if before is None or (self.kind == "relative change" and before == 0.0):
                return result | {"passed": None, "why": "the blessed version holds no such number to compare with"}
            value = value - before if self.kind == "change" else (value - before) / abs(before)
        passed = value >= self.limit if self.direction == ">=" else value <= self.limit
        return result | {
            "passed": passed,
            "why": "" if passed else f"{'it' if self.kind == 'value' else f'the {self.kind}'} is {value:.4g}",
        }

    def _value(self, measures: dict[str, float]) -> float | None:
        values = [measures.get(name) for name in (self.measure, self.less) if name]
        if any(value is None or not math.isfinite(value) for value in values):
            return None
        return values[0] - sum(values[1:])


def parse_rule(text: str, setting: str) -> Rule:
    """Raises ``UserError`` that names ``setting`` and shows the form.

    >>> parse_rule("retrieval.photo.rank1 change >= -0.05", "export.thresholds.photo_recognizer").kind
    'change'
    """
    match = _RULE.fullmatch(text.strip())
    try:
        return Rule(
            text.strip(),
            match["measure"],
            match["less"],
            " ".join((match["kind"] or "value").lower().split()),
            match["direction"],
            float(match["limit"]),
        )
    except (TypeError, ValueError):
        raise UserError(
            f"{setting} holds {text!r}; a rule is MEASURE >= NUMBER, MEASURE - MEASURE >= NUMBER or "
            "MEASURE change >= NUMBER (or <=, or relative change), e.g. retrieval.photo.rank1 >= 0.5."
        ) from None


def flat_measures(metrics: dict) -> dict[str, float]:
    """The numbers of ``metrics.json`` by path.

    >>> flat_measures({"retrieval": {"photo": {"rank1": 0.5}}, "note": "text"})
    {'retrieval.photo.rank1': 0.5}
    """
    numbers = {path: value for path, value in flat(metrics).items() if isinstance(value, (int, float))}
    return {path: value for path, value in numbers.items() if not isinstance(value, bool)}
