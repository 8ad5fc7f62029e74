"""Exports of versions: what a client downloads is what a network sees, and is built once."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import zipfile
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import orjson
import pytest
import yaml
from tests.fakes.ports import fake_ports
from tests.fakes.versions import Follower, add_project, make

from atrous.core.errors import InvalidInputError, StoppedError
from atrous.datasets.class_mapping import map_classes
from atrous.datasets.content import load_fitted
from atrous.datasets.files.opening import open_dataset
from atrous.datasets.formats import read_source
from atrous.datasets.labels import LabelledPicture, load_labelled_picture
from atrous.worker.exports import export
from atrous.worker.jobs import JOBS
from atrous.worker.watch import SilentWatch
from atrous.workspace.exports import EXPORT_FORMATS, find_export, request_export
from atrous.workspace.records import Job, JobKind, JobState, Wish
from atrous.workspace.versions import list_samples

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Version

STEPS = {"static-crop": {"x_min": 0, "x_max": 50}, "grayscale": True}
FLIPS = {"image": {"versions": 2}, "flip": {"horizontal": True}}
NAME = re.compile(r"scene_\d(?:-output\d)?_(?:jpg|png)\.rf\.[0-9a-f]{32}\.(?:jpg|png)")
IMPORTED_AS = {
    "png-mask-semantic": "roboflow-png",
    "coco": "coco",
    "coco-segmentation": "coco",
    "yolov5pytorch": "yolo",
}


@pytest.fixture
def ports(tmp_path: Path) -> Ports:
    ports = fake_ports(tmp_path)
    ports.store.add_workspace("acme")
    add_project(ports)
    return ports


@pytest.fixture
def version(ports: Ports, tmp_path: Path) -> Version:
    return make(ports, tmp_path, STEPS, FLIPS)


def finish(ports: Ports, job: Job, result: Any, state: JobState = JobState.DONE) -> None:
    now = ports.clock.now()
    held = ports.queue.claim_job("me", [JobKind.EXPORT], now, now)
    assert held is not None
    assert held.id == job.id
    ports.queue.end_job(job.id, "me", state, now, result=result)


def run(ports: Ports, version: Version, format_name: str, folder: Path) -> zipfile.ZipFile:
    job = request_export(ports, version, format_name)
    result = export(ports, job, folder, SilentWatch())
    finish(ports, job, result)
    data = ports.blobs.get(result["sha256"])
    assert (hashlib.sha256(data).hexdigest(), len(data)) == (result["sha256"], result["bytes"])
    return zipfile.ZipFile(io.BytesIO(data))


def expected_masks(ports: Ports, version: Version) -> list[bytes]:
    return sorted(load_fitted(one, version.preprocessing)[1].tobytes() for one in list_samples(ports, version))


def test_masks_and_pictures_are_those_that_a_network_sees(ports: Ports, version: Version, tmp_path: Path) -> None:
    archive = run(ports, version, "png-mask-semantic", tmp_path / "job")
    names = archive.namelist()
    masks = [name for name in names if name.endswith("_mask.png")]
    assert sorted(_decode(archive, name).tobytes() for name in masks) == expected_masks(ports, version)
    fitted = [load_fitted(one, version.preprocessing) for one in list_samples(ports, version)]
    for name in masks:
        stem = name.removesuffix("_mask.png")
        (picture,) = (one for one in names if one.startswith(stem) and one != name)
        assert NAME.fullmatch(picture.partition("/")[2])
        image_HWC, mask_HW = _decode(archive, picture).astype(int), _decode(archive, name)
        # Of the pictures with this very mask, one is it but for the rounding of a good JPEG.
        assert min(np.abs(image_HWC - one).mean() for one, other_HW in fitted if np.array_equal(mask_HW, other_HW)) < 3
    rows = list(csv.reader(io.StringIO(archive.read("train/_classes.csv").decode()), skipinitialspace=True))
    assert rows[:2] == [["Pixel Value", "Class"], ["0", "background"]]
    assert archive.read("train/_classes.csv").startswith(b"Pixel Value, Class\n0, background\n1, road")


@pytest.mark.parametrize("format_name", EXPORT_FORMATS)
def test_an_export_is_imported_with_the_very_masks(
    ports: Ports, version: Version, tmp_path: Path, format_name: str
) -> None:
    archive = run(ports, version, format_name, tmp_path / "job")
    archive.extractall(tmp_path / "out")
    with open_dataset(tmp_path / "out") as tree:
        found, source = read_source(tree)
        assert found == IMPORTED_AS[format_name]
        assert source.findings == ()
        mapping = map_classes(source.classes, None)
        assert mapping.class_map == version.class_map
        pictures = [load_labelled_picture(item, mapping) for item in source.items]
    masks = sorted(picture.mask_HW.tobytes() for picture in pictures if isinstance(picture, LabelledPicture))
    expected = expected_masks(ports, version)
    if format_name == "yolov5pytorch":  # which has no void
        expected = sorted(mask.replace(b"\xff", b"\x00") for mask in expected)
    assert masks == expected


def test_layouts_are_those_of_the_platform(ports: Ports, version: Version, tmp_path: Path) -> None:
    coco = run(ports, version, "coco-segmentation", tmp_path / "job")
    document = orjson.loads(coco.read("train/_annotations.coco.json"))
    assert {f"train/{image['file_name']}" for image in document["images"]} < set(coco.namelist())
    yolo = run(ports, version, "yolov5pytorch", tmp_path / "job")
    content = yaml.safe_load(yolo.read("data.yaml"))
    # What the stock client cuts and joins.
    assert [content[key] for key in ("train", "val", "test")] == [
        f"../{split}/images" for split in ("train", "valid", "test")
    ]
    assert (content["nc"], content["names"]) == (2, ["road", "sign"])
    assert sum(name.startswith("train/labels/") for name in yolo.namelist()) == 8


def test_its_notes_tell_counts_and_steps(ports: Ports, version: Version, tmp_path: Path) -> None:
    archive = run(ports, version, "coco", tmp_path / "job")
    assert "11 pictures (8 train, 2 valid, 1 test)" in archive.read("README.dataset.txt").decode()
    notes = archive.read("README.roboflow.txt").decode()
    for step in ("* resize (width 32, height 24, format Stretch to)", "* grayscale", "* flip (horizontal True"):
        assert step in notes


def test_an_export_is_built_once(ports: Ports, version: Version, tmp_path: Path) -> None:
    assert find_export(ports, version, "coco") is None
    job = request_export(ports, version, "coco")
    assert request_export(ports, version, "coco") == job
    result = export(ports, job, tmp_path / "job", SilentWatch())
    finish(ports, job, result)
    done = request_export(ports, version, "coco")
    assert (done.id, done.state, done.result) == (job.id, JobState.DONE, result)
    assert find_export(ports, version, "coco") == done
    assert request_export(ports, version, "coco-segmentation").id != job.id


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.CANCELLED])
def test_an_export_that_failed_is_tried_again(ports: Ports, version: Version, state: JobState) -> None:
    job = request_export(ports, version, "coco")
    finish(ports, job, {}, state)
    found = find_export(ports, version, "coco")
    assert found is not None
    assert found.id == job.id
    assert request_export(ports, version, "coco").id != job.id


def test_an_export_whose_file_is_lost_is_built_again(ports: Ports, version: Version, tmp_path: Path) -> None:
    job = request_export(ports, version, "coco")
    finish(ports, job, export(ports, job, tmp_path / "job", SilentWatch()))
    lost = request_export(ports, version, "coco")
    ports.blobs.remove(lost.result["sha256"])
    assert request_export(ports, version, "coco").id != job.id


def test_a_killed_export_begins_anew_and_gives_the_same_bytes(ports: Ports, version: Version, tmp_path: Path) -> None:
    job = request_export(ports, version, "coco")
    expected = export(ports, job, tmp_path / "first", SilentWatch())
    folder = tmp_path / "second"
    folder.mkdir()
    (folder / "export.zip.part").write_bytes(b"cut off")
    assert export(ports, job, folder, SilentWatch()) == expected
    assert not folder.exists()


def test_an_export_ends_when_it_is_wished_to(ports: Ports, version: Version, tmp_path: Path) -> None:
    job = request_export(ports, version, "coco")
    watch = Follower(Wish.CANCEL, after=2)
    with pytest.raises(StoppedError):
        export(ports, job, tmp_path / "job", watch)
    assert watch.told == [{"done": 0, "total": 11}, {"done": 1, "total": 11}]


def test_an_unknown_format_is_refused_with_the_known_ones(ports: Ports, version: Version) -> None:
    with pytest.raises(InvalidInputError, match="png-mask-semantic"):
        request_export(ports, version, "tfrecord")
    assert JOBS[JobKind.EXPORT] is export


def _decode(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(archive.read(name), np.uint8), cv2.IMREAD_UNCHANGED)
