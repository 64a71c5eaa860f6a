# The two main commands are `make run` and `make test`. Each sets up what it needs and prints what it does.

PYTHON ?= python3
PORT ?= 8080
STACK ?= sayings

VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes
# Node.js is installed as a Python package into the same environment, where npm finds it by the PATH. Like pip, it uses
# the system's certificates, because a network may have a certificate authority of its own.
NPM := PATH="$(CURDIR)/$(BIN):$$PATH" NODE_USE_SYSTEM_CA=1 $(BIN)/npm --prefix web --loglevel error
PAGE := web/dist/index.html
PAGE_SOURCES := $(wildcard web/*.html web/*.json web/vite.config.ts) service/data/services.json \
  $(shell find web/src web/public -type f -not -name '*.test.*')

# An interrupted installation can leave packages that look complete but are not, so the next one starts from scratch.
INSTALLING := $(VENV)/.installing
ifneq ($(wildcard $(INSTALLING)),)
  $(shell rm -rf $(VENV))
endif
.NOTPARALLEL:

.DEFAULT_GOAL := help
.PHONY: help run test test-fast page seed worker lint check format lock package deploy rollback deploy-local deploy-local-down \
        bench bench-quick image sbom clean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/runtime $(PAGE) ## Serve page and API on http://localhost:8080 (PORT= changes it)
	@echo "Starting Cloud Sayings …"
	@SAYINGS_PORT=$(PORT) SAYINGS_TRACE=$(if $(TRACE),on,off) exec $(BIN)/python -m workers --serve

test: $(VENV)/development web/node_modules/.all $(PAGE) ## Run every test
	@echo "Running every test …"
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

test-fast: $(VENV)/development ## Run the tests that need no server and no process of their own
	@$(BIN)/python -m pytest -m "not slow" -x

page: $(PAGE) ## Build the page into web/dist (`make run` does so when one of its files has changed)

seed: $(VENV)/runtime ## Load the collection into the store (as often as you like)
	@$(BIN)/python -m service seed

worker: $(VENV)/runtime ## Run a worker on its own: rounds at an interval, shown in a live table
	@$(BIN)/python -m workers

check: lint ## Lint, types and import cycles
	@echo "Checking types …"
	@$(BIN)/python -m mypy --no-error-summary
	@mkdir -p web/generated && $(BIN)/python -m service openapi > web/generated/openapi.json
	@$(NPM) run --silent types && $(NPM) run --silent check
	@echo "Checking import cycles and who may import whom …"
	@$(BIN)/python -m pytest tests/test_architecture.py

lint: $(VENV)/development web/node_modules/.all ## Lint and formatting
	@echo "Linting …"
	@$(BIN)/python -m ruff check --quiet
	@$(BIN)/python -m ruff format --check --quiet
	@$(NPM) run --silent lint

format: $(VENV)/development web/node_modules/.all ## Format the code
	@$(BIN)/python -m ruff check --fix --quiet
	@$(BIN)/python -m ruff format --quiet
	@$(NPM) run --silent format

lock: $(VENV)/development $(VENV)/node ## Lock the newest dependencies that pyproject.toml allows
	@$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --no-header --no-emit-index-url \
	  pyproject.toml -o requirements/runtime.txt
	@$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --no-header --no-emit-index-url \
	  --group dev -c requirements/runtime.txt pyproject.toml -o requirements/dev.txt
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url \
	  --extra analyse -c requirements/dev.txt pyproject.toml -o requirements/analyse.txt
	@for name in bench emulator litellm node sam sbom; do $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 \
	  --generate-hashes --no-header --no-emit-index-url requirements/$$name.in -o requirements/$$name.txt; done
	@rm -rf web/package-lock.json web/node_modules # otherwise npm would lock only the packages for this kind of machine
	@$(NPM) install --package-lock-only

package: $(VENV)/development $(PAGE) ## Package the Lambda functions into build/lambda.zip
	@$(BIN)/python -m deploy.package

deploy: $(VENV)/development $(PAGE) ## Deploy to your AWS account (DRY_RUN=1 only shows what would change; STACK=, PARAMETERS='Name=value …')
	@$(BIN)/python -m deploy.cloud --stack $(STACK) $(if $(DRY_RUN),--plan) $(PARAMETERS)

rollback: $(VENV)/development ## Deploy what was there before the last deployment (STACK=)
	@$(BIN)/python -m deploy.cloud --stack $(STACK) --roll-back

deploy-local: $(VENV)/development $(PAGE) ## Bring the whole AWS deployment up on this machine (GATEWAY_PORT=, PARAMETERS=)
	@$(if $(GATEWAY_PORT),GATEWAY_PORT=$(GATEWAY_PORT)) $(BIN)/python -m deploy.local up $(PARAMETERS)

deploy-local-down: $(VENV)/development ## Stop and remove the local deployment
	@$(BIN)/python -m deploy.local down

bench: $(VENV)/development $(PAGE) ## Measure everything side by side (Linux, ten minutes): one table, build/bench.json, the plots
	@$(BIN)/python -m tests.bench

bench-quick: $(VENV)/development $(PAGE) ## A short version of the benchmark, in a minute: its results are noisy
	@$(BIN)/python -m tests.bench --quick

image: ## Build the container image (needs Docker)
	docker build -f deploy/containers/Dockerfile -t cloud-sayings --build-arg REVISION=$$(git rev-parse HEAD) .

sbom: $(VENV)/development $(VENV)/node ## List what is shipped as bills of materials (CycloneDX) in build/sbom
	@$(BIN)/python -m deploy.sbom

clean: ## Remove everything that was set up or built (not your data)
	@test ! -d build/local || $(BIN)/python -m deploy.local down
	rm -rf $(VENV) build web/node_modules web/dist web/generated .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/runtime: requirements/runtime.txt
	@echo "Setting up Python packages (once, about half a minute) …"
	@mkdir -p $(VENV) && touch $(INSTALLING)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(INSTALL) -r requirements/runtime.txt
	@touch $@ && rm $(INSTALLING)

$(VENV)/development: requirements/dev.txt $(VENV)/runtime
	@echo "Setting up the packages for development (once, about half a minute) …"
	@touch $(INSTALLING)
	@$(INSTALL) -r requirements/dev.txt
	@touch $@ && rm $(INSTALLING)

$(VENV)/node: requirements/node.txt $(VENV)/runtime
	@echo "Setting up Node.js (once, some 50 MB to download) …"
	@touch $(INSTALLING)
	@$(INSTALL) -r requirements/node.txt
	@touch $@ && rm $(INSTALLING)

# The packages for building install in a tenth of the time of those for testing, so `make run` installs only the former.
web/node_modules/.build: web/package-lock.json $(VENV)/node
	@echo "Setting up the packages that build the page (once, a few seconds) …"
	@$(NPM) ci --omit=dev
	@touch $@

web/node_modules/.all: web/package-lock.json $(VENV)/node
	@echo "Setting up the packages that test the page (once, half a minute) …"
	@$(NPM) ci
	@touch web/node_modules/.build $@

$(PAGE): $(PAGE_SOURCES) web/node_modules/.build
	@echo "Building the page …"
	@$(NPM) run --silent build -- --outDir dist.new --emptyOutDir
	@rm -rf web/dist && mv web/dist.new web/dist
