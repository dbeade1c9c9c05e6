# Every task of Haggle. `make help` lists them; `make demo` and `make test` need nothing else first.
SHELL := /bin/bash -euo pipefail
.DEFAULT_GOAL := help

BIN := .venv/bin
INSTALLED := .venv/.installed
HAGGLE := $(BIN)/haggle
# make demo KEEP=1 leaves it running
KEEP ?=
DEMO_OPTIONS ?=

.PHONY: help
help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---------------------------------------------------------------- one machine

.PHONY: demo
demo: $(INSTALLED) ## start everything, trade, audit, ask, report, stop (KEEP=1: leave it running)
	@$(HAGGLE) demo $(if $(KEEP),--keep) $(DEMO_OPTIONS)

.PHONY: up
up: $(INSTALLED) ## start all servers, without simulating
	@$(HAGGLE) up

.PHONY: down
down: $(INSTALLED) ## stop all servers; the data stays
	@$(HAGGLE) down

.PHONY: status
status: $(INSTALLED) ## show what runs
	@$(HAGGLE) status

.PHONY: bench-demo
bench-demo: $(INSTALLED) ## run the demo and print how long each phase took
	@$(HAGGLE) demo --phases $(DEMO_OPTIONS)

# ---------------------------------------------------------------- development

.PHONY: setup
setup: $(INSTALLED) ## make .venv with the locked dependencies

$(INSTALLED): requirements/dev.lock requirements/tools.lock pyproject.toml jobs/embedded/preflight.py
	@command -v python3 >/dev/null || { echo 'haggle: Python 3.11 or newer is needed: sudo apt-get install python3 python3-venv' >&2; exit 1; }
	@python3 jobs/embedded/preflight.py
	@echo 'Making .venv with the locked dependencies (about 700 MB, once per checkout) …'
	@python3 -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/tools.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-build-isolation --require-hashes -r requirements/dev.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-build-isolation --no-deps --editable .
	@touch $@

.PHONY: test
test: $(INSTALLED) lint ## run the whole test suite
	@$(BIN)/pytest -q -n 2 -m "not stack"
	@$(BIN)/pytest -q -m stack --durations 10

.PHONY: lint
lint: $(INSTALLED) ## check style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/sqlfluff lint --quiet --processes 2 sql
	@$(BIN)/shellcheck .ci/run

.PHONY: format
format: $(INSTALLED) ## put the code into its one format
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format --quiet .

.PHONY: generate
generate: $(INSTALLED) ## write the files that are derived from the contract and the settings
	@$(BIN)/python -m app.generate

.PHONY: lock
lock: $(INSTALLED) ## pin the newest allowed dependencies, with hashes
	@$(BIN)/uv pip compile $(COMPILE) pyproject.toml -o requirements/engine.lock
	@$(BIN)/uv pip compile $(COMPILE) --extra jobs pyproject.toml -o requirements/jobs.lock
	@$(BIN)/uv pip compile $(COMPILE) --all-extras pyproject.toml -o requirements/dev.lock
	@$(BIN)/uv pip compile $(COMPILE) requirements/tools.in -o requirements/tools.lock
	@$(BIN)/python -m jobs.embedded.java

COMPILE := --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header
