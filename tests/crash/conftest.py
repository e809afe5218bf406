"""The crash tests start and kill servers of their own."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


@pytest.fixture
def seed():
    """Printed, so that a failure shows it; TASKYARD_SEED takes the same dice again."""
    value = int(os.environ.get("TASKYARD_SEED", int.from_bytes(os.urandom(4), "big")))
    print(f"TASKYARD_SEED={value}")
    return value
