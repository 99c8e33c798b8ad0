# One command for each concern; continuous integration and a developer's machine run the same ones.

# The interpreter: `make test PYTHON=python3.12`. Each version keeps a virtual environment of its own.
PYTHON ?= python3
# More arguments for pytest: `make test ARGS="-k rotation"`.
ARGS ?=
# A short run: `make bench QUICK=1`. Its figures are good for nothing, so docs/ is left alone.
QUICK ?=
# Where `make bench` writes: `make bench REPORT=/tmp/mine`.
REPORT ?= $(if $(QUICK),.benchmarks,docs)
# How long `make soak` takes; its report goes to the terminal, and to a file where REPORT names one.
MINUTES ?= 5
# Where `make wheel` puts it.
DIST ?= dist
# Where `make serve` listens, if nothing else does.
PORT ?= 8000

# The version names the virtual environment, the suffix the extension module.
ABOUT := $(shell $(PYTHON) -c 'import sys, sysconfig; print(sysconfig.get_python_version(), sysconfig.get_config_var("EXT_SUFFIX"), int(sys.version_info >= (3, 10)))')
ifneq ($(lastword $(ABOUT)),1)
$(error PYTHON=$(PYTHON) has to be CPython 3.10 or newer)
endif
VENV := .venv/$(word 1,$(ABOUT))
RUN := $(VENV)/bin/python
TOOLS := $(VENV)/.installed
BENCH_TOOLS := $(VENV)/.bench-installed
NATIVE := python/flask_session_rs/_native$(word 2,$(ABOUT))
NATIVE_SOURCES := Cargo.toml Cargo.lock pyproject.toml $(shell find src -name '*.rs' -o -name '*.profdata')
# maturin refuses to choose when a conda environment is active as well.
MATURIN := env -u CONDA_PREFIX VIRTUAL_ENV=$(abspath $(VENV)) $(VENV)/bin/maturin
# The documentation is built without the extension, and with tools of its own.
DOCS_VENV := .venv/docs-$(word 1,$(ABOUT))
DOCS_TOOLS := $(DOCS_VENV)/.installed

.DEFAULT_GOAL := help
# Further interpreters whose extension modules `make profile` makes a profile of, each with the requirements installed.
PYTHONS ?=
.PHONY: help demo serve test core-tests bench report profile counts mutations fuzz soak model sanitize parallel free-threaded lint format wheel docs clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 15

demo: $(NATIVE) ## visit the example application over HTTP and show what its sessions do and cost
	@tests/install.sh redis-server || true
	@$(RUN) examples/demo.py

serve: $(NATIVE) ## keep the example application running for a browser
	@$(RUN) examples/serve.py $(PORT)

# Two files of tests at a time, which is what most machines have cores for, in the order of tests/conftest.py; benchmarks
# cannot share them, and warn.
TWO_AT_A_TIME := --numprocesses 2 --dist loadfile --no-loadscope-reorder -p no:benchmark

test: ## run the core's tests, then the package's
	tests/install.sh redis-server
	@# Side by side: the last minute of the extension's build is one thread's.
	$(MAKE) --jobs=2 $(NATIVE) core-tests
	cargo test --locked --no-default-features
	cargo test $(FUZZ) --quiet
	$(RUN) -m pytest $(TWO_AT_A_TIME) $(ARGS)

core-tests:
	cargo test --locked --no-default-features --no-run
	cargo test $(FUZZ) --quiet --no-run

bench: $(NATIVE) $(BENCH_TOOLS) ## measure sessions against Flask's, and write docs/benchmarks.md with its plots
	tests/install.sh redis-server
	tests/install.sh wrk
	$(RUN) -m pytest tests/benchmarks -o python_files="bench_*.py" --benchmark-columns median,rounds \
		--bench-report $(REPORT) $(if $(QUICK),--bench-quick) $(ARGS)

soak: $(NATIVE) ## load several workers while Redis is killed, stopped and cut off: MINUTES=5 REPORT=file
	tests/install.sh redis-server
	$(RUN) -m tests.soak --minutes $(MINUTES) $(if $(filter-out file,$(origin REPORT)),--report $(REPORT)) $(ARGS)

# A target directory beside the crate's: an unchanged model is not compiled again.
MODEL := --locked --manifest-path tests/model/Cargo.toml --target-dir target/model

model: ## the locks of the connection pool and the turns, in every order of their threads' steps
	cargo fmt --check --manifest-path tests/model/Cargo.toml
	cargo clippy $(MODEL) --release -- -D warnings
	cargo run $(MODEL) --release --quiet

sanitize: ## the core's tests under AddressSanitizer, and ThreadSanitizer where the toolchain has what it takes
	tests/install.sh redis-server
	tests/sanitizers.sh

# A plugin that would change how every other run reports: it stays outside of the virtual environment.
PARALLEL := .cache/parallel
$(PARALLEL)/.installed: requirements/parallel.txt $(TOOLS)
	rm -rf $(PARALLEL)
	$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps --target $(PARALLEL) --requirement $<
	touch $@

parallel: $(NATIVE) $(PARALLEL)/.installed ## the tests that are fit for it, each in four threads at the same time
	PYTHONPATH=$(PARALLEL) $(RUN) tests/parallel.py $(ARGS)

free-threaded: ## the threads' tests without the GIL: FREE_THREADED=python3.14t, or a CPython that is built for it
	tests/free-threaded.sh

report: $(TOOLS) $(BENCH_TOOLS) ## write them again from docs/benchmarks.json, without measuring
	$(RUN) -m tests.benchmarks.render $(REPORT)

profile: $(TOOLS) ## make the compiler's profile anew, for this interpreter and those in PYTHONS
	tests/install.sh redis-server
	tests/benchmarks/profile.sh $(abspath $(RUN)) $(PYTHONS)

