# The commands of the course. `make` alone lists them.

PYTHON    ?= python3
PIP_ARGS  ?=
VENV      ?= .venv
LITE_VENV ?= .venv-lite
NB        ?=
ARGS      ?=
LAB_ARGS  ?=
NOTEBOOKS ?= notebooks
RUNS      ?= 20
SHIFTS    ?= 10
FOLDER    ?=

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
# Settings, caches and the list of open files stay inside this folder, unless it is read-only.
ifneq ($(shell test -w . && echo yes),)
KEPT := $(if $(filter /%,$(VENV)),$(VENV),$(CURDIR)/$(VENV))/home
export JUPYTER_CONFIG_DIR := $(KEPT)/jupyter/config
export JUPYTER_DATA_DIR := $(KEPT)/jupyter/data
export JUPYTER_RUNTIME_DIR := $(KEPT)/jupyter/runtime
export JUPYTERLAB_SETTINGS_DIR := $(JUPYTER_CONFIG_DIR)/lab/user-settings
export JUPYTERLAB_WORKSPACES_DIR := $(JUPYTER_CONFIG_DIR)/lab/workspaces
export IPYTHONDIR := $(KEPT)/ipython
export MPLCONFIGDIR := $(KEPT)/matplotlib
export npm_config_cache := $(KEPT)/npm
endif

