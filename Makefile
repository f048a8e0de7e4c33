# `make` alone lists the targets.
VENV ?= .venv
PYTHON ?= python3
PY := $(VENV)/bin/python
# Code of about full speed in a fraction of the build time; `make wheel` builds with full optimisation.
PROFILE ?= dist-dev
# Long commands say what they do as they go.
STAGE := $(PYTHON) .ci/stage
DEVELOP = env VIRTUAL_ENV=$(abspath $(VENV)) $(VENV)/bin/maturin develop --profile $(PROFILE)
BENCH_VENV ?= .venv-bench
READERS_VENV ?= .venv-readers
DATA ?=

.DEFAULT_GOAL := help
.PHONY: help preflight demo test test-rust test-python test-report test-kill test-token-files test-readers test-faults test-model test-generate test-chat-10k test-passthrough test-tokens fuzz lint format build wheel bench \
	bench-setup bench-quick bench-limits bench-templates bench-novelty bench-signals bench-contamination bench-pii bench-language language-model bench-asking bench-memory bench-functions bench-scripts bench-rust bench-packing bench-encoding clean

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

preflight:
	@PYTHON="$(PYTHON)" .ci/preflight

$(VENV)/pyvenv.cfg: | preflight
	@$(STAGE) "making the virtual environment $(VENV)" "about 20 s" \
		sh -c "$(PYTHON) -m venv $(VENV) && $(PY) -m pip install --upgrade 'pip>=25.1'"

demo: preflight $(VENV)/pyvenv.cfg ## install thresher and deduplicate the Python files of this machine
	@$(STAGE) "installing the build tool" "about 10 s" $(PY) -m pip install 'maturin>=1.9,<2'
	@$(STAGE) "building thresher and installing it into $(VENV)" "5 to 10 minutes on two cores, less on more" $(DEVELOP)
	@$(PY) examples/demo.py

$(VENV)/.dev: pyproject.toml $(VENV)/pyvenv.cfg
	@$(STAGE) "installing what the tests need" "about a minute" $(PY) -m pip install --group dev
	@touch $@

build: preflight $(VENV)/.dev ## build the extension into the virtual environment
	@$(STAGE) "building the extension" "5 to 10 minutes on two cores, seconds when little changed" $(DEVELOP)

test: test-rust test-python test-model ## all tests

test-rust: preflight ## tests of the crates
	@$(STAGE) "building the tests of the crates" "about 10 minutes on two cores, seconds when little changed" \
		cargo test --workspace --no-run
	@$(STAGE) "tests of the crates" "about 3 minutes on two cores" cargo test --workspace --no-fail-fast

test-python: build ## tests of the package, its documentation and the layers
	@$(STAGE) "tests of the package" "about 12 minutes on two cores" $(PY) -m pytest

test-model: build ## recipes with a real language model in this process
	@$(STAGE) "recipes with a real model" "about 5 minutes on two cores" $(PY) -m pytest -m model tests/generate

test-generate: build ## 10,000 requests with 20 % faults and 5 kills, for two recipes, against undisturbed runs
	THRESHER_REQUESTS=10000 $(PY) -m pytest -q tests/generate/test_runs.py -k kills

