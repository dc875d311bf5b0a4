# The commands of the course. `make` alone lists them.

PYTHON    ?= python3
PIP_ARGS  ?=
VENV      ?= .venv
NB        ?=
ARGS      ?=
LAB_ARGS  ?=
NOTEBOOKS ?= notebooks

BIN := $(VENV)/bin
PY  := $(BIN)/python

# Small matrices: a second thread costs more than it brings, and one thread gives the same rounding
# everywhere. `make lab OMP_NUM_THREADS=4` overrules it.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= $(OMP_NUM_THREADS)
export MKL_NUM_THREADS ?= $(OMP_NUM_THREADS)
export PYTHONHASHSEED ?= 0
# The kernels of this environment come before those in the home folder.
export JUPYTER_PREFER_ENV_PATH := 1

FIRST := $(firstword $(sort $(wildcard notebooks/*.ipynb)) README.md)
NBVAL := --nbval-lax --nbval-current-env --nbval-cell-timeout=120 --nbval-kernel-startup-timeout=60 \
         --nbval-sanitize-with=tests/nbval_sanitize.cfg

# A browser that does not answer at all would be waited for without end.
HANGS := -o faulthandler_timeout=1800 -o faulthandler_exit_on_timeout=true

# Jupyter refuses to run as root unless told; inside a container that is the usual user.
ROOT_ARGS := $(if $(filter 0,$(shell id -u)),--allow-root)

.DEFAULT_GOAL := help
.PHONY: help install lab test lint unit nbval test-browser run slides book links cifar100 bench readme repeat clean

help: ## this list
	@echo "A hands-on course on the learning rate. First of all: make lab"
	@echo
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "PYTHON=python3.12 chooses the interpreter, PIP_ARGS=... is handed to pip (see README.md)."

install: ## create .venv and install everything (the other commands do it when needed)
	@command -v "$(PYTHON)" >/dev/null || { \
	  echo "The course needs Python 3.11 or newer, and there is no command '$(PYTHON)' here."; \
	  echo "Install it (python.org, your package manager, or conda), or name it: make lab PYTHON=/path/to/python3"; \
	  exit 1; }
	@"$(PYTHON)" tools/install.py "$(VENV)" $(PIP_ARGS)

lab: install ## open the course in JupyterLab
	$(BIN)/jupyter lab --ServerApp.root_dir="$(CURDIR)" --LabApp.default_url="/lab/tree/$(FIRST)" \
	  --ServerApp.ip=127.0.0.1 --LabApp.news_url= --LabApp.extension_manager=readonly \
	  --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate $(ROOT_ARGS) $(LAB_ARGS)

test: install ## check everything: style, unit tests, all notebooks
	@failed=""; \
	for part in lint unit nbval; do \
	  echo; echo "== make $$part"; \
	  $(MAKE) --no-print-directory $$part || failed="$$failed $$part"; \
	done; \
	echo; \
	if [ -z "$$failed" ]; then echo "make test: everything passed."; \
	else echo "make test: FAILED in:$$failed (see above)"; exit 1; fi

lint: install ## style and spelling
	@$(PY) -m ruff check --output-format=concise .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy --no-error-summary course_utils/*.py
	@$(PY) tools/spelling.py

unit: install ## unit tests and the examples in the docstrings
	@$(PY) -m pytest -q --doctest-modules tests course_utils

nbval: install ## run all notebooks and compare the checked outputs
	@$(PY) -m pytest -q $(NBVAL) $(NOTEBOOKS)

repeat: install ## nbval twenty times in a row, once with all processors busy (over an hour)
	@$(PY) tools/repeat.py $(ARGS) -- $(MAKE) --no-print-directory nbval

test-browser: install ## every lesson in JupyterLab in a real browser (NB=01 for one)
	@$(PY) -m pytest -q $(HANGS) $(if $(NB),-k "$(NB)_ or desk or start_here") tests/browser

run: install ## execute all notebooks in place and clean them (NB=01 for one)
	@$(PY) tools/notebooks.py run $(NB)

slides: install ## a lecture of each lesson in slides/, for the browser (NB=01 for one)
	@$(PY) tools/slides.py $(NB)

# Sphinx with MyST-NB and the theme Furo: kept up well, reads notebooks with their outputs, and brings
# its search, fonts and scripts along. MathJax is the one of the slides. They are installed here and
# not with the rest, so that `make lab` stays small.
book: install ## a website of all lessons in book/, with search, for the browser
	@$(PY) tools/extras.py book $(PIP_ARGS)
	@$(PY) tools/book.py

links: install ## try all external links (needs the network)
	@$(PY) tools/links.py $(ARGS)

cifar100: install ## train lesson 6's networks on CIFAR-100: hours, can be stopped (ARGS=--dry-run)
	@$(PY) -m course_utils.experiments.cifar100 $(ARGS)

bench: install ## measure speed and memory, as one table
	@$(PY) tests/benchmarks/run.py

readme: install ## write the table of lessons in README.md anew
	@$(PY) tools/lesson_map.py

clean: ## remove .venv and all caches; notebooks stay as they are
	rm -rf "$(VENV)" .venv-ci .pytest_cache .ruff_cache .hypothesis build *.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +
	find . -name .ipynb_checkpoints -prune -exec rm -rf {} +
