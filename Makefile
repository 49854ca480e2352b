# Everything happens in a virtual environment of the project; nothing else of the machine is changed,
# but for one thing: as root on Debian or Ubuntu, `make test` installs PostGIS with apt if no other
# way to it is open (tests/postgis.py), and Chromium likewise (tests/browser.py).

PYTHON ?= python3
VENV ?= .venv
LOWEST ?= .venv-lowest
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# Stamps: what is installed, and from which pyproject.toml.
PRODUCT := $(VENV)/.product
TOOLS := $(VENV)/.tools

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help venv torch lint test test-lowest coverage fuzz sanitize docs changelog screenshots demo bench simulate clean

help:   ## Show these lines
	@sed -n 's/^\([a-z-]*\): .*## */\1\t/p' $(MAKEFILE_LIST) | expand -t 13

venv: $(TOOLS) ## Install the project with all its tools into .venv (PYTHON=python3.12 chooses another)

# PyPI's torch for Linux brings gigabytes of CUDA; where a CPU build is offered, name its index in
# PIP_EXTRA_INDEX_URL, as https://download.pytorch.org/whl/cpu.
torch: $(TOOLS) ## Install PyTorch and friends too: tests that watch them are skipped without
	$(PIP) install torch==2.13.0
	$(PIP) install --editable '.[test,lint,docs,test-torch]'

lint: $(TOOLS) ## Check style, types, names, who imports whom, and the files of tools
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tests/typing/api.py tests/memory_store.py
	$(BIN)/lint-imports
	$(BIN)/python tests/style/names.py
	$(BIN)/actionlint .github/workflows/*.yml
	$(BIN)/pre-commit validate-config
	$(BIN)/towncrier build --draft >/dev/null

test: lint docs ## Lint, then run the tests, on SQLite and on PostGIS (ARGS="-k rank" chooses)
	$(BIN)/python -m pytest --numprocesses auto $(ARGS)

# Whole processes, as those of commands and servers, are not watched: unit tests alone must suffice.
COVERED := tests/unit tests/contract
FLOOR := 85

coverage: $(TOOLS) ## Measure what the unit tests and contracts cover; below FLOOR it fails
	$(BIN)/python -m pytest --numprocesses auto --cov --cov-fail-under=$(FLOOR) $(COVERED) $(ARGS)

# Of all that is supported, the oldest release that pyproject.toml allows.
test-lowest: $(TOOLS) ## Test with the oldest releases of everything, in .venv-lowest
	$(BIN)/uv venv --quiet --seed --clear --python $(BIN)/python $(LOWEST)
	$(BIN)/uv pip install --quiet --python $(LOWEST) --resolution lowest-direct \
	  --constraints tests/oldest.txt --editable '.[test]'
	$(LOWEST)/bin/python -m pytest --numprocesses auto $(ARGS)

changelog: $(TOOLS) ## Show what the next version brings
	@$(BIN)/towncrier build --draft

fuzz: $(TOOLS) ## Read COUNT=10000 spoiled files by SEED=0, for SECONDS=3600 at most
	$(BIN)/python -m tests.fuzz.run --count $(or $(COUNT),10000) --seed $(or $(SEED),0) \
	  --seconds $(or $(SECONDS),3600)

sanitize: $(TOOLS) ## Attack the compiled kernel for SECONDS=600 by SEED=0, with each kind of sanitizer
	$(BIN)/python -m tests.sanitizer.run $(or $(SECONDS),600) $(or $(SEED),0) address
	$(BIN)/python -m tests.sanitizer.run $(or $(SECONDS),600) $(or $(SEED),0) thread

docs: $(TOOLS) ## Build the documentation into build/docs; broken links and other warnings are errors
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet docs build/docs
	@echo "build/docs/index.html"

screenshots: $(TOOLS) ## Take the pictures of README and docs anew, in a browser
	$(BIN)/python -m pytest tests/end_to_end/test_mlflow_browser.py -k stock_pages
	cp test-output/mlflow-saved-view.png test-output/mlflow-report.png test-output/mlflow-tour.webp \
	  examples/screenshots/

demo: $(PRODUCT) ## Find the best detector of simulated fires by place and night; then real images
	$(BIN)/velour demo

bench: $(TOOLS) ## Measure speed and memory against peers
	$(PIP) install --editable '.[test,lint,docs,bench]'
	$(BIN)/python -m tests.benchmarks.run all

simulate: $(TOOLS) ## Check what intervals, ranks and tests promise where the truth is known (ARGS="ranks")
	$(BIN)/python -m tests.simulation.run --processes $$(nproc) $(ARGS)

clean:  ## Delete what make and the tools made; databases and runs stay
	rm -rf $(VENV) $(LOWEST) build dist test-output *.egg-info .coverage .hypothesis \
	  .import_linter_cache .mypy_cache .pytest_cache .ruff_cache

SOURCES := pyproject.toml setup.py \
  $(wildcard velour_plugin/native/*.[ch] evaluators/velour_evaluators/kernels/native/*.[ch])

# People wait for this one: pip says what it fetches, and from 25.1 on how far it has installed.
$(PRODUCT): $(SOURCES) | $(BIN)/python
	@echo "Installing Velour and MLflow into $(VENV): about 100 packages, 1 GB, for some minutes."
	@$(PIP) install --upgrade 'pip>=25.1'
	$(BIN)/python -m pip --disable-pip-version-check install --editable .
	@touch $@

$(TOOLS): $(SOURCES) | $(BIN)/python
	$(PIP) install --editable '.[test,lint,docs]'
	@touch $(PRODUCT) $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' || { \
	  echo "$(PYTHON) is no Python 3.11 to 3.14: name one, as in: make venv PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { \
	  echo "$(PYTHON) cannot make virtual environments. Debian, Ubuntu: apt-get install python3-venv" >&2; \
	  echo "Or name another Python, as in: make venv PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
