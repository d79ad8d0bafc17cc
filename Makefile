# The commands of the project. `make run` and `make test` need Python 3.11 to 3.13 and make; they install the rest.
# The first of these that the lock files support; python3 reports what to do if there is none.
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c "$(FITS)" 2>/dev/null && { command -v $$python; exit; }; done; echo python3)
NO_PYTHON := Python 3.11, 3.12 or 3.13 is needed; on Debian 12 and 13: apt-get install python3
BOOTSTRAP = $(if $(shell command -v $(PYTHON)),$(PYTHON) deploy/local/bootstrap.py,echo "$(NO_PYTHON)" >&2; false)
VENV := .venv/bin
SCALE ?=
BANK ?= simulated
DEMO ?= small
SERVICE ?=
EXAMPLES ?= 200
MESSAGES ?= 10000
HEAD ?=
SETTLE ?= 10
YES ?=
BY ?= ops
ACCOUNT ?= jianlang
TESTS ?= -m "not deploy"
DROP ?=
FAULTS ?= 200
MEMBERS ?= 5000
SEED ?= 1
STANDBY ?=
NODES ?= 1
LOCK_UPGRADE ?=
IMAGE_OPTIONS ?=
SUITE ?=
AT ?=

# The tests of a file run in one worker, since they share fixtures; small files come last and balance the workers.
# Three workers on two cores: tests often wait for other processes.
PYTEST := $(VENV)/pytest -n 3 --dist loadfile --no-loadscope-reorder --durations=15 --durations-min=1
REPORTS := .local/reports

# Compiled modules are kept: tests start hundreds of Python processes.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
SLOWEST := --durations=15 --durations-min=1

.PHONY: help run bank-client rotate rolling-restart stop reset status logs audit-verify invariants repair rebuild-reports backup restore drill session rotate-keys demo test test-all test-long test-deploy test-debian may-test-debian lock coverage check check-code check-pages docs screenshots videos handbook format bench monitoring setup setup-dev audit-dependencies fuzz chaos poison pressure chaos-control image compose-secrets

help: ## List these commands
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 20

setup:
	@$(BOOTSTRAP) $(if $(filter city,$(DEMO)),city,run)

setup-dev:
	@$(BOOTSTRAP) test

$(VENV)/python:
	@echo "Nothing was set up yet: make run" >&2; exit 1

run: setup ## Start the whole system, unless it runs already: make run SCALE="validation=3 batching=2" BANK=none DEMO=city
	@$(VENV)/python -m deploy.local run --scale "$(SCALE)" --bank "$(BANK)" --demo "$(DEMO)"

bank-client: setup-dev ## Run the example bank for a system that was started by make run BANK=none
	@$(VENV)/python -m deploy.local bank-client

rotate: $(VENV)/python ## Give every program new passwords for broker and database
	@$(VENV)/python -m deploy.local rotate

rolling-restart: $(VENV)/python ## Restart all services one process at a time, without downtime: make rolling-restart SERVICE=batching
	@$(VENV)/python -m deploy.local rolling-restart --of "$(SERVICE)"

stop: $(VENV)/python ## End all processes, keep the data
	@$(VENV)/python -m deploy.local stop

reset: $(VENV)/python ## Stop, and delete all data
	@$(VENV)/python -m deploy.local reset

status: $(VENV)/python ## Show the state of each process
	@$(VENV)/python -m deploy.local status

logs: $(VENV)/python ## Follow the logs: make logs SERVICE=batching
	@$(VENV)/python -m deploy.local logs --of "$(SERVICE)"

monitoring: $(VENV)/python ## Run Prometheus and Alertmanager for the running system, until Ctrl-C
	@$(VENV)/python -m deploy.monitoring run

audit-verify: $(VENV)/python ## Verify the chain of the audit log: make audit-verify HEAD=position:hash LOST=A-B
	@$(VENV)/python -m deploy.local audit-verify --head "$(HEAD)" --lost "$(LOST)"

