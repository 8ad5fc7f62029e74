from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from tests.cli.conftest import atrous, home  # noqa: F401  (fixtures)
from tests.fakes.s3 import KEYS

if TYPE_CHECKING:
    from collections.abc import Iterator

OBJECT_STORE_BYTES = 200 * 2**20


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Ray on two cores of this machine, for all tests of a run; its processes have a home of their own."""
    pytest.importorskip(
        "atrous.ray_engine.cluster", reason="needs Ray; pip install 'atrous[ray]'", exc_type=ImportError
    )
    import ray

    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("ATROUS_")]:
            patch.delenv(name)
        patch.setenv("ATROUS_HOME", str(tmp_path_factory.mktemp("nodes")))
        for name, value in KEYS.items():
            patch.setenv(name, value)
        ray.init(
            address="local",
            num_cpus=2,
            include_dashboard=False,
            object_store_memory=OBJECT_STORE_BYTES,
            log_to_driver=False,
            logging_level="ERROR",
        )
        try:
            yield
        finally:
            ray.shutdown()
