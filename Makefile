# Only python3 and make are needed; everything else goes into .venv.
# Every path is relative, so that the checkout may lie below a folder with spaces.

PYTHON ?= python3
BIN := .venv/bin

# The tests start hundreds of interpreters, and compiled modules halve that.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help venv demo check test stress format clean

help: ## Show this help
	@$(PYTHON) -c 'import re; [print(f"  make {name:<7} {text}") for name, text in re.findall(r"(?m)^(\w+):.*?## (.+)$$", open("Makefile").read())]'

venv: .venv/.installed ## Make .venv and install archivedb with its tools into it

# Asking for the interpreter first keeps an environment that is already there,
# with whatever somebody else installed into it.
.venv/.installed: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[dev]'
	@touch $@

demo: .venv/.installed ## Archive a small parameter sweep, search it, verify it
	$(BIN)/python demo/sweep.py

check: .venv/.installed ## Lint, types, layers, and that migrations equal the models
	$(BIN)/python -m ruff check
	$(BIN)/python -m ruff format --check
	$(BIN)/python -m mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/catalog/test_models_equal_migrations.py

test: .venv/.installed ## Run the tests on every core
	$(BIN)/python -m pytest -n auto --dist worksteal tests

stress: .venv/.installed ## Kill, starve, cut and flip it, and print the figures
	$(BIN)/python -W error -m tests.stress

format: .venv/.installed ## Format the code and fix what ruff can fix
	$(BIN)/python -m ruff format
	$(BIN)/python -m ruff check --fix

clean: ## Remove caches and builds; keep .venv
	rm -rf build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -path ./.venv -prune -o -type d -name __pycache__ -prune -exec rm -rf '{}' +
