# The verbs of the project. `make demo` and `make test` need nothing but what the README names.

# Candidates are executed, not looked up: a shim may exist and still not run.
PYTHON ?= $(shell for p in python3.13 python3 "$$HOME"/.pyenv/versions/3.13.*/bin/python3; do \
	"$$p" -c 'import sys; sys.version_info[:2] == (3, 13) or sys.exit(1); print(sys.executable)' 2>/dev/null && break; done)
UV := $(shell uv --version >/dev/null 2>&1 && command -v uv || echo '$(CURDIR)/.tools/bin/uv')
export UV_PYTHON := $(or $(PYTHON),3.13)
export PYO3_PYTHON := $(CURDIR)/.venv/bin/python
BIN := .venv/bin/

.DEFAULT_GOAL := help
.PHONY: help demo test check rust bench soak sync lock build

help: ## these lines
	@sed -n 's/^\([a-z]*\):.*## /make \1	/p' Makefile

demo: sync ## the main job on the embedded default, offline
	@$(BIN)sep demo

test: check rust ## everything that CI runs
	$(BIN)pytest -n 2 --dist loadfile

check: sync ## format, lint, types, arrows between parts: an answer in a minute
	$(BIN)ruff format --check .
	$(BIN)ruff check .
	$(BIN)mypy
	$(BIN)python -m mypy.stubtest sep_native._native
	$(BIN)lint-imports

rust: sync ## format, lint and tests of the native core; its crates need no Python
	cargo fmt --check
	cargo clippy --workspace --all-targets --locked --quiet -- -D warnings
	cargo test --workspace --exclude sep-native --locked --quiet
	@! cargo tree --workspace -i pyo3 -e normal --depth 1 --locked | grep -E '^.── sep-' | grep -v 'sep-native' \
		|| { echo 'a crate other than sep-native uses pyo3'; exit 1; }

bench: sync ## one JSON line for each figure, on a release build that stands beside the debug one
	@rm -rf target/bench
	@$(UV) build --quiet --package sep-native --wheel --out-dir target/bench/wheel
	@$(BIN)python -m zipfile -e target/bench/wheel/*.whl target/bench
	@for f in tests/bench/bench_*.py; do PYTHONPATH='$(CURDIR)/target/bench' $(BIN)python $$f || exit 1; done

soak: sync ## everything that searches long, MINUTES=10 by default; SEED= searches the same again
	@$(BIN)python -m tests.soak --minutes $(or $(MINUTES),10) $(if $(SEED),--seed $(SEED))

build: sync ## the wheels of all packages, in dist/
	$(UV) build --all-packages --wheel

lock: | $(UV) ## after a change of dependencies
	$(UV) lock

sync: | $(UV)
	@$(UV) sync --locked --all-packages --compile-bytecode || { test -n '$(PYTHON)' || \
		echo 'SEP needs Python 3.13 and found none: install it (package manager, pyenv or uv), then run make again'; exit 1; }

$(CURDIR)/.tools/bin/uv:
	@echo 'uv is absent: installing it into .tools'
	@$(or $(PYTHON),python3) -m venv .tools && .tools/bin/pip install --quiet --disable-pip-version-check 'uv>=0.9,<1'
