"""Thresholds of the evaluator, as rules in words: what a measure must reach before an export is blessed.

    photo_to_sketch.ssim >= 0.4                                                     a value
    photo_to_sketch.ssim - trivial_baselines.photo_to_sketch.ssim.input >= 0.02     a difference of two measures
    retrieval.photo.rank1 change >= -0.05                                           against the newest blessed version

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
    rf"(?P<measure>{_NAME})(\s+-\s+(?P<less>{_NAME}))?(?P<change>\s+change)?"
    r"\s*(?P<direction>>=|<=)\s*(?P<limit>[-+]?[\d.]+(e[-+]?\d+)?)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Rule:
    """``change``: against the newest blessed version; else the value itself."""

    text: str
    measure: str
    less: str | None
    change: bool
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
        if self.change:
            if baseline is None:
                return result | {"passed": None, "why": "no version was blessed before"}
            result["baseline"] = before = self._value(baseline)
            if before is None:
                return result | {"passed": None, "why": "the blessed version holds no such number to compare with"}
            value -= before
        passed = value >= self.limit if self.direction == ">=" else value <= self.limit
        why = "" if passed else f"{'the change' if self.change else 'it'} is {value:.4g}"
        return result | {"passed": passed, "why": why}

    def _value(self, measures: dict[str, float]) -> float | None:
        values = [measures.get(name) for name in (self.measure, self.less) if name]
        if any(value is None or not math.isfinite(value) for value in values):
            return None
        return values[0] - sum(values[1:])


def parse_rule(text: str, setting: str) -> Rule:
    """Raises ``UserError`` that names ``setting`` and shows the form.

    >>> parse_rule("retrieval.photo.rank1 change >= -0.05", "export.thresholds.photo_recognizer").limit
    -0.05
    """
    found = _RULE.fullmatch(text.strip())
    try:
        limit = float(found["limit"])
        return Rule(text.strip(), found["measure"], found["less"], bool(found["change"]), found["direction"], limit)
    except (TypeError, ValueError):
        raise UserError(
            f"{setting} holds {text!r}; a rule is MEASURE >= NUMBER, MEASURE - MEASURE >= NUMBER or "
            "MEASURE change >= NUMBER (or <=), e.g. retrieval.photo.rank1 >= 0.5."
        ) from None


def flat_measures(metrics: dict) -> dict[str, float]:
    """The numbers of ``metrics.json`` by path.

    >>> flat_measures({"retrieval": {"photo": {"rank1": 0.5}}, "note": "text"})
    {'retrieval.photo.rank1': 0.5}
    """
    numbers = {path: value for path, value in flat(metrics).items() if isinstance(value, (int, float))}
    return {path: value for path, value in numbers.items() if not isinstance(value, bool)}