FIRST := $(firstword $(sort $(wildcard notebooks/*.ipynb)) README.md)
NBVAL := --nbval-lax --nbval-current-env --nbval-cell-timeout=120 --nbval-kernel-startup-timeout=60 \
         --nbval-sanitize-with=tests/nbval_sanitize.cfg

# A test that does not come back at all would be waited for without end.
HANGS := -o faulthandler_timeout=1800 -o faulthandler_exit_on_timeout=true

# Jupyter refuses to run as root unless told; inside a container that is the usual user.
ROOT_ARGS := $(if $(filter 0,$(shell id -u)),--allow-root)

.DEFAULT_GOAL := help
.PHONY: help install lab test lint unit nbval test-browser test-lite run fresh slides book lite links audit contracts grade records cifar100 bench readme repeat clean

help: ## this list
	@echo "A hands-on course on the learning rate. First of all: make lab"
	@echo
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "PYTHON=python3.12 chooses the interpreter, PIP_ARGS=... is handed to pip (see README.md)."

# Who names a Python gets it, also where another one made .venv.
ANY_PYTHON := $(if $(filter file,$(origin PYTHON)),--any-python)

install: ## create .venv and install everything (the other commands do it when needed)
	@"$(PYTHON)" -c "" 2>/dev/null || { \
	  echo "The course needs Python 3.11 or newer, and the command '$(PYTHON)' starts none here."; \
	  echo "Install it (python.org, your package manager, or conda), or name it: make lab PYTHON=/path/to/python3"; \
	  exit 1; }
	@"$(PYTHON)" tools/install.py $(ANY_PYTHON) "$(VENV)" $(PIP_ARGS)

lab: install ## open the course in JupyterLab
	$(BIN)/jupyter lab --ServerApp.root_dir="$(CURDIR)" --LabApp.default_url="/lab/tree/$(FIRST)" \
	  --ServerApp.ip=127.0.0.1 --LabApp.news_url= --LabApp.extension_manager=readonly \
	  --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate \
	  --KernelManager.transport_encryption=auto $(ROOT_ARGS) $(LAB_ARGS)

# Needs no installation: it is for whoever has broken something.
fresh: ## put your copy of a notebook aside, lay a fresh one (NB=03; without NB, list the changed)
	@"$(PYTHON)" tools/fresh.py $(NB)

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
	@$(PY) -m codespell_lib

unit: install ## unit tests and the examples in the docstrings
	@$(PY) -m pytest -q --doctest-modules tests course_utils

nbval: install ## run all notebooks and compare the checked outputs
	@$(PY) -m pytest -q $(HANGS) $(NBVAL) $(NOTEBOOKS)

# The jobs that keep the processors busy end with the shell that started them, however it ends.
repeat: install ## nbval RUNS=20 times, the second with all processors busy (over an hour)
	@mkdir -p build/repeat; failed=0; \
	for run in $$(seq $(RUNS)); do \
	  log=build/repeat/run$$run.txt; busy=""; word=passed; start=$$(date +%s); \
	  if [ $$run = 2 ]; then for cpu in $$(seq $$(getconf _NPROCESSORS_ONLN)); do \
	    (while kill -0 $$$$ 2>/dev/null; do :; done) & busy="$$busy $$!"; done; fi; \
	  $(MAKE) --no-print-directory nbval >$$log 2>&1 || { word=FAILED; failed=$$((failed + 1)); }; \
	  if [ -n "$$busy" ]; then kill $$busy; wait $$busy; word="$$word under load"; fi; \
	  echo "run $$run: $$word, $$(($$(date +%s) - start)) s; $$(tail -n 1 $$log)"; \
	  if [ "$${word#passed}" != "$$word" ]; then rm $$log; fi; \
	done; \
	echo "$$failed of $(RUNS) runs failed; what those said is in build/repeat/"; [ $$failed = 0 ]

test-browser: install ## every lesson in JupyterLab in a real browser (NB=01 for one)
	@$(PY) -m pytest -q $(HANGS) $(if $(NB),-k "$(NB)_ or desk or start_here") \
	  --ignore=tests/browser/test_lite.py tests/browser

test-lite: install lite ## lesson 1 in the browser edition, in a real browser without a network (NB=02 for another)
	@LITE_VENV="$(LITE_VENV)" LITE_NB="$(or $(NB),01)" $(PY) -m pytest -q $(HANGS) \
	  tests/browser/test_lite.py

run: install ## execute all notebooks in place and clean them (NB=01 for one)
	@$(PY) tools/notebooks.py run $(NB)

slides: install ## a lecture of each lesson in slides/, for the browser (NB=01 for one)
	@$(PY) tools/slides.py $(NB)

# Sphinx with MyST-NB and the theme Furo: kept up well, reads notebooks with their outputs, and brings
# its search, fonts and scripts along. MathJax is the one of the slides. They are installed here and
# not with the rest, so that `make lab` stays small.
book: install ## a website of all lessons in book/, with search, for the browser
	@$(PY) tools/install.py --any-python --extras book "$(VENV)" $(PIP_ARGS)
	@$(PY) tools/book.py

# JupyterLite and Pyodide, in a small environment of their own. PYODIDE_WHEELS names a folder with the
# wheels of the Pyodide distribution; what is not there is fetched once, from PYODIDE_ADDRESS.
# The course need not be installed for it.
lite: ## a website in which the first lessons run without installation, in lite/
	@PYTHONPATH="$(CURDIR)" "$(PYTHON)" tools/lite.py "$(LITE_VENV)" $(PIP_ARGS)

links: install ## try all external links (needs the network)
	@$(PY) tools/install.py --any-python --extras book "$(VENV)" $(PIP_ARGS)
	@$(PY) tools/links.py

audit: install ## which conclusions fall on other seeds? (NB=03 for one, SHIFTS=10)
	@$(PY) tools/audit.py $(NB) --shifts $(SHIFTS) $(ARGS)

contracts: install ## what each lesson promises in the guide, and its minutes
	@$(PY) tools/contracts.py

grade: install ## run and judge the homework in a folder: FOLDER=path (it runs strangers' code, see the guide)
	@$(PY) tools/grade.py "$(FOLDER)" $(ARGS)

records: install ## make the recorded files of a lesson again: NB=05, ARGS=05_rare_400.json for one
	@$(PY) tools/records.py $(NB) $(ARGS)

cifar100: install ## train lesson 6's networks on CIFAR-100: hours, can be stopped (ARGS=--dry-run)
	@$(PY) -m course_utils.experiments.cifar100 $(ARGS)

bench: install ## measure speed and memory, as one table
	@$(PY) tests/benchmarks/run.py

readme: install ## write the table of lessons in README.md anew
	@$(PY) tools/lesson_map.py

clean: ## remove .venv and all caches; notebooks stay as they are
	rm -rf "$(VENV)" "$(LITE_VENV)" .venv-ci .venv-ci-lite .pytest_cache .ruff_cache .hypothesis build book.tmp lite.tmp *.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +
	find . -name .ipynb_checkpoints -prune -exec rm -rf {} +
