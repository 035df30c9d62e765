"""Rules of the evaluator against what they say in words."""

import json
import math

import pytest

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.config.blessing_rules import flat_measures, parse_rule
from iacyclegan_tf.config.reading import load_config
from iacyclegan_tf.config.settings import Config

NOW, BEFORE = {"a.x": 0.50, "a.y": 0.30}, {"a.x": 0.40, "a.y": 0.30}


def judged(text: str, measures=NOW, baseline=BEFORE):
    return parse_rule(text, "here").judge(measures, baseline)["passed"]


@pytest.mark.parametrize(
    "text, passed",
    [
        ("a.x >= 0.5", True),
        ("a.x >= 0.51", False),
        ("a.x <= 0.5", True),
        ("a.x <= 0.49", False),
        ("a.x - a.y >= 0.19", True),
        ("a.x - a.y >= 0.21", False),
        ("a.x change >= 0.09", True),
        ("a.x change >= 0.11", False),
        ("a.x change <= 0.09", False),
        ("a.y change >= 0", True),
        ("a.x - a.y change >= 0.09", True),
        ("a.x>=5e-1", True),
    ],
)
def test_a_rule_says_what_it_says(text, passed):
    assert judged(text) is passed


def test_the_direction_of_a_fall():
    """-0.05 allows a fall by 0.05 where higher is better, and +0.05 a rise where lower is better."""
    fallen = {"a.x": 0.36, "a.y": 0.34}
    assert judged("a.x change >= -0.05", fallen) is True and judged("a.x change >= -0.03", fallen) is False
    assert judged("a.y change <= 0.05", fallen) is True and judged("a.y change <= 0.03", fallen) is False


@pytest.mark.parametrize(
    "text, why", [("a.x >= 0.6", "it is 0.5"), ("a.x change >= 0.2", "the change is 0.1"), ("a.x >= 0.5", "")]
)
def test_a_failure_says_what_was_measured(text, why):
    assert parse_rule(text, "here").judge(NOW, BEFORE)["why"] == why


def test_without_a_baseline_a_change_counts_for_nothing():
    assert judged("a.x change >= 0.09", baseline=None) is None
    assert judged("a.x >= 0.5", baseline=None) is True
    assert judged("a.x change >= 0", baseline={}) is None


@pytest.mark.parametrize("measures", [{}, {"a.x": math.nan}, {"a.x": math.inf}])
def test_a_number_that_is_missing_or_not_finite_is_a_failure(measures):
    result = parse_rule("a.x >= 0", "here").judge(measures, None)
    assert result["passed"] is False and "no such finite number" in result["why"]


@pytest.mark.parametrize(
    "text",
    ["", "a.x", "a.x > 0.5", "a.x == 1", "a.x >= half", ">= 0.5", "a.x change", "a.x >= 1.2.3", "a.x >= 0.5 or more"],
)
def test_what_is_no_rule_is_refused(text):
    with pytest.raises(UserError, match=r"export.thresholds.photo_recognizer"):
        parse_rule(text, "export.thresholds.photo_recognizer")


def test_settings_are_checked_when_they_are_read():
    with pytest.raises(UserError, match=r"export.thresholds.photo_to_sketch"):
        load_config(None, ["export.thresholds.photo_to_sketch=[ssim is good]"])
    rules = ("retrieval.photo.rank1 >= 0.5", "retrieval.photo.mrr >= 0.6")
    config = load_config(None, [f"export.thresholds.photo_recognizer={', '.join(rules)}"])
    assert config.export.thresholds.photo_recognizer == rules


def test_measures_are_flat():
    metrics = {"round": 1, "a": {"b": {"c": 0.5}, "words": "x", "flag": True}, "list": [1, 2]}
    assert flat_measures(json.loads(json.dumps(metrics))) == {"round": 1, "a.b.c": 0.5}


def test_every_servable_has_a_rule_on_a_value_by_default():
    for servable, rules in vars(Config().export.thresholds).items():
        assert any(not parse_rule(rule, servable).change for rule in rules), servable
