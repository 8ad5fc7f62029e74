"""Archives over HTTP: announced, sent to a link, imported by the worker's function, asked for."""

from __future__ import annotations

import io
import tarfile
import zipfile
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from tests.datasets.generated import CLASS_NAMES, GENERATORS, draw_scenes, write_jpeg
from tests.fakes.ports import FakeClock
from tests.server.uploading import add_project, class_names, encode, mask_of, pictures_of, upload

from atrous.core.errors import AtrousError, StoppedError
from atrous.server.settings import Settings
from atrous.worker.imports import import_zip
from atrous.worker.watch import SilentWatch
from atrous.workspace.imports import import_dataset
from atrous.workspace.keys import create_key
from atrous.workspace.records import Job, JobKind, JobState, Scope, Wish

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from starlette.testclient import TestClient
    from tests.server.place import Place


@pytest.fixture
def client(place: Place) -> TestClient:
    add_project(place, "road")
    return place.client(key=place.key)


def pack(folder: Path) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))
    return content.getvalue()


def start(client: TestClient, project: str = "road", **options: Any) -> dict[str, str]:
    reply = client.post(f"/acme/{project}/upload/zip", json=options)
    assert reply.status_code == 200, reply.text
    return reply.json()


def put(client: TestClient, task: dict[str, str], data: bytes) -> Any:
    """As the client does it: to the link alone, without the key."""
    link = urlsplit(task["signedUrl"])
    return client.put(link.path, content=data, headers={"content-type": "application/zip", "authorization": ""})


def ask(client: TestClient, task: dict[str, str]) -> dict[str, Any]:
    reply = client.get(f"/acme/upload/zip/{task['taskId']}")
    assert reply.status_code == 200, reply.text
    return reply.json()


def claim(place: Place) -> Job | None:
    now = place.ports.clock.now()
    return place.ports.queue.claim_job("w", [JobKind.IMPORT], now, now + timedelta(minutes=1))


def work(place: Place) -> Mapping[str, Any] | None:
    """Do the oldest import as the worker does, and record how it ended."""
    job = claim(place)
    assert job is not None
    state, result, error = JobState.DONE, None, None
    try:
        result = import_zip(place.ports, job, place.folder / job.id, SilentWatch())
    except AtrousError as raised:
        state, error = JobState.FAILED, str(raised)
    place.ports.queue.end_job(job.id, "w", state, place.ports.clock.now(), result=result, error=error)
    return result


@pytest.mark.parametrize("format_name", ["coco", "roboflow-png", "png-masks", "yolo", "voc", "supervisely"])
def test_an_archive_of_any_layout_gives_what_an_import_of_the_folder_gives(
    place: Place, client: TestClient, tmp_path: Path, format_name: str
) -> None:
    folder = tmp_path / "dataset"
    scenes = GENERATORS[format_name].write(folder)
    import_dataset(place.ports, "acme", "imported", folder)
    task = start(client)
    assert ask(client, task)["status"] == "pending"
    assert put(client, task, pack(folder)).json() == {"success": True}
    assert ask(client, task)["status"] == "queued"
    work(place)
    status = ask(client, task)
    assert (status["status"], status["error"]) == ("completed", None)
    assert sum(status["result"]["imported"].values()) == len(scenes)
    ours, theirs = pictures_of(place), pictures_of(place, "imported")
    assert {name: (one.mask_sha256, one.split) for name, one in ours.items()} == {
        name: (one.mask_sha256, one.split) for name, one in theirs.items()
    }
    assert class_names(place) == CLASS_NAMES


def test_split_tags_and_batch_are_those_that_were_asked_for(place: Place, client: TestClient, tmp_path: Path) -> None:
    GENERATORS["coco"].write(tmp_path / "dataset")
    task = start(client, split="test", tags=["night"], batchName="june")
    put(client, task, pack(tmp_path / "dataset"))
    work(place)
    pictures = pictures_of(place).values()
    assert {(one.split.value, one.batch, one.tags) for one in pictures} == {("test", "june", ("night",))}
    assert all(one.created for one in pictures)


def test_pictures_without_labels_come_unlabelled(place: Place, client: TestClient, tmp_path: Path) -> None:
    for scene in draw_scenes():
        write_jpeg(tmp_path / "dataset" / scene.split / f"{scene.stem}.jpg", scene.image_HWC)
    task = start(client)
    put(client, task, pack(tmp_path / "dataset"))
    work(place)
    result = ask(client, task)["result"]
    assert (result["unlabelled"], result["left_out"]) == (5, {})
    assert {one.split.value for one in pictures_of(place).values()} == {"train", "valid", "test"}
    assert not any(one.mask_sha256 for one in pictures_of(place).values())


