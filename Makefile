# Everything is set up in .venv on first use; nothing else is needed but Python 3.11 or later.
#   make demo    install, then remember a conversation and ask it
#   make test    install with the tools for tests, then run them
#   make encrypt the tests of the store with an SQLite that has ciphers, in .venv-encrypt
#   make lint types docs bench clean

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
SEALED := .venv-encrypt
SEALED_PIP := $(SEALED)/bin/python -m pip --disable-pip-version-check --quiet

.PHONY: demo test encrypt lint types docs bench clean

demo: $(VENV)/.installed
	$(BIN)/memspan demo

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest

encrypt: $(SEALED)/.installed
	$(SEALED)/bin/python -m pytest tests/conformance tests/text/store tests/doors/test_cli_key.py \
		tests/text/test_branches.py::test_a_branch_of_an_encrypted_memory_is_encrypted

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check

types: $(VENV)/.installed-dev
	$(BIN)/mypy

docs: $(VENV)/.installed-dev
	$(BIN)/python tools/write_docs.py

bench: $(VENV)/.installed
	$(BIN)/memspan bench speed --records 10000

clean:
	rm -rf $(VENV) $(SEALED) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests tools -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "memspan needs Python 3.11 or later, none was found; name one: make PYTHON=/path/to/python3 demo" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "memspan needs Python 3.11 or later, $(PYTHON) is not; name another: make PYTHON=/path/to/python3 demo" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# the stamps: installed again only when pyproject.toml changed; the sources are used where they lie
$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(PIP) install -e ".[serve,mcp]"
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/python
	$(PIP) install -e ".[dev]"
	@touch $@ $(VENV)/.installed

# the two builds of apsw have one module name, so one takes the other's place (docs/decisions/0006-encryption.md)
$(SEALED)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m venv $(SEALED)
	$(SEALED_PIP) install -e . pytest pytest-randomly hypothesis
	$(SEALED_PIP) uninstall --yes apsw
	$(SEALED_PIP) install --force-reinstall --no-deps apsw-sqlite3mc
	@touch $@
