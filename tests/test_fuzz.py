"""Each reader on 200 damaged files that are always the same; ``make soak`` tries 50,000 others
(docs/reliability.md)."""

import time

import pytest
from fuzz_readers import HANG_SECONDS, check_samples, damaged, tried
from fuzz_samples import READERS
from hypothesis import HealthCheck, Phase, given, settings

INPUTS = 200


SLOW = {"matconvnet"}  # scipy reads each in a process of its own


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in READERS]
)
def test_damaged_files_give_an_answer_or_one_sentence(name, tmp_path, capfd):
    reader, seen = READERS[name](tmp_path), {True: 0, False: 0}
    check_samples(name, reader)

    @settings(
        max_examples=INPUTS,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate,),
    )
    @given(damaged(reader))
    def one(data):
        begun = time.process_time()
        seen[tried(reader, data)] += 1
        assert time.process_time() - begun < HANG_SECONDS

    one()
    assert sum(seen.values()) >= INPUTS and seen[False] > INPUTS // 10, (
        seen
    )  # the damage is neither nothing nor all there is
