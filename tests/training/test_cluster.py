"""``TF_CONFIG``: what is understood, and what is refused with a sentence."""

import json

import pytest

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.training.distributed.cluster import read_cluster


def config(cluster: dict, kind: str = "worker", index=0) -> dict:
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})}


TWO = {"worker": ["one:2222", "two:2222"]}


@pytest.mark.parametrize("environment", [{}, {"TF_CONFIG": ""}, {"TF_CONFIG": "  "}, config({"worker": ["one:2222"]})])
def test_without_others_there_is_no_cluster(environment):
    assert read_cluster(environment) is None


def test_worker_0_is_the_chief_where_none_is_named():
    first, second = read_cluster(config(TWO)), read_cluster(config(TWO, index="1"))  # some launchers write texts
    assert first.chief and not second.chief and second.number == 1 and second.count == 2
    assert second.name == "worker 1 of 2 (two:2222)"


def test_a_chief_comes_first():
    jobs = {"worker": ["one:1", "two:2"], "chief": ["zero:3"]}
    assert read_cluster(config(jobs, "chief")).chief
    second = read_cluster(config(jobs, "worker", 1))
    assert second.number == 2 and second.addresses == ("zero:3", "one:1", "two:2")


@pytest.mark.parametrize(
    "environment, words",
    [
        ({"TF_CONFIG": "worker 0"}, ["'worker 0'", "must look like"]),
        ({"TF_CONFIG": "[]"}, ["must look like"]),
        ({"TF_CONFIG": '{"cluster": {"worker": ["a:1", "b:2"]}}'}, ["must look like"]),
        (config({"worker": "one:2222"}), ["HOST:PORT"]),
        (config({"worker": ["one:1", "two:2"], "ps": ["three:3"]}), ["ps, worker", "no parameter servers"]),
        (config({"worker": ["one:1", "two:2"], "chief": ["a:1", "b:2"]}), ["one chief at most"]),
        (config(TWO, index=2), ["worker 2", "2 worker"]),
        (config(TWO, index=-1), ["worker -1"]),
        (config(TWO, "chief"), ["chief 0", "2 worker"]),
        (config({"worker": ["one:2222", "one:2222"]}), ["one:2222, one:2222", "occur once"]),
        (config({"worker": ["one", "two:2222"]}), ["HOST:PORT"]),
        (config({"worker": ["one:99999", "two:2222"]}), ["HOST:PORT"]),
    ],
)
def test_what_is_wrong_is_named(environment, words):
    with pytest.raises(UserError, match="TF_CONFIG") as error:
        read_cluster(environment)
    for word in words:
        assert word in str(error.value), error.value
