# Everything that people, pre-commit and CI run. `make` alone prints this help.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
JOBS ?= 2
VENV := .venv
BIN := $(VENV)/bin
TORCH := 2.13.0

# Where this is set every process compiles what it imports anew: seconds each.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help install demo test test-all lint fix types golden bench docs gates clean

help:  ## Print this help.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

## Environment ------------------------------------------------------------------------

# A stamp under .venv records what is installed, so that a second call installs nothing.
# uv reads none of pip's settings; what pip was told about wheels and indexes is passed on.
define uv_install
export VIRTUAL_ENV="$$PWD/$(VENV)" UV_PYTHON_DOWNLOADS=never UV_HTTP_TIMEOUT=180; \
find_links="$$(echo $${PIP_FIND_LINKS:-} $$($(BIN)/python -m pip config get global.find-links 2>/dev/null || true) | tr -s ' ' '\n' | sort -u | paste -sd, -)"; \
if [ -n "$$find_links" ]; then export UV_FIND_LINKS="$${UV_FIND_LINKS:-$$find_links}"; fi; \
if [ -n "$${PIP_INDEX_URL:-}" ]; then export UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX:-$$PIP_INDEX_URL}"; fi; \
if [ -n "$${PIP_EXTRA_INDEX_URL:-}" ]; then export UV_EXTRA_INDEX_URL="$${UV_EXTRA_INDEX_URL:-$$PIP_EXTRA_INDEX_URL}" UV_INDEX_STRATEGY="$${UV_INDEX_STRATEGY:-unsafe-best-match}"; fi; \
if [ -n "$${PIP_CERT:-}" ]; then export SSL_CERT_FILE="$${SSL_CERT_FILE:-$$PIP_CERT}"; fi; \
$(BIN)/uv pip install --constraint constraints.txt
endef

$(VENV)/.base:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Titian needs Python 3.11 or later; name one: make PYTHON=python3.12")'
	@echo "Making the environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep '^uv==' constraints.txt)"
	@touch $@

# The +cpu build cannot pull in gigabytes of GPU libraries; where it is not to be had
# (another platform, no such wheel), the plain build serves.
$(VENV)/.torch: $(VENV)/.base constraints.txt
	@echo "Installing torch $(TORCH)"
	@if [ "$$(uname -sm)" = "Linux x86_64" ]; then \
		{ $(uv_install) "torch==$(TORCH)+cpu" 2>/dev/null; } || { $(uv_install) "torch==$(TORCH)"; }; \
	else $(uv_install) "torch==$(TORCH)"; fi
	@touch $@

$(VENV)/.demo: EXTRAS := train
$(VENV)/.test: EXTRAS := train,dicom,annotation,dev
$(VENV)/.bench: EXTRAS := train,dicom,annotation,accelerator,bench,dev
$(VENV)/.all: EXTRAS := train,dicom,annotation,accelerator,dask,ray,bench,docs,dev
$(VENV)/.demo $(VENV)/.test $(VENV)/.bench $(VENV)/.all: $(VENV)/.torch pyproject.toml constraints.txt
	@echo "Installing titian[$(EXTRAS)]"
	@$(uv_install) --editable '.[$(EXTRAS)]'
	@touch $@ $(if $(findstring /.all,$@),$(addprefix $(VENV)/.,demo test bench docs))

$(VENV)/.docs: $(VENV)/.base pyproject.toml constraints.txt
	@echo "Installing titian[docs]"
	@$(uv_install) --editable '.[docs]'
	@touch $@

## Targets -----------------------------------------------------------------------------

install: $(VENV)/.all  ## Install everything, all extras and tools, and warm the caches.
	@echo "[1/4] Compiling the installed modules"
	@$(BIN)/python -m compileall -q -j $(JOBS) $(VENV)/lib src || true
	@echo "[2/4] Loading the heavy libraries once"
	@$(BIN)/python -c 'import torch, sklearn, onnxruntime, onnxscript, distributed, ray'
	@echo "[3/4] Finding a browser for the tests of pages"
	@command -v chromium || command -v chromium-browser || command -v google-chrome \
		|| $(BIN)/playwright install chromium \
		|| echo "No browser: tests of pages will be skipped, saying so."
	@echo "[4/4] Checking types once"
	@$(BIN)/mypy || true

demo: $(VENV)/.demo  ## Run the whole loop on a synthetic study with planted faults, offline.
	@$(BIN)/titian demo demo

test: $(VENV)/.test  ## Run the tests (under 10 minutes).
	@$(BIN)/pytest -n $(JOBS) -m "not slow"

test-all: $(VENV)/.all  ## Run all tests: also kills, clusters and browsers.
	@$(BIN)/pytest -n $(JOBS) -m "not slow"
	@$(BIN)/pytest -m slow

lint: $(VENV)/.test  ## Check style, format, spelling and the direction of imports.
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/typos
	@$(BIN)/lint-imports

fix: $(VENV)/.test  ## Mend what ruff can mend.
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

types: $(VENV)/.test  ## Check types (mypy, strict).
	@$(BIN)/mypy

golden: $(VENV)/.test  ## Write the generated pages and golden files anew; review the diff.
	@TITIAN_GOLDEN=write $(BIN)/pytest -q $$(grep -rl --include='test_*.py' TITIAN_GOLDEN tests)
	@git --no-pager diff --stat

bench: $(VENV)/.bench  ## Run every benchmark in turn, beside its peers.
	@for benchmark in benchmarks/*.py; do \
		echo "== $$benchmark"; $(BIN)/python "$$benchmark"; \
	done

docs: $(VENV)/.docs  ## Build the documentation, strictly, into site/.
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

gates: $(VENV)/.test  ## Prove that each gate turns red.
	@$(BIN)/pytest tests/gates

clean:  ## Remove the environment and everything that was built.
	@rm -rf $(VENV) site demo .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
