"""What the rules ask of blobs, asked of the real ones and of their twin in the tests."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from tests.adapters.full_disk import run_on_full_disk
from tests.fakes.ports import FakeBlobs
from tests.fakes.s3 import make_bucket_url, s3_client

from atrous.adapters.blob_cache import SAFE_S, BlobCache
from atrous.adapters.bucket import open_bucket
from atrous.adapters.bucket_blobs import BucketBlobs
from atrous.adapters.disk_blobs import DiskBlobs
from atrous.core.errors import InvalidInputError, NotFoundError, StorageError, UnavailableError

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


def open_bucket_blobs(folder: Path, url: str | None = None, limit_bytes: int = 100_000_000) -> Blobs:
    return BucketBlobs(open_bucket(url or make_bucket_url("some/place")), BlobCache(folder, limit_bytes))


@pytest.fixture(params=[DiskBlobs, FakeBlobs, open_bucket_blobs])
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


def test_a_file_is_kept_like_its_bytes(blobs: Blobs, tmp_path: Path) -> None:
    data = bytes(range(256)) * 80_000
    (tmp_path / "file").write_bytes(data)
    sha256 = blobs.put_file(tmp_path / "file")
    assert sha256 == hashlib.sha256(data).hexdigest()
    assert blobs.get(sha256) == data
    assert blobs.path(sha256).read_bytes() == data


def test_all_that_is_kept_is_listed_until_it_is_removed(blobs: Blobs) -> None:
    assert list(blobs.list()) == []
    kept = {blobs.put(bytes([number])) for number in range(5)}
    assert set(blobs.list()) == kept
    gone = min(kept)
    blobs.path(gone)
    for _ in range(2):
        blobs.remove(gone)
    assert not blobs.has(gone)
    assert blobs.has(max(kept))
    assert set(blobs.list()) == kept - {gone}
    with pytest.raises(NotFoundError):
        blobs.get(gone)


def test_bytes_are_as_old_as_their_last_put(blobs: Blobs) -> None:
    sha256 = blobs.put(b"some bytes")
    now = datetime.now(UTC)
    for _ in range(2):
        age = blobs.find_age(blobs.put(b"some bytes"), now)
        assert age is not None
        assert abs(age) < timedelta(seconds=30)
    assert blobs.find_age(hashlib.sha256(b"nothing").hexdigest(), now) is None
    assert blobs.find_age(sha256, now + timedelta(days=1)) > timedelta(hours=23)


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


def test_a_blob_that_is_put_again_is_young_again(folder: Path) -> None:
    blobs = DiskBlobs(folder)
    path = blobs.path(blobs.put(b"some bytes"))
    os.utime(path, (0, 0))
    blobs.put(b"some bytes")
    assert blobs.find_age(path.name, datetime.now(UTC)) < timedelta(minutes=1)


# In a bucket


def test_objects_in_a_bucket_are_named_by_their_hash(folder: Path) -> None:
    url = make_bucket_url("a/b")
    sha256 = open_bucket_blobs(folder, url).put(b"some bytes")
    bucket = url.split("/")[2]
    (entry,) = s3_client().list_objects_v2(Bucket=bucket)["Contents"]
    assert entry["Key"] == f"a/b/blobs/{sha256[:2]}/{sha256}"


def test_two_machines_share_a_bucket(tmp_path: Path) -> None:
    url = make_bucket_url()
    sha256 = open_bucket_blobs(tmp_path / "one", url).put(b"some bytes")
    assert open_bucket_blobs(tmp_path / "two", url).path(sha256).read_bytes() == b"some bytes"


def test_a_large_file_goes_up_in_parts(folder: Path, tmp_path: Path) -> None:
    url = make_bucket_url()
    (tmp_path / "large").write_bytes(bytes(40_000_000))
    sha256 = open_bucket_blobs(folder, url).put_file(tmp_path / "large")
    head = s3_client().head_object(Bucket=url.split("/")[2], Key=f"blobs/{sha256[:2]}/{sha256}")
    assert head["ETag"].strip('"').endswith("-3")
    assert head["ContentLength"] == 40_000_000


def test_a_file_is_fetched_once(folder: Path) -> None:
    url = make_bucket_url()
    blobs = open_bucket_blobs(folder, url)
    sha256 = blobs.put(b"some bytes")
    path = blobs.path(sha256)
    s3_client().delete_object(Bucket=url.split("/")[2], Key=f"blobs/{sha256[:2]}/{sha256}")
    assert blobs.path(sha256) == path
    assert blobs.get(sha256) == b"some bytes"


@pytest.mark.parametrize("name", ["get", "path"])
def test_bytes_that_were_altered_in_the_bucket_are_refused(folder: Path, name: str) -> None:
    url = make_bucket_url()
    blobs = open_bucket_blobs(folder, url)
    sha256 = blobs.put(b"some bytes")
    s3_client().put_object(Bucket=url.split("/")[2], Key=f"blobs/{sha256[:2]}/{sha256}", Body=b"other bytes")
    with pytest.raises(StorageError, match=f"{sha256}: was altered"):
        getattr(blobs, name)(sha256)
    assert [path for path in folder.rglob("*") if path.is_file()] == []


def test_local_copies_take_no_more_than_they_may_and_what_was_used_last_stays(folder: Path) -> None:
    blobs = open_bucket_blobs(folder, limit_bytes=10_000)
    hashes = [blobs.put(bytes([number]) * 3_000) for number in range(4)]
    now = time.time()
    for age, sha256 in zip((3, 1, 2), hashes[:3], strict=True):
        moment = now - SAFE_S - 60 * age
        os.utime(blobs.path(sha256), (moment, moment))
    blobs.path(hashes[3])
    kept = {path.name for path in folder.rglob("*") if path.is_file()}
    assert kept == {hashes[1], hashes[2], hashes[3]}
    assert blobs.path(hashes[0]).read_bytes() == bytes(3_000)


def test_a_copy_that_was_just_asked_for_stays_even_over_the_limit(folder: Path) -> None:
    blobs = open_bucket_blobs(folder, limit_bytes=1_000)
    paths = [blobs.path(blobs.put(bytes([number]) * 900)) for number in range(5)]
    assert all(path.is_file() for path in paths)


def test_a_bucket_that_is_not_there_is_named(folder: Path) -> None:
    blobs = open_bucket_blobs(folder, make_bucket_url().replace("bucket-", "nobodys-"))
    for act in (lambda: blobs.put(b"some bytes"), lambda: list(blobs.list())):
        with pytest.raises(StorageError, match=r"s3://nobodys-.*: there is no such bucket; make it"):
            act()


def test_storage_that_does_not_answer_may_answer_later(folder: Path) -> None:
    make_bucket_url()
    blobs = open_bucket_blobs(folder, "s3://bucket?endpoint=http://127.0.0.1:1")
    sha256 = hashlib.sha256(b"some bytes").hexdigest()
    for act in (lambda: blobs.put(b"some bytes"), lambda: blobs.get(sha256), lambda: blobs.has(sha256)):
        with pytest.raises(UnavailableError, match="s3://bucket: cannot be reached"):
            act()


@pytest.mark.parametrize("url", ["s3://", "s3:///place", "gs://bucket", "s3://bucket?colour=red", "bucket"])
def test_a_url_of_another_form_is_refused(url: str) -> None:
    with pytest.raises(InvalidInputError, match="ATROUS_BLOBS_URL"):
        open_bucket(url)


def test_a_name_that_is_no_hash_names_no_object(folder: Path) -> None:
    with pytest.raises(NotFoundError):
        open_bucket_blobs(folder).get("../models/acme/road-1-a.zip")
