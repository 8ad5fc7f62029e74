"""What the rules ask of published model folders, asked of the real ones and of their twin in the tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from tests.adapters.full_disk import run_on_full_disk
from tests.fakes.ports import FakeBundles
from tests.fakes.s3 import make_bucket_url, s3_client

from atrous.adapters.bucket import open_bucket
from atrous.adapters.bucket_bundles import BucketBundles
from atrous.adapters.disk_bundles import DiskBundles
from atrous.core.errors import NotFoundError, StorageError

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.workspace.ports import Bundles

PUBLISH = """
from atrous.adapters.disk_bundles import DiskBundles
try:
    DiskBundles(folder).publish(other, "acme", "road-1-a")
except StorageError as error:
    print(error)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models"


def open_bucket_bundles(folder: Path, url: str | None = None) -> Bundles:
    return BucketBundles(open_bucket(url or make_bucket_url("some/place")), DiskBundles(folder), folder / ".scratch")


@pytest.fixture(params=[DiskBundles, FakeBundles, open_bucket_bundles])
def bundles(request: pytest.FixtureRequest, folder: Path) -> Bundles:
    return request.param(folder)


def make_folder(path: Path, weights: bytes = b"weights") -> Path:
    (path / "inside").mkdir(parents=True)
    (path / "weights.onnx").write_bytes(weights)
    (path / "inside" / "more.txt").write_text("more")
    return path


def read_files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_published_folder_is_located_with_all_its_files(bundles: Bundles, tmp_path: Path) -> None:
    bundles.publish(make_folder(tmp_path / "made"), "acme", "road-1-a")
    assert read_files(bundles.locate("acme", "road-1-a")) == {"weights.onnx": b"weights", "inside/more.txt": b"more"}


def test_a_model_is_located_in_its_workspace_alone(bundles: Bundles, tmp_path: Path) -> None:
    bundles.publish(make_folder(tmp_path / "made"), "acme", "road-1-a")
    for place in (("other", "road-1-a"), ("acme", "road-1-b"), ("acme", "nothing")):
        with pytest.raises(NotFoundError):
            bundles.locate(*place)


def test_workspaces_may_use_the_same_slug(bundles: Bundles, tmp_path: Path) -> None:
    for workspace in ("acme", "other"):
        bundles.publish(make_folder(tmp_path / workspace, workspace.encode()), workspace, "road-1-a")
    assert (bundles.locate("acme", "road-1-a") / "weights.onnx").read_bytes() == b"acme"
    assert (bundles.locate("other", "road-1-a") / "weights.onnx").read_bytes() == b"other"


def test_the_folder_that_was_published_stays(folder: Path, tmp_path: Path) -> None:
    made = make_folder(tmp_path / "made")
    DiskBundles(folder).publish(made, "acme", "road-1-a")
    assert read_files(made) == read_files(folder / "acme" / "road-1-a")


def test_what_an_interrupted_publishing_left_is_replaced(folder: Path, tmp_path: Path) -> None:
    leftover = folder / "acme" / "road-1-a"
    leftover.mkdir(parents=True)
    (leftover / "stale.txt").write_text("half a model")
    DiskBundles(folder).publish(make_folder(tmp_path / "made"), "acme", "road-1-a")
    assert read_files(leftover) == {"weights.onnx": b"weights", "inside/more.txt": b"more"}


def test_publishing_leaves_nothing_beside_the_model(folder: Path, tmp_path: Path) -> None:
    DiskBundles(folder).publish(make_folder(tmp_path / "made"), "acme", "road-1-a")
    assert [path.name for path in (folder / "acme").iterdir()] == ["road-1-a"]


def test_a_folder_that_is_not_there_publishes_nothing(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        DiskBundles(folder).publish(tmp_path / "nothing", "acme", "road-1-a")
    assert list((folder / "acme").iterdir()) == []


def test_a_full_disk_publishes_nothing_and_says_so_in_a_sentence(folder: Path, tmp_path: Path) -> None:
    made = make_folder(tmp_path / "made", bytes(300_000))
    (said,) = run_on_full_disk(PUBLISH, folder, made)
    assert said.startswith(f"{folder / 'acme' / 'road-1-a'}: cannot be written (")
    assert "File too large" in said
    assert "weights.onnx'," not in said, "no list of Python tuples"
    assert list((folder / "acme").iterdir()) == []


def test_a_full_disk_leaves_the_model_that_was_there(folder: Path, tmp_path: Path) -> None:
    DiskBundles(folder).publish(make_folder(tmp_path / "old", b"old"), "acme", "road-1-a")
    run_on_full_disk(PUBLISH, folder, make_folder(tmp_path / "new", bytes(300_000)))
    assert (folder / "acme" / "road-1-a" / "weights.onnx").read_bytes() == b"old"


def test_all_that_is_published_is_listed_until_it_is_removed(bundles: Bundles, tmp_path: Path) -> None:
    assert list(bundles.list()) == []
    made = make_folder(tmp_path / "made")
    places = {("acme", "road-1-a"), ("acme", "road-1-b"), ("other", "road-1-a")}
    for place in places:
        bundles.publish(made, *place)
    assert set(bundles.list()) == places
    bundles.remove("acme", "road-1-a")
    bundles.remove("acme", "road-1-a")
    assert set(bundles.list()) == places - {("acme", "road-1-a")}
    with pytest.raises(NotFoundError):
        bundles.locate("acme", "road-1-a")


def test_a_model_is_as_old_as_its_publishing(bundles: Bundles, tmp_path: Path) -> None:
    bundles.publish(make_folder(tmp_path / "made"), "acme", "road-1-a")
    now = datetime.now(UTC)
    age = bundles.find_age("acme", "road-1-a", now)
    assert age is not None
    assert abs(age) < timedelta(minutes=1)
    assert bundles.find_age("acme", "road-1-b", now) is None


def test_a_machine_fetches_a_model_that_another_has_published(tmp_path: Path) -> None:
    url = make_bucket_url()
    made = make_folder(tmp_path / "made")
    open_bucket_bundles(tmp_path / "one", url).publish(made, "acme", "road-1-a")
    other = open_bucket_bundles(tmp_path / "two", url)
    found = other.locate("acme", "road-1-a")
    assert read_files(found) == read_files(made)
    s3_client().delete_object(Bucket=url.split("/")[2], Key="models/acme/road-1-a.zip")
    assert other.locate("acme", "road-1-a") == found


def test_a_model_that_was_altered_in_the_bucket_is_refused(tmp_path: Path) -> None:
    url = make_bucket_url()
    s3_client().put_object(Bucket=url.split("/")[2], Key="models/acme/road-1-a.zip", Body=b"no archive")
    with pytest.raises(StorageError, match="acme/road-1-a: was altered"):
        open_bucket_bundles(tmp_path / "two", url).locate("acme", "road-1-a")
