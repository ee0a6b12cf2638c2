"""Servers that several tests share; each test takes scopes of its own."""

import itertools

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

from tests.doors.rest.running import running

_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def open_server(tmp_path_factory):
    """Without keys, on this machine only."""
    with running(tmp_path_factory.mktemp("open") / "m.mem", rate=0) as server:
        yield server


@pytest.fixture
def client(open_server):
    with open_server.client() as client:
        yield client


@pytest.fixture
def scope():
    """A scope that no other test has."""
    return f"acme/user{next(_NUMBERS)}"
