# The whole workflow: make demo, make test. CONSTRAINTS= (empty) installs the newest versions instead of the tested ones;
# PIP_OPTIONS takes further options of pip, such as an index with another torch build.
PYTHON ?= python3
CONSTRAINTS ?= constraints.txt
PIP_OPTIONS ?=
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check $(if $(CONSTRAINTS),--constraint $(CONSTRAINTS)) $(PIP_OPTIONS)
PYTEST := $(BIN)/python -m pytest
WORKERS ?= 2

.PHONY: install demo demo-speech test test-slow test-follow test-engines test-stores test-deploy test-extras docs docs-check lint format clean
.DEFAULT_GOAL := help

help:  ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/installed  ## the environment in .venv

demo: $(VENV)/installed  ## corpus, preparation, training, bulk translation, scores and a report, in demo/
	$(BIN)/seq2seq demo --output demo

demo-speech: $(VENV)/installed  ## the same of speech: sentences spoken by espeak-ng, transcripts with times, in demo-speech/
	$(BIN)/seq2seq demo-speech --output demo-speech

test: $(VENV)/installed  ## the whole suite
	$(PYTEST) -m "not slow and not engines and not stores and not extras and not follow" --numprocesses $(WORKERS)

test-slow: $(VENV)/installed  ## the tests that take minutes
	$(PYTEST) -m slow

test-follow: $(VENV)/installed  ## what follows landing zones, killed at every moment; on engines and stores where variables name them
	$(PYTEST) -m follow

test-engines: $(VENV)/installed  ## the same bytes on Prism, Flink and Spark (see docs/engines.md for the variables that name them)
	$(PYTEST) -m engines

test-stores: $(VENV)/installed  ## the same bytes on S3 and Google Cloud Storage (see docs/stores.md for the variables)
	$(INSTALL) --editable '.[all,test,lint,s3,gcs]'
	$(PYTEST) -m stores

test-deploy: $(VENV)/installed  ## images, templates, manifests and schedules of deploy/, by validators that it installs
	$(INSTALL) --editable '.[all,test,lint,deploy]'
	$(PYTEST) tests/deploy -m "not slow"

test-extras: $(VENV)/installed  ## environments of the wheel and one extra: what it is for runs
	SEQ2SEQ_PIP_OPTIONS="$(if $(CONSTRAINTS),--constraint $(abspath $(CONSTRAINTS))) $(PIP_OPTIONS)" $(PYTEST) -m extras --capture=no

docs: $(VENV)/installed  ## write the pages that are made of the code (docs/configuration.md)
	$(BIN)/python -m tests.docs.configuration

docs-check: $(VENV)/installed  ## all that README and docs/ show: commands run, links, names and keys looked up
	$(PYTEST) tests/docs

lint: $(VENV)/installed  ## format check, linter, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/installed  ## format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:  ## remove the environment, caches and the demo
	rm -rf $(VENV) demo demo-speech build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/installed: pyproject.toml $(CONSTRAINTS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version). Use make PYTHON=python3.11 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) (torch is large; the first time takes a few minutes) ..."
	$(INSTALL) --editable '.[all,test,lint]'
	@touch $@
