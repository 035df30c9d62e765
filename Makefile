# make train: the quickstart, from a fresh clone.   make test: the tests to run before a commit, a few minutes.
# make test-slow: kills in every phase, workers, full-size files.   make lint: ruff.   All make .venv first.
# make soak: kills, full disks, fuzzing, within an hour on 2 cores.   make soak-long: half an hour side by side.
VENV = .venv
# The interpreter, which chooses the set (docs/stacks.md): the one that made .venv, else 3.11, 3.13, 3.12.
PYTHON ?= $(shell for one in $(VENV)/bin/python python3.11 python3.13 python3.12 python3; do \
	$$one -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$one && break; done)
SET = $(if $(PYTHON),$(shell $(PYTHON) -c 'import sys; old, new = sys.version_info < (3, 12), sys.version_info < (3, 14); \
	print(("requirements.txt" if old else "requirements-current.txt") if new and sys.version_info >= (3, 11) else "")' 2>/dev/null))
PY = $(VENV)/bin/python
ARGS ?=
SOAK ?= /tmp/iacyclegan_tf_soak

.PHONY: train test test-slow lint soak soak-long clean

train: $(VENV)/.installed
	$(PY) -m iacyclegan_tf.train $(ARGS)

test: $(VENV)/.installed
	$(PY) -m pytest -n auto --dist loadfile --no-loadscope-reorder -m "not slow" $(ARGS)

test-slow: $(VENV)/.installed
	$(PY) -m pytest -n auto --dist loadfile --no-loadscope-reorder -m slow --timeout 1800 $(ARGS)

lint: $(VENV)/.installed
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

soak: $(VENV)/.installed
	$(PY) tests/soak.py $(SOAK)/$$(date +%s) $(ARGS)

soak-long: $(VENV)/.installed
	$(PY) tests/long_run.py $(SOAK)/long_$$(date +%s) 30 $(ARGS)

$(VENV)/.installed: requirements.txt requirements-current.txt setup.cfg pyproject.toml
	@test -n "$(SET)" || { echo "error: Python 3.11, 3.12 or 3.13 is needed and $(if $(PYTHON),$(PYTHON) is none of them,none was found): make one here with 'uv venv --python 3.11', or name yours with make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@echo "$$($(PYTHON) -V): installing $(SET) into $(VENV)"
	$(PYTHON) -m venv $(if $(filter $(VENV)/%,$(PYTHON)),,--clear) $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check -r $(SET)
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info
