# make train: the quickstart, from a fresh clone.   make test: the tests to run before a commit, a few minutes.
# make test-slow: kills in every phase, workers, full-size files.   make lint: ruff.   All make .venv first.
# make soak: kills, full disks, fuzzing, within an hour on 2 cores.   make soak-long: half an hour side by side.
PYTHON ?= python3.11
VENV = .venv
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

$(VENV)/.installed: requirements.txt setup.cfg pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed ($(PYTHON) was not found): TensorFlow 2.15 has no wheel for newer ones. Name yours with make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "Python 3.11 is needed and $(PYTHON) is $$($(PYTHON) -V 2>&1): TensorFlow 2.15 has no wheel for it. Name a 3.11 with make PYTHON=/path/to/python3.11" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info
