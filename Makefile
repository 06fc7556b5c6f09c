# Python 3.11 or newer and make are all that a machine needs: each target sets up the rest in .venv first.
# `make` alone prints the targets.

PYTHON ?=                # a Python to use instead of the first fitting one
ARGS ?=                  # more arguments for pytest: make test ARGS="-k revoke -n 0"
FULL ?=                  # make demo FULL=1 tells how the story goes on, in seven more screens
EXPLAIN ?=               # make demo EXPLAIN=1 shows the calls behind each step
STORE ?=                 # postgres: make demo and make run bring a PostgreSQL along, make soak looks for faults there
AGAINST ?= main          # the revision that the contract must not break
PEERS ?=                 # make bench PEERS=1 measures the peers as well; npm is needed
MINUTES ?= 10            # how long make soak looks for faults
UPGRADE ?=               # make lock UPGRADE=1 takes the newest versions that pyproject.toml allows

VENV := .venv
BIN := $(VENV)/bin
LOCKED := $(VENV)/.locked
INSTALLED := $(VENV)/.installed
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input
GENERATED := .build/protos
# The demo's program, beside a PostgreSQL of its own where that is asked for.
DEMO = $(if $(filter postgres,$(STORE)),$(BIN)/python -m tests.postgres) \
  $(BIN)/python -m clients.demo $(if $(strip $(STORE)),--store $(strip $(STORE)))
UV_VERSION := 0.13.9

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

.PHONY: demo
demo: $(INSTALLED) ## tell the story of one person's evidence on a real server (FULL=1 all of it, EXPLAIN=1 the calls, STORE=postgres)
	@$(DEMO) $(if $(strip $(FULL)),--full) $(if $(strip $(EXPLAIN)),--explain)

.PHONY: run
run: $(INSTALLED) ## keep that server running with its people and pages, and print the address to open
	@$(DEMO) run

.PHONY: test
test: $(INSTALLED) ## run the tests (ARGS="-k revoke" for some of them)
	@$(BIN)/python -m tests.browser.install
	$(BIN)/pytest --numprocesses auto --dist loadfile $(ARGS)

.PHONY: bench
bench: $(INSTALLED) ## measure speed, as ratios against limits and peers, into build/bench.json (PEERS=1 SpiceDB and Solid, too)
	$(BIN)/python -m tests.benchmarks $(if $(strip $(PEERS)),--peers) $(ARGS)

.PHONY: soak
soak: $(INSTALLED) ## look for faults for so many MINUTES: races, kills, power loss, full disks, failover (STORE=postgres, ARGS="--seed 7")
	GRPC_ENABLE_FORK_SUPPORT=false $(BIN)/python -m tests.faults.soak --minutes $(MINUTES) $(if $(strip $(STORE)),--store $(STORE)) $(ARGS)

.PHONY: check
check: lint types test ## everything that has to pass before a change lands: lint, types, test

.PHONY: lint
lint: $(INSTALLED) protos-check ## check style, import contracts, the protos, and that generated code fits them
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache --no-logo

.PHONY: types
types: $(INSTALLED) ## check types with mypy, strictly
	$(BIN)/mypy

.PHONY: format
format: $(INSTALLED) ## format Python and protos, and mend what the linter can
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .
	$(BIN)/buf format --write protos --path protos/vault

.PHONY: protos
protos: generated ## rebuild vault/api from protos/: code, and the description in openapi.json
	rm -rf vault/api
	cp -R $(GENERATED)/vault/api vault/api

.PHONY: openapi
openapi: generated ## rewrite only its openapi.json, which `make protos` does too, from protos/ and the access table
	cp $(GENERATED)/vault/api/openapi.json vault/api/openapi.json

.PHONY: screens
screens: $(INSTALLED) ## take the pictures of the pages anew, into docs/screens
	@$(BIN)/python -m tests.browser.install
	$(BIN)/python -m tests.browser.screens

.PHONY: vendor-govuk
vendor-govuk: $(INSTALLED) ## take style and script of GOV.UK Frontend into clients/web/static/govuk
	$(BIN)/python -m tests.vendor_govuk

