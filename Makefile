# `make` alone lists the targets.
VENV ?= .venv
PYTHON ?= python3
PY := $(VENV)/bin/python
# Code of about full speed in a fraction of the build time; `make wheel` builds with full optimisation.
PROFILE ?= dist-dev
BENCH_VENV ?= .venv-bench
DATA ?=

.DEFAULT_GOAL := help
.PHONY: help demo test test-rust test-python test-chat-10k lint format build wheel bench bench-setup bench-quick bench-limits \
	bench-functions bench-rust clean

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

$(VENV)/pyvenv.cfg:
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --upgrade 'pip>=25.1'

demo: $(VENV)/pyvenv.cfg ## install thresher and deduplicate the Python files of this machine
	MATURIN_PEP517_ARGS="--profile $(PROFILE)" $(PY) -m pip install --quiet .
	$(VENV)/bin/thresher dedup "$$($(PY) -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
		"$$($(PY) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \
		--glob '*.py' --clusters 5 -o demo-out

$(VENV)/.dev: pyproject.toml $(VENV)/pyvenv.cfg
	$(PY) -m pip install --quiet --group dev
	touch $@

build: $(VENV)/.dev ## build the extension into the virtual environment
	VIRTUAL_ENV=$(abspath $(VENV)) $(VENV)/bin/maturin develop --quiet --profile $(PROFILE)

test: test-rust test-python ## all tests

test-rust: ## tests of the crates
	cargo test --workspace --quiet

test-python: build ## tests of the package, its documentation and the layers
	$(PY) -m pytest -q

test-chat-10k: ## 10,000 generated rows of each chat format, there and back
	cargo test -p thresher-chat --quiet --test chat -- --ignored --nocapture

lint: build ## formatting, lints, types, stub
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- -D warnings
	$(VENV)/bin/ruff format --check python tests benches
	$(VENV)/bin/ruff check python tests benches
	$(VENV)/bin/mypy
	$(VENV)/bin/stubtest thresher._core --mypy-config-file pyproject.toml

format: $(VENV)/.dev ## format everything
	cargo fmt --all
	$(VENV)/bin/ruff format python tests benches

wheel: $(VENV)/.dev ## a wheel with full optimisation, in target/wheels
	$(VENV)/bin/maturin build --release --locked

bench-setup: wheel ## the rivals in two virtual environments, and thresher
	benches/setup.sh $(BENCH_VENV)
	$(BENCH_VENV)/bin/python -m pip install --quiet --force-reinstall --no-deps target/wheels/thresher-*.whl

bench: ## all rivals in one run; DATA=folder of the real corpora
	$(BENCH_VENV)/bin/python -m benches.run --tools $(BENCH_VENV)-text-dedup $(if $(DATA),--data $(DATA)) --record

bench-quick: ## the same on little text, in under two minutes
	$(BENCH_VENV)/bin/python -m benches.run --tools $(BENCH_VENV)-text-dedup $(if $(DATA),--data $(DATA)) --quick

bench-limits: ## inputs that break what is quadratic somewhere, at two sizes each
	$(BENCH_VENV)/bin/python -m benches.limits

bench-functions: ## single functions of the package
	$(BENCH_VENV)/bin/python -m pytest benches -m bench

bench-rust: ## single functions of the core
	cargo bench -p thresher-core

clean: ## remove what was built
	cargo clean
	rm -rf $(VENV) demo-out
