"""Fixtures of the tests that look at PostgreSQL itself; what every store does is in tests/conformance."""

import pytest
from tests.conformance.stores import Database, Postgres, fresh


@pytest.fixture
def place(tmp_path) -> Database:
    """A database with memspan's tables in it, nothing in them."""
    found = fresh(Postgres(), tmp_path)
    assert isinstance(found, Database)
    return found