invariants: $(VENV)/python ## Check all databases and queues against the invariants: make invariants SETTLE=60
	@$(VENV)/python -m deploy.invariants --settle "$(SETTLE)"

repair: $(VENV)/python ## List repairs of violated invariants; make repair YES=yes BY=ops does them
	@$(VENV)/python -m deploy.repair --settle "$(SETTLE)" $(if $(YES),--yes --by "$(BY)")

backup: $(VENV)/python ## Back the databases up with pgBackRest; from then on the write-ahead log is archived
	@$(VENV)/python -m deploy.local backup

restore: $(VENV)/python ## Restore one database: make restore AT="2026-11-29 10:31:00" SERVICE=batching; then make repair
	@$(VENV)/python -m deploy.local restore --of "$(SERVICE)" --at "$(AT)"

drill: setup-dev ## Back up, lose and restore databases of a stack of its own, and reconcile: prints RPO and RTO
	$(VENV)/pytest -m deploy -s -n0 tests/deploy/test_restore_drill.py

rebuild-reports: $(VENV)/python ## Rebuild the counts of the reports from the services' data, while all runs: make rebuild-reports BY=ops
	@$(VENV)/python -m deploy.rebuild_reports --by "$(BY)"

session: $(VENV)/python ## Sign a demo account in and print its cookie: curl -b "$$(make -s session ACCOUNT=jianlang)" ...
	@$(VENV)/python -m deploy.local session --account "$(ACCOUNT)"

rotate-keys: $(VENV)/python ## Add a key of personal data without downtime; make rotate-keys DROP=k1 drops an old one
	@$(VENV)/python -m deploy.local rotate-keys --drop "$(DROP)"

demo: setup ## Run one story on the running system, from sign-in to the bank's feedback
	@$(VENV)/python -m deploy.local.demo

test: setup-dev check ## Check the code, then run the tests of every change, by three workers: ten minutes
	$(PYTEST) -m "not long and not deploy" --junitxml=$(REPORTS)/test.xml

test-all: may-test-debian test ## make test, then the long tests, then make test on the other Debian; as root
	@$(MAKE) --no-print-directory test-long
	@$(MAKE) --no-print-directory test-debian

test-long: setup-dev ## Run the tests that make test leaves out: kills, two-process stacks, poison, pressure, fuzz, the whole matrix
	$(PYTEST) -m "long and not deploy" --junitxml=$(REPORTS)/test-long.xml

test-deploy: setup-dev ## Clusters, failover, image, containers, chart, for real; as root, in its own time
	@test "$$(id -u)" = 0 || { echo "make test-deploy needs root" >&2; false; }
	@status=0; \
	$(VENV)/pytest -m "deploy and alone" $(SLOWEST) --junitxml=$(REPORTS)/test-deploy-alone.xml || status=1; \
	$(VENV)/pytest -m "deploy and not alone" -n 2 --dist loadfile $(SLOWEST) --junitxml=$(REPORTS)/test-deploy.xml \
	|| status=1; exit $$status

may-test-debian:
	@test "$$(id -u)" = 0 || { echo "make test-debian needs root; without it: make test test-long" >&2; false; }

test-debian: ## Run make test in a fresh root of the other Debian, as root: make test-debian SUITE=bookworm
	$(PYTHON) -m deploy.local.debian_root run $(SUITE)
	@$(PYTHON) -m deploy.local.debian_root drop $(SUITE)

check: setup-dev ## Check style, types, boundaries between the parts, generated documents, pages
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=line check-code check-pages

check-code:
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(VENV)/mypy
	$(VENV)/lint-imports
	$(VENV)/python -m deploy.documents --check
	$(VENV)/python -m deploy.local.audit_dependencies

check-pages:
	$(VENV)/python -m deploy.local.web check

LOCK := .local/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header $(if $(LOCK_UPGRADE),--upgrade)