# Seeds are generated, and what was found is kept in fuzz/corpus; RUNS=0 goes on until it is stopped.
TARGET ?= $(notdir $(basename $(wildcard fuzz/fuzz_targets/*.rs)))
RUNS ?= 100000
FUZZ := $(abspath fuzz/target/tools)

fuzz: $(FUZZ)/bin/cargo-fuzz $(VENV)/.dev ## fuzz the readers; TARGET=jsonl, RUNS=10000000
	$(PY) fuzz/seeds.py
	for target in $(TARGET); do \
		PATH="$(FUZZ)/bin:$$PATH" RUSTC_BOOTSTRAP=1 cargo fuzz run --sanitizer none $$target \
			fuzz/corpus/$$target fuzz/seeds/$$target -- -runs=$(RUNS) -max_len=4096 -timeout=10 || exit 1; \
	done

$(FUZZ)/bin/cargo-fuzz:
	cargo install --locked --root $(FUZZ) cargo-fuzz

test-report: build ## open the report of a hostile run in a headless Chromium
	$(PY) -m pytest -q -m browser tests/test_report.py

test-chat-10k: ## 10,000 generated rows of each chat format, there and back
	cargo test -p thresher-chat --quiet --test chat -- --ignored --nocapture

test-tokens: ## a million generated texts cut by every published pattern, and the ids of 100,000 documents, against the crate tokenizers
	cargo test -p thresher-tokens --quiet --lib -- --ignored as_the_crate_cuts_them are_those_of_the_crate

test-kill: build ## 200 kills at random times, each followed by the same command, against an undisturbed run
	THRESHER_KILLS=200 $(PY) -m pytest -q tests/test_resume.py

test-token-files: build ## more than 2^31 tokens merged in the memory of a few blocks; 5 GB of disk
	$(PY) -m pytest -q -s -m slow tests/tokens/test_token_files.py

test-readers: build ## torch, TRL and Megatron read token rows, bins and token files, from an environment of their own
	test -d $(READERS_VENV) || $(PYTHON) -m venv $(READERS_VENV)
	$(READERS_VENV)/bin/python -m pip install --quiet -r tests/readers.txt
	PYTHONPATH=python $(READERS_VENV)/bin/python -m pytest -q tests/test_readers_of_others.py

test-faults: build ## a kill, ENOSPC and EIO at every system call that writes (needs strace)
	THRESHER_FAULTS=1 $(PY) -m pytest -q tests/test_faults.py

test-passthrough: build ## 10,000 tables of all types against pyarrow; FILES=folder for foreign files
	$(if $(FILES),PASSTHROUGH_FILES=$(abspath $(FILES))) $(PY) -m pytest -q -s -m '' tests/test_passthrough.py

lint: build ## formatting, lints, types, stub
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- -D warnings
	$(VENV)/bin/ruff format --check python tests benches examples fuzz
	$(VENV)/bin/ruff check python tests benches examples fuzz
	$(VENV)/bin/mypy
	$(VENV)/bin/stubtest thresher._core --mypy-config-file pyproject.toml

format: $(VENV)/.dev ## format everything
	cargo fmt --all
	$(VENV)/bin/ruff format python tests benches examples fuzz

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

bench-templates: build ## near-duplicates among pages of one template: how many are found, in four orders
	$(PY) -m benches.templates

bench-packing: ## log-normal lengths into bins of 2,048, against TRL if it is installed; SEQUENCES=400000
	$(BENCH_VENV)/bin/python -m benches.packing $(SEQUENCES)

bench-encoding: ## texts of five languages into ids, and training, against gigatoken and tokenizers; DATA=folder of en.jsonl, zh.jsonl, ...
	$(BENCH_VENV)/bin/python -m benches.encoding $(DATA)

bench-novelty: ## 52,000 instructions into a pool of novel ones, against what computes every F; SEEDS=seed_tasks.jsonl
	$(BENCH_VENV)/bin/python -m benches.novelty $(SEEDS)

bench-signals: ## signals of each filter preset, MB/s on one thread; FILE=texts.jsonl FIELD=text
	cargo bench -p thresher-filter --bench signals --profile $(PROFILE) -- $(FILE) $(FIELD)

bench-contamination: build ## items of benchmarks leaked into real documents, found and timed; DATA=folder of the real corpora, DECON=binary of decon
	$(PY) -m benches.contamination $(DATA) $(if $(DECON),--decon $(DECON))

# Crates of n-gram tables and sentences, 160 MB; cargo fetches them, and nothing compiles them.
LINGUA := models/language/vendor
$(LINGUA):
	cd models/language && cargo vendor --locked --versioned-dirs vendor >/dev/null

bench-language: $(LINGUA) ## languages of sentences told right, by length, and MB/s, beside whatlang; MODELS=lid.176.ftz for models of fastText
	cargo bench -p thresher-filter --bench language --profile $(PROFILE) -- $(abspath $(LINGUA) $(MODELS))

language-model: $(LINGUA) ## make the model of the language detector anew
	cargo run --release --manifest-path models/language/Cargo.toml -- $(LINGUA) rust/thresher-filter/src/language/model.bin

bench-pii: build ## personal data: precision and recall by type, MB/s on adversarial lines; DATA=folder of the real corpora
	$(PY) -m benches.pii $(if $(DATA),--data $(DATA))
	cargo bench -p thresher-filter --bench pii --profile $(PROFILE)

bench-asking: build ## what a request costs the client, against the openai package if it is installed
	$(PY) -m benches.asking

bench-memory: build ## bytes of memory a document, in memory and over files
	$(PY) -m benches.memory

bench-functions: ## single functions of the package
	$(BENCH_VENV)/bin/python -m pytest benches -m bench

bench-scripts: ## signing in each script and instruction set, one thread
	cargo bench -p thresher-core --bench sign --profile $(PROFILE) -- --scripts

bench-rust: ## single functions of the core
	cargo bench -p thresher-core

clean: ## remove what was built
	cargo clean
	rm -rf $(VENV) demo-out
