# The verbs of the project. `make demo` and `make test` need nothing but what the README names.
PYTHON ?= $(shell for p in python3.13 python3 "$$HOME"/.pyenv/versions/3.13.*/bin/python3; do \
	"$$p" -c 'import sys; sys.version_info[:2] == (3, 13) or sys.exit(1); print(sys.executable)' 2>/dev/null && break; done)
UV := $(shell uv --version >/dev/null 2>&1 && command -v uv || echo '$(CURDIR)/.tools/bin/uv')
export UV_PYTHON := $(or $(PYTHON),3.13)
export PYO3_PYTHON := $(CURDIR)/.venv/bin/python
RUN := .venv/bin/
.PHONY: demo test check bench lint rust sync

demo: sync ## the main job on the embedded default, offline
	@$(RUN)sep demo

test: check rust ## everything that CI runs
	$(RUN)pytest -q

check: sync ## an answer in a minute: format, lint, types, arrows
	$(RUN)ruff format --check .
	$(RUN)ruff check .
	$(RUN)mypy
	$(RUN)python -m mypy.stubtest sep_native._native
	$(RUN)lint-imports

rust: sync
	cargo fmt --check
	cargo clippy --workspace --all-targets --quiet -- -D warnings
	cargo test --workspace --quiet

bench: ## release build, then one JSON line a benchmark
	MATURIN_PEP517_ARGS="--profile release" $(UV) sync --locked --all-packages --reinstall-package sep-native
	for f in tests/bench/bench_*.py; do $(RUN)python $$f || exit 1; done

sync: | $(UV)
	@$(UV) sync --locked --all-packages

$(CURDIR)/.tools/bin/uv:
	$(or $(PYTHON),python3) -m venv .tools && .tools/bin/pip install --quiet 'uv>=0.9,<1'
