# Two commands do everything: `make demo` and `make test`. Paths are relative, so the folder may have any name.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
RUN := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed
PEERS := .venv-peers/.installed
DAGSTER_PORT ?= 3000

.PHONY: help demo dev check test chaos bench bench-peers lint format docs site lock clean

help:
	@echo "make demo    install, build a sample warehouse, deliver it through Dagster to a local receiver"
	@echo "make dev     the same in the Dagster UI, scheduled"
	@echo "make check   lint and the quick tests (less than a minute)"
	@echo "make test    all tests (about ten minutes)"
	@echo "make chaos   1,000 kills over 50,000 rows (about fifteen minutes)"
	@echo "make bench   benchmarks: whole processes with defaults against a good script"
	@echo "make bench-peers   the same against drt-core and dlt, in an environment of their own"
	@echo "make lint    ruff, mypy, the contracts of imports, the conventions of this code, the documentation"
	@echo "make site    the documentation as a site, in .site/"

$(INSTALLED): requirements-dev.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed"; exit 1; }
	@test -x $(RUN) || "$(PYTHON)" -m venv --without-pip $(VENV)
	"$(PYTHON)" -m pip --python $(RUN) install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.lock
	"$(PYTHON)" -m pip --python $(RUN) install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(INSTALLED)

demo: $(INSTALLED)
	@$(RUN) -m dagster_project.demo

dev: $(INSTALLED)
	@DAGSTER_PORT=$(DAGSTER_PORT) $(RUN) -m dagster_project.dev

# Tests start many interpreters; each would compile the package anew.
check test chaos: export PYTHONDONTWRITEBYTECODE :=

check: lint
	$(RUN) -m pytest -n 2 --quick

test: $(INSTALLED)
	@scripts/system-packages
	$(RUN) -m pytest -n 3

chaos: $(INSTALLED)
	$(RUN) -m pytest -m soak tests/chaos -s

bench: $(INSTALLED)
	$(RUN) -m benchmarks $(ARGS)

bench-peers: $(INSTALLED) $(PEERS)
	$(RUN) -m benchmarks peers $(ARGS)

$(PEERS): benchmarks/peers/requirements.lock
	@test -x $(@D)/bin/python || "$(PYTHON)" -m venv --without-pip $(@D)
	"$(PYTHON)" -m pip --python $(@D)/bin/python install --quiet --disable-pip-version-check --no-deps --require-hashes -r benchmarks/peers/requirements.lock
	@touch $@

lint: $(INSTALLED)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(VENV)/bin/lint-imports
	$(RUN) -m scripts.docs --check
	$(RUN) -m pytest -q tests/test_conventions.py
	@$(MAKE) --no-print-directory site

# Nothing is fetched; a link that leads nowhere is an error.
site: $(INSTALLED)
	NO_MKDOCS_2_WARNING=1 $(RUN) -m mkdocs build --quiet --strict

format: $(INSTALLED)
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

docs: $(INSTALLED)
	$(RUN) -m scripts.docs

COMPILE = $(RUN) -m uv pip compile --quiet --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links

# What runs in production is locked to the versions that are tested; a file for each extra, whole.
EXTRAS := postgresql snowflake bigquery databricks redshift fast celery sandbox dashboard ui

lock: $(INSTALLED)
	$(COMPILE) pyproject.toml --extra dev --output-file requirements-dev.lock
	$(COMPILE) pyproject.toml --constraint requirements-dev.lock --output-file requirements.lock
	@mkdir -p locks
	set -e; for extra in $(EXTRAS); do $(COMPILE) pyproject.toml --extra $$extra --constraint requirements-dev.lock --output-file locks/$$extra.lock; done
	$(COMPILE) benchmarks/peers/requirements.in --output-file benchmarks/peers/requirements.lock

clean:
	rm -rf $(VENV) .venv-peers .capi .dagster .site
