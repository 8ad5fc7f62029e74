"""Pictures are dealt to shards once, each to one place, whatever is listed twice, added or killed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.fakes.s3 import make_bucket_url, s3_client

from atrous.core.errors import ConflictError, InvalidInputError
from atrous.ray_engine.outputs import OutputFolder
from atrous.ray_engine.plan import make_plan, read_plan, read_shard

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.ray_engine.plan import Plan

ASKED = {"threshold": 0.4}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five pictures, and what is none."""
    root = tmp_path / "pictures"
    for name in ("a/1.jpg", "a/2.png", "b/c/1.jpg", "3.webp", "b/4.tif", "notes.md", ".hidden/5.jpg"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def plan(out: Path, *places: object, shard_size: int = 2) -> Plan:
    return make_plan(
        OutputFolder(out), list(map(str, places)), ASKED, backend="onnx", precision="fp32", shard_size=shard_size
    )


def read_all(out: Path, made: Plan) -> list[tuple[str, str]]:
    shards = [list(read_shard(OutputFolder(out), number)) for number in range(made.shards)]
    assert [len(shard) for shard in shards] == [made.count_pictures(number) for number in range(made.shards)]
    return [(one.address, one.name) for shard in shards for one in shard]


def test_pictures_of_a_folder_are_named_by_where_they_lie_in_it(tmp_path: Path, folder: Path) -> None:
    made = plan(tmp_path / "out", folder)
    assert (made.pictures, made.shards) == (5, 3)
    names = {"3": "3.webp", "a/1": "a/1.jpg", "a/2": "a/2.png", "b/4": "b/4.tif", "b/c/1": "b/c/1.jpg"}
    assert dict(map(reversed, read_all(tmp_path / "out", made))) == {
        name: str(folder / file) for name, file in names.items()
    }


def test_a_picture_named_twice_is_seen_once(tmp_path: Path, folder: Path) -> None:
    listed = folder / "some.txt"
    listed.write_text(f"a/1.jpg\n\n{folder}/a/../3.webp\r\na/1.jpg\n{folder}/b/4.tif\n3.webp\n")
    places = [str(folder / name) for name in ("a/1.jpg", "3.webp", "b/4.tif")]
    assert [address for address, _ in read_all(tmp_path / "1", plan(tmp_path / "1", listed))] == places
    both = read_all(tmp_path / "2", plan(tmp_path / "2", folder / "a", folder, folder / "3.webp"))
    assert len(both) == len(set(both)) == 5


def test_pictures_that_differ_in_their_suffix_alone_keep_it(tmp_path: Path, folder: Path) -> None:
    (folder / "a" / "1.png").touch()
    names = {name for _, name in read_all(tmp_path / "out", plan(tmp_path / "out", folder))}
    assert names == {"3.webp", "a/1.jpg", "a/1.png", "a/2.png", "b/4.tif", "b/c/1.jpg"}


def test_links_that_lead_back_up_are_not_followed(tmp_path: Path, folder: Path) -> None:
    (folder / "a" / "up").symlink_to(folder)
    (folder / "a" / "itself").symlink_to(folder / "a" / "itself")
    assert plan(tmp_path / "out", folder).pictures == 5


def test_a_place_without_pictures_is_refused_by_name(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"nowhere: no picture there"):
        plan(tmp_path / "out", folder, tmp_path / "nowhere")
    assert read_plan(OutputFolder(tmp_path / "out"), ASKED) is None


def test_objects_below_a_prefix_are_pictures_too(tmp_path: Path) -> None:
    url = make_bucket_url("photos")
    bucket = url.removeprefix("s3://").partition("/")[0]
    for key in ("photos/a/100% #1?.jpg", "photos/b.png", "photos/notes.md", "photos2/c.jpg"):
        s3_client().put_object(Bucket=bucket, Key=key, Body=b"")
    names = [name for _, name in read_all(tmp_path / "out", plan(tmp_path / "out", url))]
    assert sorted(names) == ["a/100% #1?", "b"]


def test_a_plan_is_taken_up_by_the_same_order_alone(tmp_path: Path, folder: Path) -> None:
    output, made = OutputFolder(tmp_path / "out"), plan(tmp_path / "out", folder)
    assert read_plan(output, ASKED) == made
    with pytest.raises(ConflictError, match=r"--out: holds a run whose threshold is 0.4, not 0.5"):
        read_plan(output, {"threshold": 0.5})
    (tmp_path / "out" / "plan.json").write_text("[]")
    with pytest.raises(ConflictError, match=r"plan.json is damaged; choose another --out"):
        read_plan(output, ASKED)
