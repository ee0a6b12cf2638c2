"""Tests here import what stands beside them."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where a memory may be made."""
    return tmp_path / "m.mem"
