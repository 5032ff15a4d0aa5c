# What a person needs to try, test and check cxr. On Windows: see CONTRIBUTING.md.
PYTHON ?= python3
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)
INSTALL := $(if $(UV),$(UV) pip install -q --compile-bytecode --python $(BIN)/python,$(BIN)/python -m pip install -q)
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))

.PHONY: help demo test check lint types setup clean
.DELETE_ON_ERROR:

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' Makefile

# Each demo gets a folder of its own, so that no result is ever written over.
demo: $(VENV)/.core ## The five steps on synthetic X-rays, into demo/TIME
	$(BIN)/cxr demo --out demo/$$(date +%Y%m%d-%H%M%S)

# Several threads in each of several processes slow each other down: one thread each.
test: $(VENV)/.dev ## All tests; some of them: make test ARGS=tests/find
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

check: lint types test ## Style, types and all tests

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

setup: $(VENV)/.dev ## Install cxr and the development tools into .venv

clean: ## Remove .venv and caches; demo/ and runs/ are yours and stay
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache src/*.egg-info
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamps: what is installed is installed again only when the versions wanted have changed.
$(VENV)/.core: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing cxr into $(VENV): half a minute with uv, some minutes with pip"
	$(INSTALL) -c constraints.txt -e ".[train]"
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing cxr and its tools into $(VENV): half a minute with uv, some minutes with pip"
	$(INSTALL) -c constraints.txt -e ".[dev]"
	@touch $@ $(VENV)/.core

$(BIN)/python:
	@$(PYTHON) -c '$(SUPPORTED)' 2>/dev/null || { echo "$(PYTHON) is not Python 3.11, 3.12 or 3.13: name one that is, as in make PYTHON=python3.12" >&2; exit 1; }
	$(if $(UV),$(UV) venv -q --seed --python "$$(command -v $(PYTHON))" $(VENV),$(PYTHON) -m venv $(VENV))