lock: ## Write the lock files of pyproject.toml, for all Pythons: make lock LOCK_UPGRADE=yes upgrades packages
	@rm -rf .local/lock && $(PYTHON) -m venv .local/lock && .local/lock/bin/pip install --quiet uv
	$(LOCK) --output-file requirements.lock pyproject.toml
	$(LOCK) --output-file requirements-dev.lock --group dev pyproject.toml
	$(LOCK) --output-file requirements-image.lock --group image
	$(LOCK) --output-file requirements-history.lock --group history
	@rm -rf .local/lock

audit-dependencies: setup-dev ## Check pinned packages for known vulnerabilities; part of check
	$(VENV)/python -m deploy.local.audit_dependencies

coverage: setup-dev ## Measure which lines and branches all tests reach, in all processes; TESTS="-m 'not long and not deploy'" selects some
	$(VENV)/coverage erase
	-$(VENV)/coverage run -m pytest -n 2 --dist loadfile --no-loadscope-reorder --timeout=1800 $(TESTS)
	$(VENV)/coverage combine --quiet
	$(VENV)/coverage report --skip-covered --sort=cover > $(REPORTS)/coverage.txt
	@grep TOTAL $(REPORTS)/coverage.txt

fuzz: setup-dev ## Send each operation of the API 200 generated requests: make fuzz EXAMPLES=1000
	FUZZ_EXAMPLES=$(EXAMPLES) $(VENV)/pytest --timeout=0 tests/e2e/test_fuzz.py

docs: setup-dev ## Generate the documents that follow from the code: event catalogue, AsyncAPI, OpenAPI, policy, permissions, settings, long tests
	$(VENV)/python -m deploy.documents --write
	$(VENV)/python -m tests.tiers --write

image: setup ## Build the container image of all programs: make image IMAGE_OPTIONS="--online -- --network=host"
	$(VENV)/python -m deploy.image.build $(IMAGE_OPTIONS)

compose-secrets: setup ## Make the secrets of a demo in containers: .local/compose, for deploy/compose
	$(VENV)/python -m deploy.secret_files .local/compose --demo

screenshots: setup-dev ## Take the pictures of docs/images from a separate stack with demo data
	$(VENV)/python -m deploy.handbook.screenshots

videos: setup-dev ## Film the videos of the guides on a separate stack with demo data; needs Debian's chromium and ffmpeg
	$(VENV)/python -m deploy.handbook.videos

handbook: setup-dev ## Build the handbook from docs/handbook and docs/images: HTML and PDF
	$(VENV)/python -m deploy.handbook.book

format: setup-dev ## Format the code and the pages
	$(VENV)/ruff check --fix .
	$(VENV)/ruff format .
	$(VENV)/python -m deploy.local.web format

bench: setup-dev ## Measure performance, and write docs/benchmarks.md
	$(VENV)/python -m tests.bench

chaos: setup-dev ## Inject faults into a system under load and verify that nothing is lost: make chaos FAULTS=200 MEMBERS=5000 SEED=1 STANDBY=yes NODES=3
	$(VENV)/python -m tests.chaos --faults $(FAULTS) --members $(MEMBERS) --seed $(SEED) --nodes $(NODES) $(if $(STANDBY),--standby)

poison: setup-dev ## Send batching malformed bank messages, and verify what becomes of each: make poison MESSAGES=10000
	POISON_MESSAGES=$(MESSAGES) POISON_REPORT=yes $(VENV)/pytest --timeout=0 -n 0 tests/chaos/test_poison.py

pressure: MEMBERS = 20000
pressure: setup-dev ## Overload a system, and verify that memory stays bounded: make pressure MEMBERS=20000
	$(VENV)/python -m tests.chaos.pressure_run --members $(MEMBERS)

chaos-control: FAULTS = 40
chaos-control: setup-dev ## Inject the same faults into textbook services, and verify that losses are detected: make chaos-control FAULTS=40
	$(VENV)/python -m tests.chaos.textbook.control_run --faults $(FAULTS) --seed $(SEED)
