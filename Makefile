# Everything is set up in .venv on first use; nothing else is needed but Python 3.11 or later.
#   make demo    install, then remember a conversation and ask it
#   make test    install with the tools for tests, then run them
#   make lint types docs bench clean

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: demo test lint types docs bench clean

demo: $(VENV)/.installed
	$(BIN)/memspan demo

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check

types: $(VENV)/.installed-dev
	$(BIN)/mypy

docs: $(VENV)/.installed-dev
	$(BIN)/python tools/write_docs.py

bench: $(VENV)/.installed
	$(BIN)/memspan bench speed --records 10000

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests tools -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "memspan needs Python 3.11 or later, none was found; name one: make PYTHON=/path/to/python3 demo" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "memspan needs Python 3.11 or later, $(PYTHON) is not; name another: make PYTHON=/path/to/python3 demo" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# the stamps: installed again only when pyproject.toml changed; the sources are used where they lie
$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(PIP) install -e .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/python
	$(PIP) install -e ".[dev]"
	@touch $@ $(VENV)/.installed
