from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest
from tests.fakes.bundles import make_bundle
from tests.fakes.datasets import CLASS_MAP, SIZE, draw_samples

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.datasets.content import Sample


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Networks this small lose far more to waiting threads than they gain."""
    if find_spec("torch"):
        import torch

        torch.set_num_threads(1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bundle whose network has a single layer."""
    return make_bundle(tmp_path / "road-1-a", class_names=CLASS_MAP.names, size=SIZE)


@pytest.fixture
def samples(tmp_path: Path) -> tuple[Sample, ...]:
    """Drawn pictures for that bundle."""
    return draw_samples(tmp_path / "pictures")
