"""The list of guards is up to date; ``python tests/guards.py`` itself takes each away, which is long."""

from pathlib import Path

import pytest
from guards import GUARDS

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_a_guard_stands_once_where_it_is_said_to_and_its_test_is_there(guard):
    assert (ROOT / "iacyclegan_tf" / guard.file).read_text(encoding="utf-8").count(guard.there) == 1
    file, name = guard.test.split("::")
    assert f"def {name}" in (ROOT / "tests" / file).read_text(encoding="utf-8")
