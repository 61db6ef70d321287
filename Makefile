PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TESTS ?= -n 2 --dist loadfile
PLAN ?= faults/plans/lost-seconds.yaml

.DEFAULT_GOAL := help
.PHONY: help demo test check format matrix warm peers peers-quick lock clean

help: ## show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/'

$(VENV)/.run: requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.test: $(VENV)/.run requirements-test.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-test.lock
	touch $@

demo: $(VENV)/.run ## run the demo experiment and diagnose it (about a minute and a half after installing)
	$(BIN)/tracegap run $(PLAN)

test: $(VENV)/.test ## run the tests
	$(BIN)/python -m pytest $(TESTS)

check: $(VENV)/.test ## lint, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.test ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

matrix: $(VENV)/.test ## every toxic on every link, scored (about 40 minutes); writes docs/accuracy.md
	$(BIN)/python -m benchmarks.matrix

warm: $(VENV)/.run ## compile the analysis ahead of its first large input (once, about a minute)
	$(BIN)/python -m tracegap.warm

peers: ## build the originals that tests compare with (needs Go, Maven or node; skips what is missing)
	$(MAKE) -C peers

peers-quick:
	$(MAKE) --keep-going -C peers quick

lock: ## resolve the requirements anew (needs uv)
	uv pip compile pyproject.toml --extra stack --universal --generate-hashes --no-emit-index-url --no-header --no-annotate -q -o requirements.lock
	uv pip compile pyproject.toml --extra test --universal --generate-hashes --no-emit-index-url --no-header --no-annotate -q -c requirements.lock -o requirements-test.lock

clean: ## remove what was built and installed here
	rm -rf $(VENV) .peers runs build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
