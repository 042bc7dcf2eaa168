# One virtual environment, made on first use and again when pyproject.toml changes. Both can be chosen: make test VENV=... PYTHON=...
VENV ?= .venv
PYTHON ?= python3
JOBS ?= 2

RUN := $(VENV)/bin/python
STAMP := $(VENV)/.setup

.PHONY: setup demo test coverage lint types notebooks docs bench clean

setup: $(STAMP)

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "dmlcore needs Python 3.11 or newer, and '$(PYTHON)' is not. Name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "setting up $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(RUN) -m pip install -qq --disable-pip-version-check --editable '.[dev]'
	@touch $@

DEMO := $(VENV)/.demo

# The library and what a demo needs, without the tools of development.
$(DEMO): pyproject.toml
	@echo "setting up $(VENV)"
	@test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	@$(RUN) -m pip install -qq --disable-pip-version-check --editable '.[plot]'
	@touch $@

demo: $(DEMO)
	@$(RUN) -m dmlcore.demo

test: $(STAMP)
	MPLBACKEND=Agg $(RUN) -m pytest -q -n $(JOBS)

# Which lines and branches no test runs, in one process: what other processes run (Dask, Spark, notebooks, the kernels) is not seen.
coverage: $(STAMP)
	MPLBACKEND=Agg $(RUN) -m coverage run -m pytest -q
	$(RUN) -m coverage report

lint: $(STAMP)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(VENV)/bin/lint-imports --no-cache

types: $(STAMP)
	$(RUN) -m mypy dmlcore

notebooks: $(STAMP)
	$(RUN) -m pytest -q tests/test_notebooks.py

# The site, into build/site: open build/site/index.html. Notebooks are shown as they are kept.
docs: $(STAMP)
	MPLBACKEND=Agg $(RUN) -m sphinx -q -W --keep-going -c docs -d build/pages . build/site

bench: $(STAMP)
	@$(RUN) -m pip install -qq --disable-pip-version-check --editable '.[bench]'
	$(RUN) -m benchmarks

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
	find dmlcore tests -name __pycache__ -type d -prune -exec rm -rf {} +
