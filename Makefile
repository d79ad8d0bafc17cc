# The commands of the project. `make run` and `make test` need Python 3.11 and make; they install the rest.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv/bin
SCALE ?=
SERVICE ?=

.DEFAULT_GOAL := help
.PHONY: help run stop reset status logs demo test check docs format bench setup setup-dev

help: ## Say what can be done
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

setup:
	@$(PYTHON) deploy/local/bootstrap.py run

setup-dev:
	@$(PYTHON) deploy/local/bootstrap.py test

$(VENV)/python:
	@echo "Nothing was set up yet: make run" >&2; exit 1

run: setup ## Start the whole system, or find it running: make run SCALE="validation=3 batching=2"
	@$(VENV)/python -m deploy.local run --scale "$(SCALE)"

stop: $(VENV)/python ## End all processes, keep the data
	@$(VENV)/python -m deploy.local stop

reset: $(VENV)/python ## Stop and forget all data
	@$(VENV)/python -m deploy.local reset

status: $(VENV)/python ## How each process does
	@$(VENV)/python -m deploy.local status

logs: $(VENV)/python ## Follow the logs: make logs SERVICE=batching
	@$(VENV)/python -m deploy.local logs --of "$(SERVICE)"

demo: setup ## Drive the running system through one story from sign-in to the bank's answers
	@$(VENV)/python -m deploy.local.demo

test: setup-dev check ## Check the code, then run all tests
	$(VENV)/pytest

check: setup-dev ## Style, types, boundaries between the parts, generated documents
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(VENV)/mypy
	$(VENV)/lint-imports
	$(VENV)/python -m services.common.contracts.catalogue --check
	$(VENV)/python -m gateway.openapi --check

docs: setup-dev ## Make the documents that come from the code: event catalogue, AsyncAPI, OpenAPI
	$(VENV)/python -m services.common.contracts.catalogue --write
	$(VENV)/python -m gateway.openapi --write

format: setup-dev ## Bring the code into its form
	$(VENV)/ruff check --fix .
	$(VENV)/ruff format .

bench: setup-dev ## Measure, and write docs/benchmarks.md
	$(VENV)/python -m tests.bench