def test_pictures_that_came_before_get_their_labels(place: Place, client: TestClient, tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    scenes = GENERATORS["coco"].write(folder)
    data = (folder / GENERATORS["coco"].picture_path(scenes[0])).read_bytes()
    picture_id = upload(client, f"{scenes[0].stem}.jpg", data, split="test", tag="kept")
    put(client, start(client), pack(folder))
    work(place)
    picture = pictures_of(place)[f"{scenes[0].stem}.jpg"]
    assert (picture.id, picture.split.value, picture.tags) == (picture_id, "test", ("kept",))
    assert (mask_of(place, picture) == scenes[0].mask_HW).all()


def test_labels_are_kept_unless_they_shall_be_replaced(place: Place, client: TestClient, tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    scenes = GENERATORS["roboflow-png"].write(folder)
    put(client, start(client), pack(folder))
    work(place)
    name = f"{scenes[0].stem}.jpg"
    before = pictures_of(place)[name].mask_sha256
    mask = folder / scenes[0].split / f"{scenes[0].stem}_mask.png"
    mask.write_bytes(encode(np.zeros_like(scenes[0].mask_HW)))
    for overwrite in (False, True):
        put(client, start(client, annotationOverwrite=overwrite), pack(folder))
        work(place)
        assert (pictures_of(place)[name].mask_sha256 != before) is overwrite


def test_a_tar_is_taken_too(place: Place, client: TestClient, tmp_path: Path) -> None:
    GENERATORS["coco"].write(tmp_path / "dataset")
    with tarfile.open(tmp_path / "d.tar", "w") as archive:
        archive.add(tmp_path / "dataset", "dataset")
    put(client, start(client), (tmp_path / "d.tar").read_bytes())
    work(place)
    assert len(pictures_of(place)) == 5


def test_the_archive_is_forgotten_after_its_import(place: Place, client: TestClient, tmp_path: Path) -> None:
    GENERATORS["coco"].write(tmp_path / "dataset")
    archive = pack(tmp_path / "dataset")
    sha256 = place.ports.blobs.put(archive)
    first, second = start(client), start(client)
    put(client, first, archive)
    put(client, second, archive)
    work(place)
    assert place.ports.blobs.has(sha256)
    work(place)
    assert not place.ports.blobs.has(sha256)
    assert ask(client, second)["result"]["known"] == 5


def test_a_run_that_was_killed_after_all_was_done_gives_its_result_again(
    place: Place, client: TestClient, tmp_path: Path
) -> None:
    GENERATORS["coco"].write(tmp_path / "dataset")
    put(client, start(client), pack(tmp_path / "dataset"))
    job = claim(place)
    assert job is not None
    first = import_zip(place.ports, job, place.folder / job.id, SilentWatch())
    assert import_zip(place.ports, job, place.folder / job.id, SilentWatch()) == first


def test_a_cancelled_import_keeps_what_it_has_and_forgets_the_archive(
    place: Place, client: TestClient, tmp_path: Path
) -> None:
    GENERATORS["coco"].write(tmp_path / "dataset")
    put(client, start(client), pack(tmp_path / "dataset"))
    job = claim(place)
    assert job is not None

    class Cancelling(SilentWatch):
        told: Mapping[str, Any] = {}

        def report(self, progress: Mapping[str, Any]) -> None:
            self.told = progress

        def wish(self) -> Wish | None:
            return Wish.CANCEL if self.told.get("current") == 2 else None

    with pytest.raises(StoppedError, match="after 2 of 5 pictures"):
        import_zip(place.ports, job, place.folder / job.id, Cancelling())
    assert len(pictures_of(place)) == 2
    assert not place.ports.blobs.has(job.progress["archive"])


def test_classes_that_others_add_meanwhile_are_no_reason_to_fail(
    place: Place, client: TestClient, tmp_path: Path
) -> None:
    GENERATORS["coco"].write(tmp_path / "dataset")
    put(client, start(client), pack(tmp_path / "dataset"))
    job = claim(place)
    assert job is not None

    class Adding(SilentWatch):
        def report(self, progress: Mapping[str, Any]) -> None:
            assert progress["archive"]
            place.ports.store.extend_classes("acme", "road", ["tree"])

    import_zip(place.ports, job, place.folder / job.id, Adding())
    assert class_names(place) == ("background", "tree", "road", "sign")
    scene = draw_scenes()[0]
    assert mask_of(place, pictures_of(place)[f"{scene.stem}.jpg"]).max() == 255
    assert set(np.unique(mask_of(place, pictures_of(place)[f"{scene.stem}.jpg"])).tolist()) == {0, 2, 3, 255}


@pytest.mark.parametrize("data", [b"", b"hello", b"PK\x03\x04 cut off"])
def test_what_is_no_archive_fails_in_a_sentence_that_tells_no_path(
    place: Place, client: TestClient, data: bytes
) -> None:
    task = start(client)
    assert put(client, task, data).status_code == 200
    work(place)
    status = ask(client, task)
    assert status["status"] == "failed"
    assert "the archive" in status["error"]
    assert str(place.folder) not in status["error"]


def test_a_link_is_good_for_one_archive(place: Place, client: TestClient, tmp_path: Path) -> None:
    GENERATORS["coco"].write(tmp_path / "dataset")
    task = start(client)
    assert put(client, task, pack(tmp_path / "dataset")).status_code == 200
    assert put(client, task, b"other").status_code == 409
    assert put(client, {"signedUrl": task["signedUrl"][:-3] + "AAA"}, b"other").status_code == 404


def test_an_upload_that_never_came_fails_after_a_day(place: Place, client: TestClient) -> None:
    task = start(client)
    assert claim(place) is None
    late = replace(place.ports, clock=FakeClock(place.ports.clock.now() + timedelta(days=2)))
    place.ports = late
    work(place)
    assert "no archive came" in ask(place.client(key=place.key), task)["error"]
    assert put(place.client(), task, b"x").status_code in {404, 409}


def test_an_archive_may_be_larger_than_a_body_but_not_than_its_own_limit(place: Place, tmp_path: Path) -> None:
    add_project(place, "road")
    GENERATORS["coco"].write(tmp_path / "dataset")
    archive = pack(tmp_path / "dataset")
    settings = Settings(max_body_bytes=1000, max_total_body_bytes=1000, max_upload_bytes=len(archive))
    client = place.client(settings, key=place.key)
    task = start(client)
    refused = put(client, task, archive + b"x")
    assert refused.status_code == 413
    assert "max_upload_bytes" in refused.json()["error"]["message"]
    assert put(client, task, archive).status_code == 200
    assert client.post("/dataset/road/upload", content=b"A" * 1001).status_code == 413


def test_the_link_leads_back_through_a_proxy(place: Place, client: TestClient) -> None:
    headers = {"host": "seg.example:8443", "x-forwarded-proto": "https"}
    reply = client.post("/acme/road/upload/zip", json={}, headers=headers)
    assert reply.json()["signedUrl"].startswith("https://seg.example:8443/platform/")
    assert place.key not in reply.text


@pytest.mark.parametrize(
    ("status", "options"),
    [
        (400, {"split": "dev"}),
        (400, {"format": "pdf"}),
        (400, {"fixes": ["magic"]}),
        (400, {"batchName": "b" * 300}),
        (422, {"tags": "night"}),
        (422, {"annotationOverwrite": []}),
    ],
)
def test_what_cannot_be_asked_is_refused_at_once(client: TestClient, status: int, options: dict[str, Any]) -> None:
    reply = client.post("/acme/road/upload/zip", json=options)
    assert reply.status_code == status
    assert reply.json()["error"]["message"]


def test_other_keys_see_no_upload(place: Place, client: TestClient) -> None:
    task = start(client)
    _, other = create_key(place.ports, "other", "tests")
    _, reader = create_key(place.ports, "acme", "tests", scope=Scope.READ)
    path = f"/upload/zip/{task['taskId']}"
    assert place.client(key=other).get(f"/acme{path}").status_code == 404
    assert place.client(key=other).get(f"/other{path}").status_code == 404
    assert place.client(key=other).post("/acme/road/upload/zip", json={}).status_code == 404
    assert place.client(key=reader).post("/acme/road/upload/zip", json={}).status_code == 403
    assert client.post("/acme/sea/upload/zip", json={}).status_code == 404
    assert place.client(key=reader).get(f"/acme{path}").status_code == 200
