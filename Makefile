# `make run` and `make test` are all that a fresh machine with Python 3.11 and make needs.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
READY_DEV := .venv/ready-dev
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help run receive test chaos thorough plans check screenshots bench clean
.DEFAULT_GOAL := help

help: ## Show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

run: $(READY) ## Start the portal: web, worker, SQLite and Valkey
	@PORTAL_ENV=$${PORTAL_ENV:-development} exec $(BIN)/flask up

receive: $(READY) ## Start a receiver on port 9000 that shows each delivery (ARGS="--status 500 --delay 2")
	@PORTAL_ENV=development exec $(BIN)/flask receive $(ARGS)

test: $(READY_DEV) ## Run all tests, on SQLite, PostgreSQL, Valkey and a real browser
	@$(BIN)/python tests/browser.py
	$(BIN)/ruff check --quiet . && $(BIN)/ruff format --check --quiet . && $(BIN)/mypy
	$(BIN)/pytest -n 3 --dist loadgroup --no-loadscope-reorder

chaos: $(READY_DEV) ## Kill, suspend and empty for 15 minutes: is anything lost? (SEED=42 repeats a run)
	@$(BIN)/python -m tests.chaos

thorough: $(READY_DEV) ## Run each test on both databases, and look at each state of each page on all screens
	@$(BIN)/python tests/browser.py
	THOROUGH=1 $(BIN)/pytest -n 3 --dist loadgroup --no-loadscope-reorder

plans: $(READY_DEV) ## Read how both databases answer the engine with 1,000,000 deliveries, 100,000 waiting
	PLAN_LOG=1000000 $(BIN)/pytest -v tests/webhooks/test_plans.py -k engine

check: $(READY_DEV) ## Format, lint, check types, imports and known vulnerabilities
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@$(BIN)/python -m tests.audit_dependencies

screenshots: $(READY_DEV) ## Take pictures of the key screens, and the moving one of the README
	@$(BIN)/python tests/browser.py
	$(BIN)/python -m tests.e2e.screenshots

bench: $(READY_DEV) ## Measure speed and size, and write docs/performance.md (ROWS="log" for some)
	@$(BIN)/python tests/browser.py
	@$(BIN)/python -m tests.bench $(ROWS)

clean: ## Remove what was installed, and keep all data
	rm -rf .venv static/vendor

$(READY): requirements.txt constraints.txt pyproject.toml package-lock.json hatch_build.py
	@echo "Setting up, once: about half a minute."
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet -r requirements.txt
	@touch $@

$(READY_DEV): $(READY) requirements-dev.txt
	@$(BIN)/pip install --quiet -r requirements-dev.txt
	@touch $@
