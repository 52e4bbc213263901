# Two commands do all set-up and work: `make course` runs the course headlessly, `make test` passes every test.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help course lab check test nightly bench lint types unit standard notebooks browser \
	test-lowest test-newest audit licences clean

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
WORKERS ?= $(shell nproc 2>/dev/null || echo 2)
RUN_READY := .venv/.ready-run
TEST_READY := .venv/.ready-test

# One compute thread per process: two cores are shared by many processes, never oversubscribed.
export OMP_NUM_THREADS := 1
export MKL_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

help:
	@echo "make course   set up and run every lesson headlessly; ends with the scoreboard and the site"
	@echo "make lab      open JupyterLab on the start page"
	@echo "make check    lint, types and fast tests (under 3 minutes)"
	@echo "make test     every test of a working day (under 40 minutes)"
	@echo "make nightly  everything else: all browser tests, 20-seed stability, faults"
	@echo "make bench    speed as ratios against peers, written to docs/benchmarks.md (one to two hours; BENCH=\"start.py growth.py\" for some)"
	@echo "make test-lowest, make test-newest   fast tests with the lowest and newest versions that pyproject.toml allows"
	@echo "make audit    known vulnerabilities of the pinned packages; needs a network"
	@echo "make licences writes docs/licences.md"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; found $$($(PYTHON) --version). Name one with: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "could not make a virtual environment; on Debian: apt-get install python3-venv"; exit 1; }

$(RUN_READY): requirements.txt pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -r requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(TEST_READY): requirements-test.txt $(RUN_READY)
	$(BIN)/python -m pip install --quiet -r requirements-test.txt
	@touch $@

course: $(RUN_READY)
	$(BIN)/gradscape run --workers $(WORKERS)

lab: $(RUN_READY)
	$(BIN)/gradscape lab

lint: $(TEST_READY)
	$(BIN)/ruff check .

types: $(TEST_READY)
	$(BIN)/mypy

unit: $(TEST_READY)
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile -m "not standard and not slow and not browser"

standard: $(TEST_READY)
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadgroup -m "standard and not slow and not browser"

# Every stored notebook is executed and compared where no network exists at all: that is the offline test.
notebooks: $(TEST_READY)
	$(BIN)/python tests/notebooks/offline.py $(BIN)/python -m pytest -q -c tests/notebooks/nbval.ini --rootdir . \
		-n $(WORKERS) --dist loadfile --nbval-lax --nbval-current-env --nbval-cell-timeout 600 notebooks

browser: $(TEST_READY)
	$(BIN)/python -m pytest -q -m "browser and not slow"

check: lint types unit

test: check standard notebooks browser

nightly: $(TEST_READY)
	$(BIN)/python -m pytest -q -m slow

bench: $(TEST_READY)
	$(BIN)/python benchmarks/report.py $(BENCH)

# Environments of their own, made anew each time: pip finds the versions, nothing is pinned but the lower bounds.
test-lowest test-newest: test-%: | $(BIN)/python
	rm -rf .venv/versions/$*
	$(PYTHON) -m venv .venv/versions/$*
	$(BIN)/python tests/dependencies/versions.py $* > .venv/versions/$*/requirements.txt
	.venv/versions/$*/bin/python -m pip install --quiet -r .venv/versions/$*/requirements.txt hatchling editables
	.venv/versions/$*/bin/python -m pip install --quiet --no-deps --no-build-isolation -e .
	.venv/versions/$*/bin/python -m pip freeze --exclude-editable > .venv/versions/$*/installed.txt
	.venv/versions/$*/bin/python -m pytest -q -n $(WORKERS) --dist loadfile -W default --ignore tests/dependencies \
		-m "not standard and not slow and not browser"

# --strict: a package that could not be looked up is a failure, not a pass.
audit: | $(BIN)/python
	rm -rf .venv/audit
	$(PYTHON) -m venv .venv/audit
	.venv/audit/bin/python -m pip install --quiet pip-audit
	.venv/audit/bin/pip-audit --strict --disable-pip --no-deps -r requirements-test.txt

licences: $(TEST_READY)
	$(BIN)/python tests/dependencies/licences.py

clean:
	rm -rf .venv runs build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis
