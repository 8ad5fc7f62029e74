from __future__ import annotations

from importlib.util import find_spec

import pytest


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Networks this small lose far more to waiting threads than they gain."""
    if find_spec("torch"):
        import torch

        torch.set_num_threads(1)
