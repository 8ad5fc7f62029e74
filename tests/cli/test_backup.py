"""Backups and the doctor, through their commands."""

from __future__ import annotations

import json
import os
import shutil
import threading
from typing import TYPE_CHECKING, Any

import pytest
from tests.fakes.homes import dump, fill
from tests.fakes.postgres import make_database
from tests.fakes.s3 import make_bucket_url

from atrous.adapters.home import Places, close_home, open_home
from atrous.core.class_map import ClassMap
from atrous.core.sizes import Size
from atrous.datasets.splits import Split
from atrous.workspace.records import Job, JobKind, JobState, Picture, Project, Training, TrainingState

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.terminal import Said

    from atrous.workspace.ports import Ports

HOUR_S = 3600


@pytest.fixture
def ports(home: Path, tmp_path: Path) -> Ports:
    """A home with two workspaces, each with something of everything."""
    opened = open_home(home)
    for workspace in ("acme", "other"):
        fill(opened, tmp_path / "made", workspace)
    return opened


def read_blobs(ports: Ports) -> dict[str, bytes]:
    return {sha256: ports.blobs.get(sha256) for sha256 in ports.blobs.list()}


def read_models(ports: Ports) -> dict[str, bytes]:
    folders = {place: ports.bundles.locate(*place) for place in ports.bundles.list()}
    return {
        f"{'/'.join(place)}/{path.relative_to(folder)}": path.read_bytes()
        for place, folder in folders.items()
        for path in folder.rglob("*")
        if path.is_file()
    }


def make_old(ports: Ports, sha256: str, seconds: int = 2 * HOUR_S) -> None:
    path = ports.blobs.path(sha256)
    moment = path.stat().st_mtime - seconds
    os.utime(path, (moment, moment))


# Backup and restore


def test_everything_comes_back(ports: Ports, home: Path, atrous: Callable[..., Said], monkeypatch: Any) -> None:
    (home / "config.toml").write_text("[server]\nport = 9002\n")
    saved = atrous("backup", "saved")
    assert saved.code == 0, saved.err
    before = dump(ports), read_blobs(ports), read_models(ports)
    again = home.parent / "elsewhere" / "home"
    monkeypatch.setenv("ATROUS_HOME", str(again))
    restored = atrous("restore", "saved")
    assert restored.code == 0, restored.err
    came = open_home(again)
    assert (dump(came), read_blobs(came), read_models(came)) == before
    assert (again / "config.toml").read_text() == "[server]\nport = 9002\n"
    assert sorted(path.name for path in again.parent.iterdir()) == ["home"]
    assert again.stat().st_mode & 0o077 == 0
    assert atrous("doctor", "--check-hashes").code == 0


def test_a_restored_store_goes_on_counting(
    ports: Ports, home: Path, atrous: Callable[..., Said], monkeypatch: Any
) -> None:
    atrous("backup", "saved")
    monkeypatch.setenv("ATROUS_HOME", str(home.parent / "again"))
    monkeypatch.setenv("ATROUS_DATABASE_URL", make_database())
    assert atrous("restore", "saved").code == 0
    came = open_home(home.parent / "again", Places(os.environ["ATROUS_DATABASE_URL"]))
    came.store.add_workspace("new")
    project = Project("new", "road", ClassMap(("background",)), came.clock.now())
    came.store.add_project(project)
    picture = Picture("a.jpg", "0" * 64, None, Split.TRAIN, Size(height=1, width=1), tags=("x",))
    assert came.store.add_pictures("new", "road", [picture]) == 1
    assert came.store.list_workspaces() == ["acme", "other", "new"]
    close_home(came)


