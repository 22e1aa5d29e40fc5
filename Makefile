# make demo   recommendations with reasons for two people, on the real models
# make serve  the demo shop over HTTP on http://127.0.0.1:8000; the first start prints an API key
# make test   lint, types, import contracts and every test
# make test-long  tests in a real browser, and those that take minutes
# make train-demo  an adapter for the demo films, and what the gate says of it; killed, it goes on
# make bench  both ranking strategies side by side on the real model
# make bench-rank   ranking against the bare engine, JSON lists and rank-llm, on MovieLens 100K
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

MANY := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n $$((2 * $$(nproc))) --dist loadfile --no-loadscope-reorder

FILMS := .data/films
RANK_LLM := .venv-rank-llm

.PHONY: demo serve train-demo test test-long bench bench-rank lint clean

demo: $(RUNS)
	$(BIN)/genrec demo

serve: $(RUNS)
	mkdir -p .data
	$(BIN)/genrec serve --data prompts/shop/demo --database sqlite:///.data/shop.sqlite

# Training sums differ with the number of threads, and a run goes on only with the same: so it is set here. Two threads
# would wait for each other wherever anything else runs.
train-demo: $(RUNS)
	OMP_NUM_THREADS=1 $(BIN)/genrec train run --data prompts/movies/demo --adapters .data/adapters \
		--candidates 10 --history 3 --most 160 --forms 3 --readings 120 --epochs 1 --look 4 --reasons 40

# Without models two at once on every core, for they wait as much as they compute; with models alone, as they take all
# cores. Those of a file stay together: they share what they set up.
test: $(TESTS) lint
	$(MANY) -m "not model and not browser and not long"
	$(BIN)/python -m pytest -m "model and not long"

test-long: $(TESTS)
	$(MANY) -m "long and not browser and not model"
	$(BIN)/python -m pytest -m "long and model"
	$(MANY) -m browser

bench: $(RUNS)
	$(BIN)/python -m eval bench

bench-rank: $(RUNS) $(FILMS) $(RANK_LLM)/.ready
	$(BIN)/python -m eval bench-rank --data $(FILMS) --rank-llm $(RANK_LLM)/bin/python

lint: $(TESTS)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) $(RANK_LLM) .data

# MovieLens 100K: GroupLens lets it be used for research, not passed on. A wheel on PyPI has it.
$(FILMS): | $(RUNS)
	mkdir -p .data
	$(BIN)/python -m pip --disable-pip-version-check download --quiet --no-deps --dest .data recbole==1.2.1
	$(BIN)/python -m zipfile -e .data/recbole-1.2.1-py3-none-any.whl .data/recbole
	$(BIN)/genrec import movielens-100k .data/recbole/recbole/dataset_example/ml-100k $@
	rm -rf .data/recbole .data/recbole-1.2.1-py3-none-any.whl

$(RANK_LLM)/.ready: requirements/$(HARDWARE).txt requirements/rank-llm.txt
	test -x $(RANK_LLM)/bin/python || $(PYTHON) -m venv $(RANK_LLM)
	$(RANK_LLM)/bin/python -m pip --disable-pip-version-check install --quiet --no-deps $(INDEX) \
		-r requirements/$(HARDWARE).txt -r requirements/rank-llm.txt
	touch $@

# The stamps remember what is installed: a second run installs nothing.
$(RUNS): requirements/$(HARDWARE).txt requirements/train.txt requirements/eval.txt pyproject.toml
	@echo "Installing into $(VENV) for: $(HARDWARE) (make HARDWARE=cpu or HARDWARE=gpu chooses otherwise)"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) $(INDEX) -r requirements/$(HARDWARE).txt -r requirements/train.txt -r requirements/eval.txt
	$(PIP) hatchling==1.33.0 editables==0.6 packaging pathspec pluggy trove-classifiers
	$(PIP) --no-build-isolation --editable .
	touch $@

$(TESTS): $(RUNS) requirements/dev.txt
	$(PIP) --quiet -r requirements/dev.txt
	touch $@
