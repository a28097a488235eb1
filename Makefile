# The chores of isrflow. `make` alone lists them; each sets up .venv first if it is not there.
# A clean machine needs python3.11 or newer (with its venv module), make, and a package index.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DEMO ?= demo

# Outside truth for the tests, read in place; whatever is absent is skipped by the tests, saying so.
SHARED := $(abspath ../shared)
ISRFLOW_VECTORS ?= $(wildcard $(SHARED)/vectors)
ISRFLOW_REALDATA ?= $(wildcard $(SHARED)/realdata)
ISRFLOW_LSST_FILES ?= $(wildcard $(SHARED)/lsst-files)

.DEFAULT_GOAL := help
.PHONY: help setup demo test check format bench pages docs clean

help: ## list the chores
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(INSTALLED) ## make .venv with the locked dependencies
	@echo "ready: $(BIN)/isrflow --help"

demo: $(INSTALLED) ## simulate, calibrate, process and report a night in ./demo (DEMO=DIR puts it elsewhere)
	$(BIN)/isrflow demo $(DEMO)

test: export ISRFLOW_VECTORS := $(ISRFLOW_VECTORS)
test: export ISRFLOW_REALDATA := $(ISRFLOW_REALDATA)
test: export ISRFLOW_LSST_FILES := $(ISRFLOW_LSST_FILES)
test: $(INSTALLED) ## run all tests on two cores (ARGS="tests/cli -x" narrows it)
	$(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder $(ARGS)

check: $(INSTALLED) ## lint, formatting, types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(INSTALLED) ## let ruff mend what it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(INSTALLED) ## print what everything costs (bench-NAME runs benchmarks/bench_NAME.py alone, ARGS=--full for all of it)
	@for file in benchmarks/bench_*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

bench-%: $(INSTALLED)
	$(BIN)/python benchmarks/bench_$*.py $(ARGS)

pages: $(INSTALLED) ## write the pages of steps and closure anew, from the code and simulated exposures
	$(BIN)/python -W ignore docs/tools/step_pages.py
	$(BIN)/python docs/tools/closure_page.py

docs: $(INSTALLED) ## build the documentation into ./site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean: ## remove .venv, caches and what the chores have built
	rm -rf $(VENV) build dist site demo *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "error: '$(PYTHON)' is not Python 3.11 or newer" >&2; \
	  echo "  try: make setup PYTHON=/path/to/python3.11" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "error: '$(PYTHON)' cannot make virtual environments: its venv module is not installed" >&2; \
	  echo "  try: apt-get install python3-venv" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,docs]'
	@touch $@