def test_a_backup_moves_to_postgres_and_a_bucket_and_back(
    ports: Ports, home: Path, atrous: Callable[..., Said], monkeypatch: Any
) -> None:
    before = dump(ports), read_blobs(ports), read_models(ports)
    assert atrous("backup", "first").code == 0
    monkeypatch.setenv("ATROUS_HOME", str(home.parent / "server"))
    monkeypatch.setenv("ATROUS_DATABASE_URL", make_database(empty=True))
    monkeypatch.setenv("ATROUS_BLOBS_URL", make_bucket_url("atrous"))
    moved = atrous("restore", "first")
    assert moved.code == 0, moved.err
    assert atrous("doctor", "--check-hashes").code == 0
    assert atrous("backup", "second").code == 0
    assert not (home.parent / "server" / "blobs").exists()
    for name in ("ATROUS_DATABASE_URL", "ATROUS_BLOBS_URL"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("ATROUS_HOME", str(home.parent / "back"))
    assert atrous("restore", "second").code == 0
    came = open_home(home.parent / "back")
    assert (dump(came), read_blobs(came), read_models(came)) == before


def test_a_second_backup_adds_what_is_new_and_forgets_what_is_gone(
    ports: Ports, home: Path, atrous: Callable[..., Said]
) -> None:
    atrous("backup", "saved")
    blobs = home.parent / "saved" / "blobs"
    before = {path.name: path.stat().st_ino for path in blobs.glob("*/*")}
    (gone, picture) = ports.store.list_pictures("acme", "road")
    ports.store.remove_pictures("acme", "road", [picture.id])
    new = ports.blobs.put(b"a new picture")
    ports.store.add_pictures("acme", "road", [Picture("c.jpg", new, None, Split.TRAIN, gone.size)])
    assert atrous("backup", "saved").code == 0
    after = {path.name: path.stat().st_ino for path in blobs.glob("*/*")}
    assert after[gone.image_sha256] == before[gone.image_sha256]
    assert new in after
    assert picture.image_sha256 not in after
    assert sorted(path.name for path in (home.parent / "saved").iterdir()) == [
        "ATROUS_BACKUP",
        "blobs",
        "manifest.json",
    ]


def test_a_backup_made_while_pictures_come_is_of_one_moment(
    ports: Ports, home: Path, atrous: Callable[..., Said], monkeypatch: Any
) -> None:
    stop = threading.Event()

    def upload() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            sha256 = ports.blobs.put(str(number).encode())
            picture = Picture(f"{number}.jpg", sha256, None, Split.TRAIN, Size(height=1, width=1), tags=("new",))
            ports.store.add_pictures("acme", "road", [picture])

    uploading = threading.Thread(target=upload)
    uploading.start()
    try:
        for _ in range(3):
            assert atrous("backup", "saved").code == 0
    finally:
        stop.set()
        uploading.join()
    monkeypatch.setenv("ATROUS_HOME", str(home.parent / "again"))
    assert atrous("restore", "saved").code == 0
    assert atrous("doctor", "--check-hashes").code == 0
    came = dump(open_home(home.parent / "again"))
    new = {row["id"] for row in came["pictures"] if '"new"' in json.dumps(row["tags"])}
    assert new <= {row["picture_id"] for row in came["picture_terms"]}


def test_a_home_that_holds_something_is_not_restored_over(ports: Ports, atrous: Callable[..., Said]) -> None:
    atrous("backup", "saved")
    before = dump(ports)
    said = atrous("restore", "saved")
    assert said.code == 5
    assert "is not empty; set ATROUS_HOME" in said.err
    assert dump(ports) == before


def test_a_database_that_holds_something_is_not_restored_over(
    ports: Ports, home: Path, atrous: Callable[..., Said], monkeypatch: Any
) -> None:
    atrous("backup", "saved")
    url = make_database()
    other = open_home(home.parent / "other", Places(url))
    other.store.add_workspace("mine")
    monkeypatch.setenv("ATROUS_HOME", str(home.parent / "again"))
    monkeypatch.setenv("ATROUS_DATABASE_URL", url)
    said = atrous("restore", "saved")
    assert said.code == 5
    assert "the database is not empty" in said.err
    assert other.store.list_workspaces() == ["mine"]
    assert not (home.parent / "again").exists()


def test_a_config_file_that_is_there_stays(
    ports: Ports, home: Path, atrous: Callable[..., Said], monkeypatch: Any
) -> None:
    (home / "config.toml").write_text("[server]\nport = 9002\n")
    atrous("backup", "saved")
    again = home.parent / "again"
    again.mkdir()
    (again / "config.toml").write_text("[server]\nport = 9003\n")
    monkeypatch.setenv("ATROUS_HOME", str(again))
    assert atrous("restore", "saved").code == 0
    assert (again / "config.toml").read_text() == "[server]\nport = 9003\n"


@pytest.mark.parametrize("harm", ["altered", "missing"])
def test_a_harmed_backup_restores_nothing(
    ports: Ports, home: Path, atrous: Callable[..., Said], monkeypatch: Any, harm: str
) -> None:
    atrous("backup", "saved")
    manifest = json.loads((home.parent / "saved" / "manifest.json").read_text())
    (first, _) = ports.store.list_pictures("acme", "road")
    weights = manifest["models"]["acme/road-1-t"]["weights.onnx"]
    parts = (manifest["tables"]["pictures"]["sha256"], manifest["blobs"], first.image_sha256, weights)
    for path in (home.parent / "saved" / "blobs" / name[:2] / name for name in parts):
        harmed = home.parent / "harmed"
        shutil.copytree(home.parent / "saved", harmed)
        place = harmed / "blobs" / path.name[:2] / path.name
        if harm == "missing":
            place.unlink()
        else:
            place.write_bytes(path.read_bytes()[:-1] + b"?")
        monkeypatch.setenv("ATROUS_HOME", str(home.parent / "again"))
        said = atrous("restore", "harmed")
        assert said.code == 8
        assert f"its file {path.name} is missing or altered; restore another backup" in said.err
        assert sorted(entry.name for entry in home.parent.iterdir() if "again" in entry.name) == []
        shutil.rmtree(harmed)


@pytest.mark.parametrize("manifest", ["", "[]", "{}", '{"format": "x"}', '{"format": 1, "tables": 3}'])
def test_a_damaged_manifest_is_said(
    ports: Ports, home: Path, atrous: Callable[..., Said], monkeypatch: Any, manifest: str
) -> None:
    atrous("backup", "saved")
    (home.parent / "saved" / "manifest.json").write_text(manifest)
    monkeypatch.setenv("ATROUS_HOME", str(home.parent / "again"))
    said = atrous("restore", "saved")
    assert said.code == 2
    assert "its manifest is damaged" in said.err


def test_a_backup_of_a_newer_release_is_refused(
    ports: Ports, home: Path, atrous: Callable[..., Said], monkeypatch: Any
) -> None:
    atrous("backup", "saved")
    path = home.parent / "saved" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"revision": "9999"}))
    monkeypatch.setenv("ATROUS_HOME", str(home.parent / "again"))
    said = atrous("restore", "saved")
    assert said.code == 2
    assert "newer release (database revision 9999)" in said.err
    assert not (home.parent / "again").exists()


