"""`atrous infer --engine ray`: the answers of one process, each kept exactly once."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.cli.terminal import publish
from tests.fakes.bundles import make_bundle
from tests.fakes.pictures import encode_squares
from tests.fakes.s3 import make_bucket_url, s3_client
from tests.ray_engine.processes import find_processes
from tests.ray_engine.shards import read_files, read_index, read_tar

from atrous.bundle.reduction import JpegScale
from atrous.cli.engines import InferOrder, find_engine
from atrous.cli.results import Kind
from atrous.core.errors import ConflictError, InvalidInputError
from atrous.runtime.loading import EngineOptions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.terminal import Said

    from atrous.cli.engines import ShardReport

REPLICA = "ray::MapWorker"
PICTURES = 40
SHARD_SIZE = 5
NO_PICTURE = "the data is not a picture; send a JPEG, PNG, WebP or TIFF"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Pictures of drawn squares in two folders, none like another; one that is none."""
    rng = np.random.default_rng(8)
    for number in range(PICTURES):
        path = tmp_path / "pictures" / f"day-{number % 2}" / f"{number:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_squares(rng.integers(0, 256, (3, 4, 3)).tolist()))
    (tmp_path / "pictures" / "day-1" / "bad.jpg").write_bytes(b"no picture")
    return tmp_path / "pictures"


@dataclass
class Follower:
    """Keeps what it is told; does something once the first shard is kept."""

    then: Callable[[], None] = lambda: None
    plan: tuple[int, int] = (0, 0)
    shards: list[ShardReport] = field(default_factory=list)

    def on_plan(self, pictures: int, done: int) -> None:
        self.plan = (pictures, done)

    def on_shard(self, report: ShardReport) -> None:
        self.shards.append(report)
        if len(self.shards) == 1:
            self.then()


def make_order(tmp_path: Path, *places: object, out: str, **changes: object) -> InferOrder:
    bundle = tmp_path / "bundle"
    return InferOrder(
        **{
            "model": "road/1",
            "bundle": bundle if bundle.exists() else make_bundle(bundle),
            "places": tuple(map(str, places)),
            "out": out,
            "kinds": frozenset({Kind.MASKS}),
            "threshold": 0.4,
            "jpeg_scale": JpegScale.FULL,
            "tiling": None,
            "options": EngineOptions(precision="fp32", backend="onnx"),
            "replicas": None,
            "threads": 1,
            "shard_size": SHARD_SIZE,
            **changes,
        }
    )


@pytest.mark.usefixtures("cluster")
def test_a_cluster_answers_byte_by_byte_what_one_process_does(
    atrous: Callable[..., Said], home: Path, pictures: Path
) -> None:
    publish(home)
    here = atrous("infer", "road/1", pictures, "--out", "here")
    there = atrous("infer", "road/1", pictures, "--out", "there", "--engine", "ray", "--shard-size", 20)
    assert (here.code, there.code) == (2, 2)
    assert there.error == here.error == f"{pictures}/day-1/bad.jpg: {NO_PICTURE}"
    assert f"{PICTURES} of {PICTURES + 1} pictures written to there, 1 failed" in there.err
    folder = home.parent / "here"
    written = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.glob("*/*.*")}
    assert dict(read_files(home.parent / "there")) == written
    rows = {row["picture"]: row for row in read_index(home.parent / "there")}
    assert rows[f"{pictures}/day-1/bad.jpg"] == {"picture": f"{pictures}/day-1/bad.jpg", "error": NO_PICTURE}
    assert rows[f"{pictures}/day-0/000.png"] == {
        "picture": f"{pictures}/day-0/000.png",
        "width": 32,
        "height": 24,
        "masks": "day-0/000_mask.png",
        "overlays": "day-0/000_overlay.jpg",
    }
    again = atrous("infer", "road/1", pictures, "--out", "there", "--engine", "ray", "--shard-size", 20)
    assert (again.code, f"0 of 41 pictures written to there, {PICTURES + 1} were there already" in again.err) == (
        0,
        True,
    )
    other = atrous("infer", "road/1", pictures, "--out", "there", "--engine", "ray")
    assert (other.code, "whose shard_size is 20, not 500" in other.error) == (5, True)


