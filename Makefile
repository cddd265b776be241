# Slotcast: make run. The environment is made on first use, in .venv/.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SEEDS ?= 5000
MINUTES ?= 20
WATCHERS ?= 10000
ARGS ?=
TIER ?=
SCENARIO ?= release

# Stamps: written when a set is installed, older than a changed lock file.
RUN_READY := $(VENV)/.ready-run
DEV_READY := $(VENV)/.ready-dev
SERVICES ?= .services
SERVICES_READY := $(SERVICES)/.ready

.PHONY: help run check test simulate bench webbench load soak blink attack screens lock clean
.DEFAULT_GOAL := help

help:  ## this list
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 20

run: $(RUN_READY)  ## serve on 127.0.0.1:8000; the first time with a demo region
	@$(PYTHON) tools/web.py
	@$(BIN)/python -m cluster serve $(ARGS)

check: $(DEV_READY)  ## style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PYTHONPATH=. $(BIN)/lint-imports
	$(BIN)/bandit -q -c pyproject.toml -r actors care gateway persistence cluster slotcast
	@$(PYTHON) tools/web.py --check

# Without TIER all that CI runs; docs/tests.md says what runs where and for how long.
# Files are dealt to two processes in their order here, which ends with short ones;
# parts of the simulator to all processors.
DEALT := --dist loadfile --no-loadscope-reorder --durations=40 --durations-min=2
PAIR := $(BIN)/pytest -q -n 2 $(DEALT)
ACCEPTANCE := tests/faults tests/acceptance tests/contracts/test_links_contract.py tests/web
SIMULATED := tests/simulation tests/controls/test_mutations.py
SIMULATOR := $(BIN)/pytest -q -n auto --dist worksteal -m simulation

test: $(DEV_READY) $(SERVICES_READY)  ## every test; some: TIER=quick, real or deep, or ARGS=tests/unit
ifneq ($(strip $(ARGS)),)
	$(BIN)/pytest $(ARGS)
else ifeq ($(TIER),quick)
	@failed=0; \
	$(PAIR) -m quick || failed=$$?; \
	SIMULATION_SEEDS=200 $(SIMULATOR) tests/simulation || failed=$$?; \
	exit $$failed
else ifeq ($(TIER),real)
	@failed=0; \
	$(PAIR) -m "real and not acceptance" || failed=$$?; \
	$(PAIR) $(ACCEPTANCE) -m "real and acceptance" || failed=$$?; \
	exit $$failed
else ifeq ($(TIER),deep)
	@failed=0; \
	$(BIN)/pytest -q -m deep || failed=$$?; \
	SIMULATION_SEEDS=50000 $(SIMULATOR) $(SIMULATED) || failed=$$?; \
	$(MAKE) soak || failed=$$?; \
	exit $$failed
else
	@failed=0; \
	$(PAIR) -m "not acceptance and not simulation and not deep" || failed=$$?; \
	$(SIMULATOR) $(SIMULATED) || failed=$$?; \
	$(PAIR) $(ACCEPTANCE) -m "acceptance and not deep" || failed=$$?; \
	exit $$failed
endif

simulate: $(DEV_READY)  ## the simulator: make simulate SEEDS=50000
	$(BIN)/python -m tests.simulation --seeds $(SEEDS) $(ARGS)

bench: $(DEV_READY)  ## measure; the method stands in docs/benchmarks/
	$(BIN)/python -m tests.benchmarks $(ARGS)

webbench: $(DEV_READY)  ## times of the app in Chromium; alone on the machine
	@$(PYTHON) tools/web.py
	$(BIN)/python -m tests.web.figures $(ARGS)

load: $(DEV_READY)  ## people, by Locust: make load SCENARIO=release USERS=5000
	@$(BIN)/python -m loadtests.load $(SCENARIO) $(if $(USERS),--users $(USERS)) \
	  $(if $(SECONDS),--seconds $(SECONDS)) \
	  $(if $(PROCESSES),--processes $(PROCESSES)) $(ARGS)

soak: $(DEV_READY)  ## a cluster under load with a fault every 20 s
	$(BIN)/python -m tests.faults.soak --minutes $(MINUTES) $(ARGS)

blink: $(RUN_READY)  ## watch ten thousand watchers see a booking
	@$(BIN)/python -m loadtests.blink --watchers $(WATCHERS) $(ARGS)

attack: $(DEV_READY)  ## hostile connections, and what a polite client feels of them
	@$(BIN)/python -m tests.attacks $(ARGS)

LOCK := $(BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe \
  --no-emit-index-url --no-emit-find-links --no-header pyproject.toml

screens: $(DEV_READY)  ## pictures of the app into docs/screens
	$(BIN)/python -m tests.web.screens

lock: $(DEV_READY)  ## lock again what pyproject.toml asks for
	$(LOCK) --extra symptoms -o requirements.txt
	$(LOCK) --extra symptoms --extra dev -c requirements.txt -o requirements-dev.txt

clean:  ## remove the environment and caches; data in var/ stays
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache \
	  .import_linter_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUN_READY): requirements.txt tools/environment.py
	@$(PYTHON) tools/environment.py $(VENV) requirements.txt $@

$(DEV_READY): requirements-dev.txt tools/environment.py
	@$(PYTHON) tools/environment.py $(VENV) requirements-dev.txt $@

# MariaDB, Redis, nginx and the like: only the tests need them.
$(SERVICES_READY): tools/services.py tools/services/package-lock.json
	@$(PYTHON) tools/services.py $(SERVICES) $@