def test_a_backup_of_an_older_release_is_brought_up_to_date(
    home: Path, atrous: Callable[..., Said], monkeypatch: Any
) -> None:
    open_home(home).store.add_workspace("acme")
    atrous("backup", "saved")
    path = home.parent / "saved" / "manifest.json"
    content = json.loads(path.read_text())
    old = {name: table for name, table in content["tables"].items() if name in {"workspaces", "keys"}}
    path.write_text(json.dumps(content | {"revision": "0001", "tables": old}))
    monkeypatch.setenv("ATROUS_HOME", str(home.parent / "again"))
    said = atrous("restore", "saved")
    assert said.code == 0, said.err
    assert open_home(home.parent / "again").store.list_workspaces() == ["acme"]


def test_a_folder_with_other_things_is_no_place_for_a_backup(
    ports: Ports, home: Path, atrous: Callable[..., Said]
) -> None:
    folder = home.parent / "letters"
    folder.mkdir()
    (folder / "letter.txt").write_text("dear")
    said = atrous("backup", folder)
    assert said.code == 5
    assert [path.name for path in folder.iterdir()] == ["letter.txt"]
    assert atrous("restore", folder).code == 3


def test_there_is_nothing_to_save_without_a_home(home: Path, atrous: Callable[..., Said]) -> None:
    for arguments in (("backup", "saved"), ("doctor",)):
        said = atrous(*arguments)
        assert said.code == 3
        assert "there is no home" in said.err
    assert not home.exists()


def test_what_cannot_be_saved_is_named_and_the_rest_is_saved(
    ports: Ports, home: Path, atrous: Callable[..., Said], monkeypatch: Any
) -> None:
    (first, second) = ports.store.list_pictures("acme", "road")
    ports.blobs.remove(first.image_sha256)
    ports.blobs.path(second.image_sha256).write_bytes(b"altered")
    ports.bundles.remove("other", "road-1-t")
    said = atrous("backup", "saved")
    assert said.code == 1
    for name in (first.image_sha256, second.image_sha256, "other/road-1-t"):
        assert f"missing or altered: {name}" in said.out
    monkeypatch.setenv("ATROUS_HOME", str(home.parent / "again"))
    assert atrous("restore", "saved").code == 0
    found = json.loads(atrous("doctor", "--json").out)
    assert {finding["name"] for finding in found["findings"]} == {
        first.image_sha256,
        second.image_sha256,
        "other/road-1-t",
    }


# The doctor


def test_a_whole_home_is_well(ports: Ports, atrous: Callable[..., Said]) -> None:
    said = atrous("doctor", "--check-hashes")
    assert said.code == 0
    assert "all is well" in said.err
    assert said.out == ""


def test_each_blob_that_something_names_is_missed(
    ports: Ports, home: Path, tmp_path: Path, atrous: Callable[..., Said]
) -> None:
    owners = {
        "image": "picture 'a.jpg' of project third/road",
        "mask": "picture 'a.jpg' of project third/road",
        "unlabelled": "picture 'b.jpg' of project third/road",
        "waiting": "mask 'c' of project third/road",
        "content": "version third/road/1",
        "source": "version third/road/2",
        "made": "a picture of version third/road/1",
        "made mask": "a picture of version third/road/1",
        "details": "evaluation e-third of model third/road-1-t",
        "export": "job j-third (export road/1:coco)",
    }
    blobs = fill(ports, tmp_path / "made", "third")
    assert owners.keys() == blobs.keys()
    for name, sha256 in blobs.items():
        data = ports.blobs.get(sha256)
        ports.blobs.remove(sha256)
        said = atrous("doctor", "--json")
        assert said.code == 1
        (finding,) = json.loads(said.out)["findings"]
        assert (finding["ailment"], finding["name"]) == ("missing blob", sha256)
        assert finding["text"].startswith(f"{owners[name]}")
        ports.blobs.put(data)
    assert atrous("doctor").code == 0


