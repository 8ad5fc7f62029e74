"""What the rules ask of blobs, asked of the real ones and of their twin in the tests."""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from tests.adapters.full_disk import run_on_full_disk
from tests.fakes.ports import FakeBlobs

from atrous.adapters.disk_blobs import DiskBlobs
from atrous.core.errors import NotFoundError, StorageError

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.workspace.ports import Blobs

PUT = """
from atrous.adapters.disk_blobs import DiskBlobs
blobs = DiskBlobs(folder)
try:
    blobs.put(bytes(LIMIT * 3))
except StorageError as error:
    print(error)
print(blobs.put(b"small"))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


@pytest.fixture(params=[DiskBlobs, FakeBlobs])
def blobs(request: pytest.FixtureRequest, folder: Path) -> Blobs:
    return request.param(folder)


@pytest.mark.parametrize("data", [b"", b"some bytes", bytes(3_000_000)], ids=len)
def test_bytes_come_back_by_their_sha256(blobs: Blobs, data: bytes) -> None:
    sha256 = blobs.put(data)
    assert sha256 == hashlib.sha256(data).hexdigest()
    assert blobs.get(sha256) == data
    assert blobs.path(sha256).read_bytes() == data


def test_the_same_bytes_are_kept_once(blobs: Blobs) -> None:
    assert blobs.put(b"same") == blobs.put(b"same")
    assert blobs.get(blobs.put(b"same")) == b"same"


@pytest.mark.parametrize("name", ["get", "path"])
def test_bytes_that_were_never_kept_are_not_found(blobs: Blobs, name: str) -> None:
    with pytest.raises(NotFoundError):
        getattr(blobs, name)(hashlib.sha256(b"nothing").hexdigest())


def test_threads_may_keep_the_same_bytes_at_once(blobs: Blobs) -> None:
    start = threading.Barrier(8)

    def put(_: int) -> str:
        start.wait(timeout=30)
        return blobs.put(b"shared" * 10_000)

    with ThreadPoolExecutor(8) as pool:
        (sha256,) = set(pool.map(put, range(8)))
    assert blobs.get(sha256) == b"shared" * 10_000


def test_a_blob_on_disk_is_one_file_and_nothing_beside_it(folder: Path) -> None:
    sha256 = DiskBlobs(folder).put(b"some bytes")
    assert [path for path in folder.rglob("*") if path.is_file()] == [folder / sha256[:2] / sha256]


def test_a_lost_file_is_named(folder: Path) -> None:
    blobs = DiskBlobs(folder)
    path = blobs.path(blobs.put(b"some bytes"))
    path.unlink()
    with pytest.raises(NotFoundError, match=path.name):
        blobs.get(path.name)


def test_a_full_disk_refuses_a_blob_whole(folder: Path) -> None:
    said = run_on_full_disk(PUT, folder)
    small = hashlib.sha256(b"small").hexdigest()
    assert f"{folder}: cannot be written (File too large); free space" in said[0]
    assert said[1:] == [small]
    assert [path.name for path in folder.rglob("*") if path.is_file()] == [small]


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="cannot be written"):
        DiskBlobs(tmp_path / "file" / "blobs").put(b"some bytes")
