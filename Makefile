# Everything a developer does, on a machine with Python 3.11, make and git. `make` lists it.
# What is installed comes from the hash-pinned locks; the environment is .venv, uv itself lives in .tools.
SHELL := /bin/sh
PYTHON ?= python3
UV := .tools/bin/uv
BIN := .venv/bin
SERVICES := fetcher rules tickets notifier console
MEMBERS := shared $(SERVICES) local
PACKAGES := shared $(addprefix services/,$(SERVICES)) deploy/local
SOURCES := shared/src $(foreach s,$(SERVICES),services/$s/src) deploy/local/src
# A Python from elsewhere, or a lock that names a registry's host, would be a surprise.
export UV_PYTHON_DOWNLOADS := never
ORDINARY := not slow and not faults and not bench
COMPILE = $(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url \
	$(foreach m,$(MEMBERS),--no-emit-package mailconverter-$m)

.DEFAULT_GOAL := help
.PHONY: help up status test faults lint format lock bench docs install clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: .venv/.synced ## start everything (Kafka, Postgres, the services, a sandbox mailbox); Ctrl-C stops it
	@exec $(BIN)/mailconverter up $(ARGS)

status: .venv/.synced ## what runs, and what was restarted
	@$(BIN)/mailconverter status

# Most tests wait for servers, so several files run side by side; those whose times are the point run alone, afterwards.
WORKERS ?= 3
test: .venv/.synced ## all tests but the slow ones; ARGS="-k name" chooses
	$(BIN)/pytest -n $(WORKERS) --dist loadfile -m "$(ORDINARY) and not alone" $(ARGS) || { [ $$? = 5 ] && [ -n "$$ARGS" ]; }
	$(BIN)/pytest -m "$(ORDINARY) and alone" $(ARGS) || { [ $$? = 5 ] && [ -n "$$ARGS" ]; }

faults: .venv/.synced ## kill and poison parts while mails are on their way (minutes)
	$(BIN)/pytest -m "slow or faults" $(ARGS)

bench: .venv/.synced ## mails/s per stage and end to end
	$(BIN)/pytest -m bench -s tests/benchmarks $(ARGS)

lint: .venv/.synced ## style, types, import rules, locks and generated documents
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(SOURCES) tests .ci/check_locks.py
	$(BIN)/lint-imports
	$(BIN)/python .ci/check_locks.py
	$(BIN)/python -m shared.asyncapi --check

format: .venv/.synced ## let ruff repair what it can
	$(BIN)/ruff check --fix-only -q .
	$(BIN)/ruff format .

docs: .venv/.synced ## write docs/asyncapi/ from the event models
	$(BIN)/python -m shared.asyncapi

lock: $(UV) ## resolve the dependencies anew: one lock for development, one per service
	$(COMPILE) --all-extras --group pyproject.toml:dev $(addsuffix /pyproject.toml,$(PACKAGES)) -o requirements.lock
	@for s in $(SERVICES); do echo "services/$$s/requirements.lock"; \
		$(COMPILE) services/$$s/pyproject.toml --group pyproject.toml:build -c requirements.lock -o services/$$s/requirements.lock || exit 1; done

install: .venv/.synced ## make .venv, without starting anything

$(UV): uv-requirements.txt
	@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo "Python 3.11 or newer with venv and pip is needed (Debian: apt install python3-venv); PYTHON=/path/to/python3 chooses one." >&2; exit 1; }
	$(PYTHON) -m venv .tools
	.tools/bin/pip install --disable-pip-version-check --require-hashes -r uv-requirements.txt
	@touch $@

# uv is order-only: a newer date of the tool is no reason to install again. Bytecode is compiled once, here, side by side: every
# service and test starts several times faster, also where PYTHONDONTWRITEBYTECODE is set.
.venv/.synced: requirements.lock $(addsuffix /pyproject.toml,$(PACKAGES)) | $(UV)
	@test -x $(BIN)/python || $(UV) venv -q --python "$$(.tools/bin/python -c 'import sys; print(sys._base_executable)')" .venv
	VIRTUAL_ENV=.venv $(UV) pip install --compile-bytecode --require-hashes -r requirements.lock
	VIRTUAL_ENV=.venv $(UV) pip install -q --no-deps --no-build-isolation $(foreach p,$(PACKAGES),-e $p)
	@touch $@

clean: ## remove the environment and caches; data of `make up` stays where it is
	rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