# Without the extension: the core alone is counted.
counts: ## count the core's instructions under valgrind, against tests/counts/counts.json (UPDATE=1 writes it)
	tests/install.sh valgrind
	$(PYTHON) tests/counts/count.py $(if $(UPDATE),--update)

mutations: $(NATIVE) ## plant one fault after the other, see the tests find each, and write docs/planted-faults.md
	tests/install.sh redis-server
	$(RUN) -m tests.mutations --report docs/planted-faults.md $(ARGS)

# How long `make fuzz` takes in all; what it finds new stays in FOUND, so that the next run begins there.
SECONDS ?= 60
SHARE = $$(( ($(SECONDS) + 6) / 7 ))
FOUND := .cache/fuzz-found
FUZZ_TARGETS := cookie token json msgpack reply url
# The crate's target directory: the two have their dependencies in one version each, and compile them once.
FUZZ := --locked --manifest-path fuzz/Cargo.toml --target-dir target
CARGO_FUZZ_VERSION := 0.13.2
CARGO_FUZZ := .cache/cargo-fuzz-$(CARGO_FUZZ_VERSION)
$(CARGO_FUZZ)/bin/cargo-fuzz:
	cargo install --locked cargo-fuzz --version $(CARGO_FUZZ_VERSION) --root $(CARGO_FUZZ)

# Outside of the virtual environment, which `make test` has without it. No wheel, no line for it: hypothesis then.
ATHERIS := .cache/atheris-$(word 1,$(ABOUT))
$(ATHERIS)/.installed: requirements/fuzz.txt $(TOOLS)
	rm -rf $(ATHERIS)
	$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: --target $(ATHERIS) \
		--requirement $<
	mkdir -p $(ATHERIS)
	touch $@

# The flags of sanitizers and coverage are unstable: RUSTC_BOOTSTRAP lets the stable compiler take them. Freed memory is
# held back up to 64 MB, which leaves the targets most of their 512. libFuzzer is C++: nothing else here asks for it.
fuzz: $(NATIVE) $(CARGO_FUZZ)/bin/cargo-fuzz $(ATHERIS)/.installed ## look for inputs that break a promise: SECONDS=60 in all, divided among the targets
	tests/install.sh g++
	RUSTC_BOOTSTRAP=1 $(CARGO_FUZZ)/bin/cargo-fuzz build --fuzz-dir fuzz --features engine --target-dir target/fuzz
	set -e; for target in $(FUZZ_TARGETS); do \
		echo "fuzz: $$target"; \
		mkdir -p $(FOUND)/$$target fuzz/artifacts/$$target; \
		ASAN_OPTIONS=quarantine_size_mb=64 target/fuzz/*/release/$$target -max_total_time=$(SHARE) -timeout=5 \
			-rss_limit_mb=512 -max_len=4096 -verbosity=0 -print_final_stats=1 \
			-artifact_prefix=fuzz/artifacts/$$target/ $(FOUND)/$$target fuzz/corpus/$$target; \
	done
	PYTHONPATH=$(ATHERIS) $(RUN) -m tests.fuzzing.run $(SHARE)

lint: $(NATIVE) ## everything that a machine can say about the sources; a warning is an error
	cargo fmt --check
	cargo clippy --locked --all-targets --no-default-features -- -D warnings
	PYO3_PYTHON=$(abspath $(RUN)) cargo clippy --locked --all-targets --features python -- -D warnings
	cargo fmt --check --manifest-path fuzz/Cargo.toml
	cargo clippy $(FUZZ) --lib --test replay -- -D warnings
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check
	$(RUN) -m mypy
	$(RUN) -m mypy.stubtest flask_session_rs._native

format: $(TOOLS) ## rewrite the sources in the one style
	cargo fmt
	$(RUN) -m ruff check --fix-only
	$(RUN) -m ruff format

wheel: $(TOOLS) ## build a wheel for this interpreter into dist/
	$(MATURIN) build --release --locked --compression-level 9 --out $(DIST) --interpreter $(RUN)

# All pages anew each time: those that are kept from before would keep their warnings to themselves.
docs: $(DOCS_TOOLS) ## build the documentation's site into docs/_build; a warning or a dead link is an error
	$(DOCS_VENV)/bin/python -m sphinx -W --keep-going -n -q --fresh-env -d docs/_build/doctrees docs docs/_build/html
	@echo "The first page: $(abspath docs/_build/html/index.html)"

clean: ## remove everything that these commands make
	rm -rf .venv target fuzz/artifacts dist docs/_build .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	rm -f python/flask_session_rs/_native*.so
	find python tests examples -type d '(' -name __pycache__ -o -name .benchmarks ')' -prune -exec rm -rf {} +

# Cleared when the requirements change, so that it never holds more than they say.
$(TOOLS): requirements/dev.txt
	$(PYTHON) -m venv --clear $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check --requirement requirements/dev.txt
	touch $@

# Likewise.
$(DOCS_TOOLS): requirements/docs.txt
	$(PYTHON) -m venv --clear $(DOCS_VENV)
	$(DOCS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements/docs.txt
	touch $@

# Plots and more servers: nothing but the benchmarks needs them. Clearing the above removes this mark, too.
$(BENCH_TOOLS): requirements/bench.txt $(TOOLS)
	$(RUN) -m pip install --quiet --disable-pip-version-check --requirement requirements/bench.txt
	touch $@

# Always a release build: a debug one is many times slower, and no test or figure should rest on it.
$(NATIVE): $(TOOLS) $(NATIVE_SOURCES)
	$(MATURIN) develop --release --locked
	@# As when a wheel is installed, also where PYTHONDONTWRITEBYTECODE is set.
	$(RUN) -m compileall -q python
	touch $@