@pytest.mark.usefixtures("cluster")
def test_killed_on_the_way_none_is_missing_and_none_there_twice(tmp_path: Path, pictures: Path) -> None:
    def break_off() -> None:
        raise KeyboardInterrupt

    def kill_all_replicas() -> None:
        for replica in find_processes(REPLICA):
            # Those of the first run may be ending just now.
            with suppress(ProcessLookupError):
                os.kill(replica, signal.SIGKILL)

    order, engine = make_order(tmp_path, pictures, out=str(tmp_path / "out")), find_engine("ray")
    first, second = Follower(break_off), Follower(kill_all_replicas)
    with pytest.raises(KeyboardInterrupt):
        engine.infer(order, first)
    (pictures / "day-0" / "added.png").write_bytes(b"later than the plan")
    engine.infer(order, second)
    assert (second.plan[0], len(second.shards) < 9) == (PICTURES + 1, True)
    planned = {str(path) for path in pictures.rglob("*.*")} - {str(pictures / "day-0" / "added.png")}
    assert Counter(row["picture"] for row in read_index(tmp_path / "out")) == dict.fromkeys(planned, 1)
    assert Counter(name for name, _ in read_files(tmp_path / "out")) == {
        f"day-{number % 2}/{number:03d}_mask.png": 1 for number in range(PICTURES)
    }
    assert not list((tmp_path / "out").glob(".*"))


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_what_a_replica_cannot_do_ends_the_run_with_its_sentence(tmp_path: Path, pictures: Path) -> None:
    def break_off() -> None:
        (tmp_path / "out" / "plan" / "shard-00007.jsonl").unlink()
        raise KeyboardInterrupt

    order = make_order(tmp_path, pictures, out=str(tmp_path / "out"))
    with pytest.raises(KeyboardInterrupt):
        find_engine("ray").infer(order, Follower(break_off))
    (tmp_path / "out" / "shard-00007.jsonl").unlink(missing_ok=True)
    with pytest.raises(ConflictError, match=r"plan/shard-00007.jsonl is gone; choose another --out"):
        find_engine("ray").infer(order, Follower())


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_a_bucket_is_read_from_and_written_to(tmp_path: Path, pictures: Path) -> None:
    url, out = make_bucket_url("in"), make_bucket_url("out")
    source, target = (one.removeprefix("s3://").partition("/")[0] for one in (url, out))
    for number in range(3):
        data = (pictures / f"day-{number % 2}" / f"{number:03d}.png").read_bytes()
        s3_client().put_object(Bucket=source, Key=f"in/{number} ä.png", Body=data)
    find_engine("ray").infer(make_order(tmp_path, url, out=out, shard_size=2), Follower())
    find_engine("ray").infer(make_order(tmp_path, pictures, out=str(tmp_path / "out"), shard_size=50), Follower())
    keys = {item["Key"] for item in s3_client().list_objects_v2(Bucket=target)["Contents"]}
    assert {f"out/shard-0000{number}.{kind}" for number in (0, 1) for kind in ("tar", "jsonl")} < keys
    s3_client().download_file(target, "out/shard-00000.tar", str(tmp_path / "first.tar"))
    masks = dict(read_files(tmp_path / "out"))
    assert read_tar(tmp_path / "first.tar") == [
        ("0 ä_mask.png", masks["day-0/000_mask.png"]),
        ("1 ä_mask.png", masks["day-1/001_mask.png"]),
    ]


@pytest.mark.usefixtures("cluster")
def test_more_threads_than_any_machine_has_are_refused(tmp_path: Path, pictures: Path) -> None:
    order = make_order(tmp_path, pictures, out=str(tmp_path / "out"), threads=3)
    with pytest.raises(InvalidInputError, match="--threads 3: no machine has more than 2 cores"):
        find_engine("ray").infer(order, Follower())


def test_a_cluster_that_does_not_answer_is_named(
    atrous: Callable[..., Said], home: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(home)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    monkeypatch.setenv("RAY_ADDRESS", address)
    monkeypatch.setattr(pytest.importorskip("ray"), "is_initialized", lambda: False)
    said = atrous("infer", "road/1", pictures, "--engine", "ray")
    assert (said.code, said.error.startswith(f"RAY_ADDRESS={address}: no Ray cluster can be used there")) == (6, True)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--engine", "ray", "--api-url", "http://x"], "--api-url: a cluster sees pictures with models of its own"),
        (["--engine", "ray", "--smooth", "0.5"], "--smooth: a cluster sees pictures"),
        (["--replicas", "2"], "--replicas: says nothing alone; give --engine ray too"),
        (["--engine", "horse"], "--engine horse: unknown; choose of "),
    ],
)
def test_options_that_would_be_passed_over_are_refused(
    atrous: Callable[..., Said], home: Path, pictures: Path, options: list[str], sentence: str
) -> None:
    publish(home)
    said = atrous("infer", "road/1", pictures, *options)
    assert (said.code, said.error.startswith(sentence)) == (2, True), said.err


def test_without_ray_a_sentence_says_how_to_get_it(
    atrous: Callable[..., Said], home: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(home)
    for name in [name for name in sys.modules if name.split(".")[0] == "ray" or name.startswith("atrous.ray_engine.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "ray", None)
    said = atrous("infer", "road/1", pictures, "--engine", "ray")
    assert (said.code, said.error) == (
        7,
        "--engine ray: needs ray, which this installation lacks; install Atrous with its extra `ray`, in a checkout by "
        "pip install '.[ray]'",
    )