.PHONY: lock
lock: ## rewrite requirements.lock from pyproject.toml (UPGRADE=1 takes newer versions)
	@$(find-python); "$$python" -m venv --clear .build/lock
	.build/lock/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	.build/lock/bin/uv pip compile pyproject.toml --extra web --group dev --group build --universal --python-version 3.11 \
	  --generate-hashes --no-config --quiet --custom-compile-command "make lock" \
	  $(if $(strip $(UPGRADE)),--upgrade) --output-file requirements.lock

# --- What the targets stand on -------------------------------------------------------------------------------------

.PHONY: protos-check
protos-check: $(INSTALLED) generated
	$(BIN)/buf lint protos
	$(BIN)/buf format --diff --exit-code protos --path protos/vault
	@if git cat-file -e "$(strip $(AGAINST)):protos/buf.yaml" 2>/dev/null; then set -x; \
	  $(BIN)/buf breaking protos --against '.git#ref=$(strip $(AGAINST)),subdir=protos'; \
	else echo "No contract at $(strip $(AGAINST)) to compare with: breaking changes not looked for."; fi
	@diff -r -x __pycache__ $(GENERATED)/vault/api vault/api || \
	  { echo "vault/api does not fit protos/: run 'make protos' and commit the result." >&2; exit 1; }

# The one import prefix of vendored protos is rewritten, since the generated module lies inside our package.
.PHONY: generated
generated: $(INSTALLED)
	@rm -rf $(GENERATED) && mkdir -p $(GENERATED)/vault/api/v1 $(GENERATED)/vault/api/buf/validate
	@touch $(GENERATED)/vault/api/__init__.py $(GENERATED)/vault/api/v1/__init__.py \
	  $(GENERATED)/vault/api/buf/__init__.py $(GENERATED)/vault/api/buf/validate/__init__.py
	@cd protos && export PATH="$(CURDIR)/$(BIN):$$PATH" && protoc="python -m grpc_tools.protoc -I." && \
	  $$protoc --python_out=../$(GENERATED)/vault/api --mypy_out=quiet:../$(GENERATED)/vault/api buf/validate/validate.proto && \
	  $$protoc --python_out=../$(GENERATED) --mypy_out=quiet:../$(GENERATED) vault/api/v1/*.proto && \
	  $$protoc --grpc_python_out=../$(GENERATED) --mypy_grpc_out=quiet:../$(GENERATED) vault/api/v1/*_service.proto && \
	  $$protoc --include_source_info --include_imports --descriptor_set_out=../$(GENERATED)/descriptors vault/api/v1/*.proto
	@$(BIN)/python -m vault.server.openapi < $(GENERATED)/descriptors > $(GENERATED)/vault/api/openapi.json
	@find $(GENERATED) -name '*_pb2*' -exec sed -i.bak 's/^from buf\.validate import/from vault.api.buf.validate import/' {} +
	@find $(GENERATED) -name '*.bak' -exec rm {} +

# Everything in the lock file, and nothing else: a changed lock file begins a new environment.
$(LOCKED): requirements.lock
	@$(find-python); echo "Setting up $(VENV) with $$("$$python" --version): a minute the first time."; \
	  "$$python" -m venv --clear $(VENV)
	@$(PIP_INSTALL) --only-binary :all: --require-hashes --requirement requirements.lock
	@touch $@

# The project itself, in place. `pip check` finds a dependency that the lock file lacks.
$(INSTALLED): $(LOCKED) pyproject.toml vault/__init__.py
	@$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m pip check >/dev/null || \
	  { $(BIN)/python -m pip check; echo "requirements.lock does not fit pyproject.toml: run 'make lock'." >&2; exit 1; }
	@touch $@

# Sets $python, or says what to do.
define find-python
python=; for candidate in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
	  if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "Python 3.11 or newer is needed. What is here: $$(python3 --version 2>/dev/null || echo no python3)." >&2; \
	  echo "Install one (Debian 12, Ubuntu 24.04 or newer: apt-get install python3 python3-venv), or name it: make PYTHON=/path/to/python3" >&2; \
	  exit 1; \
	fi; \
	if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
	  echo "$$python has no venv module. On Debian and Ubuntu: apt-get install python3-venv" >&2; \
	  exit 1; \
	fi
endef