def test_an_altered_blob_is_found_by_its_hash_alone(ports: Ports, atrous: Callable[..., Said]) -> None:
    (picture, _) = ports.store.list_pictures("acme", "road")
    ports.blobs.path(picture.image_sha256).write_bytes(b"altered")
    assert atrous("doctor").code == 0
    said = atrous("doctor", "--check-hashes")
    assert said.code == 1
    assert (
        f"damaged blob: picture 'a.jpg' of project acme/road: its blob {picture.image_sha256} was altered" in said.out
    )


@pytest.mark.parametrize("harm", ["gone", "no manifest", "altered weights"])
def test_a_harmed_model_is_found(ports: Ports, atrous: Callable[..., Said], harm: str) -> None:
    folder = ports.bundles.locate("acme", "road-1-t")
    match harm:
        case "gone":
            shutil.rmtree(folder)
        case "no manifest":
            (folder / "manifest.json").unlink()
        case _:
            (folder / "weights.onnx").write_bytes(b"altered")
    said = atrous("doctor", "--check-hashes")
    assert said.code == 1
    assert "model acme/road-1-t" in said.out


def test_orphans_are_named_and_removed_only_when_they_are_old(ports: Ports, atrous: Callable[..., Said]) -> None:
    young, old = ports.blobs.put(b"an upload under way"), ports.blobs.put(b"forgotten")
    make_old(ports, old)
    kept = set(ports.blobs.list())
    said = atrous("doctor")
    assert said.code == 0
    assert said.out == f"orphan: {old}\n"
    assert set(ports.blobs.list()) == kept
    assert atrous("doctor", "--remove-orphans").code == 0
    assert set(ports.blobs.list()) == kept - {old}
    assert young in kept


def test_what_an_open_job_may_have_put_is_no_orphan(ports: Ports, atrous: Callable[..., Said]) -> None:
    made = ports.blobs.put(b"made for a version that is not ready")
    make_old(ports, made, 3 * HOUR_S)
    created = ports.clock.now().replace(year=2020)
    ports.queue.add_job(Job("j1", "acme", JobKind.GENERATE, "road/2", created))
    atrous("doctor", "--remove-orphans")
    assert ports.blobs.has(made)


def test_an_orphaned_model_folder_is_removed(ports: Ports, tmp_path: Path, atrous: Callable[..., Said]) -> None:
    ports.bundles.publish(tmp_path / "made" / "acme", "acme", "road-1-lost")
    folder = ports.bundles.locate("acme", "road-1-lost")
    assert atrous("doctor").out == ""
    os.utime(folder, (0, 0))
    assert atrous("doctor", "--remove-orphans").out == "orphan: acme/road-1-lost\n"
    assert not folder.exists()


def test_a_job_that_runs_with_no_worker_is_found(ports: Ports, atrous: Callable[..., Said]) -> None:
    now = ports.clock.now()
    ports.queue.add_job(Job("j1", "acme", JobKind.EXPORT, "road/1:coco", now, state=JobState.RUNNING))
    ports.queue.add_job(Job("j2", "acme", JobKind.EXPORT, "road/1", now, state=JobState.RUNNING, leased_until=now))
    (finding,) = json.loads(atrous("doctor", "--json").out)["findings"]
    assert (finding["ailment"], finding["name"]) == ("job without lease", "j1")


def test_a_training_that_nobody_works_on_is_found(ports: Ports, home: Path, atrous: Callable[..., Said]) -> None:
    long_ago = ports.clock.now().replace(year=2020)
    for name in ("lost", "queued", "here"):
        ports.store.add_training(Training(name, "acme", "road", 1, {}, TrainingState.RUNNING, long_ago))
    ports.store.add_training(Training("new", "acme", "road", 1, {}, TrainingState.RUNNING, ports.clock.now()))
    ports.queue.add_job(Job("j1", "acme", JobKind.TRAIN, "queued", long_ago))
    from filelock import FileLock

    (home / "runs" / "here").mkdir(parents=True)
    with FileLock(home / "runs" / "here" / "lock"):
        (finding,) = json.loads(atrous("doctor", "--json").out)["findings"]
    assert (finding["ailment"], finding["name"]) == ("abandoned training", "lost")
    assert "atrous train road/1 --resume" in finding["text"]
