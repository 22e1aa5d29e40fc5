# make demo   recommendations with reasons for two people, on the real models
# make test   lint, types, import contracts and every test
# make bench  both ranking strategies side by side on the real model
#
# TORCH_INDEX   a package index that has torch for CPUs (2.13.0+cpu), where yours does not:
#               make demo TORCH_INDEX=https://download.pytorch.org/whl/cpu
# HARDWARE      cpu or gpu; found out by nvidia-smi

PYTHON ?= python3.11
TORCH_INDEX ?=
HARDWARE ?= $(if $(shell nvidia-smi -L 2>/dev/null),gpu,cpu)

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --no-deps
INDEX := $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
RUNS := $(VENV)/.runs-$(HARDWARE)
TESTS := $(VENV)/.tests-$(HARDWARE)

.PHONY: demo test bench lint clean

demo: $(RUNS)
	$(BIN)/genrec demo

test: $(TESTS) lint
	$(BIN)/python -m pytest

bench: $(RUNS)
	$(BIN)/python -m eval bench

lint: $(TESTS)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV)

# The stamps remember what is installed: a second run installs nothing.
$(RUNS): requirements/$(HARDWARE).txt pyproject.toml
	@echo "Installing into $(VENV) for: $(HARDWARE) (make HARDWARE=cpu or HARDWARE=gpu chooses otherwise)"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) $(INDEX) -r requirements/$(HARDWARE).txt
	$(PIP) hatchling==1.33.0 editables==0.6 packaging pathspec pluggy trove-classifiers
	$(PIP) --no-build-isolation --editable .
	touch $@

$(TESTS): $(RUNS) requirements/dev.txt
	$(PIP) --quiet -r requirements/dev.txt
	touch $@
