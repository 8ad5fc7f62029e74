from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from tests.datasets.generated import (
    CLASS_NAMES,
    GENERATORS,
    ROAD,
    SIGN,
    VOID,
    Scene,
    draw_scenes,
    write_jpeg,
    write_png,
    write_png_masks,
    write_roboflow_png,
)
from tests.fakes.ports import fake_ports

from atrous.bundle.picture import decode_grey_levels
from atrous.core.class_map import ClassMap
from atrous.core.errors import ConflictError, InvalidDatasetError, InvalidInputError, NotFoundError, StorageError
from atrous.core.sizes import Size
from atrous.datasets.splits import Split, hold_out_valid, source_stem, split_by_hash
from atrous.workspace.imports import import_dataset
from atrous.workspace.records import Picture, Project

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from atrous.workspace.imports import ImportReport
    from atrous.workspace.ports import Ports

OWNER = "main"


@pytest.fixture
def ports(tmp_path: Path) -> Ports:
    ports = fake_ports(tmp_path / "home")
    ports.store.add_workspace(OWNER)
    return ports


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "dataset"


def import_road(ports: Ports, folder: Path) -> ImportReport:
    return import_dataset(ports, OWNER, "road", folder)


def pictures_of(ports: Ports) -> dict[str, Picture]:
    return {picture.name: picture for picture in ports.store.list_pictures(OWNER, "road")}


def write_flat(folder: Path, names: Iterable[str]) -> None:
    """Pictures without splits, each of one grey level, labelled class 1 throughout."""
    for level, name in enumerate(names):
        write_jpeg(folder / "images" / f"{name}.jpg", np.full((8, 8, 3), level, np.uint8))
        write_png(folder / "masks" / f"{name}.png", np.ones((8, 8), np.uint8))
    (folder / "classes.csv").write_text("0,background\n1,road\n")


@pytest.mark.parametrize("name", GENERATORS)
def test_every_format_lands_in_the_project_pixel_for_pixel(name: str, ports: Ports, folder: Path) -> None:
    scenes = GENERATORS[name].write(folder)
    report = import_road(ports, folder)
    assert report.format == name
    assert report.findings == ()
    assert report.imported == {Split.TRAIN: 3, Split.VALID: 1, Split.TEST: 1}
    project = ports.store.find_project(OWNER, "road")
    assert project is not None
    assert project.class_map.names == CLASS_NAMES
    pictures = pictures_of(ports)
    for scene in scenes:
        picture = pictures[f"{scene.stem}.jpg"]
        assert (picture.split, picture.size) == (scene.split, Size(*scene.mask_HW.shape))
        assert ports.blobs.get(picture.image_sha256) == (folder / GENERATORS[name].picture_path(scene)).read_bytes()
        np.testing.assert_array_equal(decode_grey_levels(ports.blobs.get(picture.mask_sha256)), scene.mask_HW)


def count(scenes: list[Scene], class_id: int) -> int:
    return sum(int((scene.mask_HW == class_id).sum()) for scene in scenes)


def test_report_counts_pixels_of_every_class_even_of_one_pixel(ports: Ports, folder: Path) -> None:
    scenes = write_roboflow_png(folder)
    report = import_road(ports, folder)
    assert report.class_pixels == {name: count(scenes, class_id) for class_id, name in enumerate(CLASS_NAMES)}
    assert report.class_pixels["sign"] == len(scenes)
    assert report.void_pixels == count(scenes, VOID)
    assert f"{count(scenes, VOID)} pixels of value 255, which no class name declares, are void" in report.notes


def test_report_shows_the_mapping_as_plain_values(ports: Ports, folder: Path) -> None:
    write_png_masks(folder)
    shown = json.loads(json.dumps(import_road(ports, folder).as_json()))
    assert shown["mapping"][0] == {"source_value": 3, "source_name": "road", "id": ROAD, "name": "road"}
    assert [row["id"] for row in shown["mapping"]] == [ROAD, SIGN, 0, VOID]
    assert shown["imported"] == {"train": 3, "valid": 1, "test": 1}


def test_import_again_adds_nothing(ports: Ports, folder: Path) -> None:
    write_png_masks(folder)
    import_road(ports, folder)
    before = pictures_of(ports)
    report = import_road(ports, folder)
    assert (sum(report.imported.values()), report.known, report.findings) == (0, 5, ())
    assert pictures_of(ports) == before


def test_import_again_adds_what_is_new(ports: Ports, folder: Path) -> None:
    write_png_masks(folder)
    import_road(ports, folder)
    scene = draw_scenes(seed=1)[0]
    write_jpeg(folder / "valid" / "images" / "new.jpg", scene.image_HWC)
    write_png(folder / "valid" / "masks" / "new.png", np.full(scene.mask_HW.shape, 4, np.uint8))
    report = import_road(ports, folder)
    assert (report.imported[Split.VALID], report.known) == (1, 5)
    assert report.class_pixels["sign"] == scene.mask_HW.size


def test_known_picture_with_another_label_keeps_the_old_one_and_says_so(ports: Ports, folder: Path) -> None:
    (scene, *_) = write_png_masks(folder)
    import_road(ports, folder)
    before = pictures_of(ports)
    write_png(folder / "train" / "masks" / f"{scene.stem}.png", np.full(scene.mask_HW.shape, 3, np.uint8))
    report = import_road(ports, folder)
    assert [finding.reason for finding in report.findings] == [
        "is in the project already with another label, which was kept"
    ]
    assert pictures_of(ports) == before


def test_known_mask_is_compared_by_pixels_not_by_encoding(ports: Ports, folder: Path) -> None:
    (scene, *_) = write_png_masks(folder)
    import_road(ports, folder)
    path = folder / "train" / "images" / f"{scene.stem}.jpg"
    old = pictures_of(ports)[path.name]
    coarse = cv2.imencode(".png", scene.mask_HW, [cv2.IMWRITE_PNG_COMPRESSION, 0])[1].tobytes()
    other = fake_ports(folder.parent / "other")
    other.store.add_workspace(OWNER)
    other.store.add_project(Project(OWNER, "road", ClassMap(CLASS_NAMES), other.clock.now()))
    other.store.add_pictures(OWNER, "road", [replace(old, mask_sha256=other.blobs.put(coarse))])
    report = import_road(other, folder)
    assert (report.known, report.findings) == (1, ())


def test_same_picture_twice_is_imported_once_and_said_so(ports: Ports, folder: Path) -> None:
    (scene, *_) = write_png_masks(folder)
    write_jpeg(folder / "valid" / "images" / "twin.jpg", scene.image_HWC)
    write_png(folder / "valid" / "masks" / "twin.png", np.full(scene.mask_HW.shape, 3, np.uint8))
    report = import_road(ports, folder)
    (finding,) = report.findings
    assert finding.file.as_posix() == "valid/images/twin.jpg"
    assert finding.reason == f"is the same picture as {scene.stem}.jpg, which was imported (train)"
    assert report.known == 0


def test_new_names_extend_the_projects_classes(ports: Ports, folder: Path) -> None:
    ports.store.add_project(Project(OWNER, "road", ClassMap(("background", "car", "Sign")), ports.clock.now()))
    (scene, *_) = write_png_masks(folder)
    report = import_road(ports, folder)
    project = ports.store.find_project(OWNER, "road")
    assert project is not None
    assert project.class_map.names == ("background", "car", "Sign", "road")
    mask_HW = decode_grey_levels(ports.blobs.get(pictures_of(ports)[f"{scene.stem}.jpg"].mask_sha256))
    np.testing.assert_array_equal(mask_HW == 3, scene.mask_HW == ROAD)
    np.testing.assert_array_equal(mask_HW == 2, scene.mask_HW == SIGN)
    assert report.class_pixels["car"] == 0


def test_bad_pairs_are_left_out_with_a_finding_each(ports: Ports, folder: Path) -> None:
    first, second, third, *_ = write_png_masks(folder)
    (folder / "train" / "masks" / f"{first.stem}.png").unlink()
    write_png(folder / "train" / "masks" / f"{second.stem}.png", np.full(second.mask_HW.shape, 99, np.uint8))
    write_png(folder / "train" / "masks" / f"{third.stem}.png", third.image_HWC)
    report = import_road(ports, folder)
    assert {finding.file.as_posix() for finding in report.findings} == {
        f"train/images/{first.stem}.jpg",
        f"train/masks/{second.stem}.png",
        f"train/masks/{third.stem}.png",
    }
    assert report.imported == {Split.TRAIN: 0, Split.VALID: 1, Split.TEST: 1}
    assert all(finding["remedy"] for finding in report.as_json()["findings"])


def test_source_without_splits_is_split_by_hash_and_says_so(ports: Ports, folder: Path) -> None:
    write_flat(folder, [f"f{n}_jpg.rf.{copy}" for n in range(30) for copy in ("a", "b")])
    report = import_road(ports, folder)
    assert {name: picture.split for name, picture in pictures_of(ports).items()} == {
        name: split_by_hash(name) for name in pictures_of(ports)
    }
    assert "by hash of the name" in " ".join(report.notes)


def test_missing_valid_split_is_held_out_of_train_and_says_so(ports: Ports, folder: Path) -> None:
    write_flat(folder / "train", [f"f{n}_jpg.rf.{copy}" for n in range(30) for copy in ("a", "b")])
    (folder / "train" / "classes.csv").rename(folder / "classes.csv")
    report = import_road(ports, folder)
    pictures = pictures_of(ports)
    assert {picture.split for picture in pictures.values()} == {Split.TRAIN, Split.VALID}
    assert all(picture.split is hold_out_valid(name) for name, picture in pictures.items())
    stems = {split: {source_stem(n) for n, p in pictures.items() if p.split is split} for split in Split}
    assert not stems[Split.TRAIN] & stems[Split.VALID]
    held = report.imported[Split.VALID]
    assert f"no valid split: 20 % of train held out by hash of the name ({held} pictures), copies together" in (
        report.notes
    )


def test_given_splits_are_not_touched(ports: Ports, folder: Path) -> None:
    write_png_masks(folder)
    assert import_road(ports, folder).notes == ()


def test_nothing_importable_names_the_first_finding_and_makes_no_project(ports: Ports, folder: Path) -> None:
    for scene in write_png_masks(folder):
        write_png(folder / scene.split / "masks" / f"{scene.stem}.png", np.full(scene.mask_HW.shape, 99, np.uint8))
    with pytest.raises(InvalidDatasetError, match=r"masks/scene_0_4\.png: pixel x=0, y=0 has value 99"):
        import_road(ports, folder)
    assert ports.store.find_project(OWNER, "road") is None


def test_progress_counts_every_picture(ports: Ports, folder: Path) -> None:
    write_png_masks(folder)
    seen: list[tuple[int, int]] = []
    import_dataset(ports, OWNER, "road", folder, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 5) for done in range(1, 6)]


class _FullDisk:
    """Blobs of a disk that has room for only so many."""

    def __init__(self, ports: Ports, room: int) -> None:
        self._blobs = ports.blobs
        self._room = room

    def put(self, data: bytes) -> str:
        if self._room == 0:
            raise StorageError("disk full")
        self._room -= 1
        return self._blobs.put(data)

    def get(self, sha256: str) -> bytes:
        return self._blobs.get(sha256)

    def path(self, sha256: str) -> Path:
        return self._blobs.path(sha256)


def test_full_disk_leaves_what_was_stored_usable_and_the_rest_can_follow(ports: Ports, folder: Path) -> None:
    write_png_masks(folder)
    with pytest.raises(StorageError):
        import_road(replace(ports, blobs=_FullDisk(ports, room=5)), folder)
    pictures = pictures_of(ports)
    assert len(pictures) == 2
    for picture in pictures.values():
        assert decode_grey_levels(ports.blobs.get(picture.mask_sha256)).shape == (24, 32)
    report = import_road(ports, folder)
    assert (report.known, sum(report.imported.values())) == (2, 3)


def test_interruption_leaves_what_was_stored_usable(ports: Ports, folder: Path) -> None:
    write_png_masks(folder)

    def press_ctrl_c(done: int, _total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_dataset(ports, OWNER, "road", folder, progress=press_ctrl_c)
    assert len(pictures_of(ports)) == 3


def test_classes_changed_meanwhile_are_a_conflict(ports: Ports, folder: Path) -> None:
    ports.store.add_project(Project(OWNER, "road", ClassMap(("background", "car")), ports.clock.now()))
    write_png_masks(folder)

    def rename(done: int, _total: int) -> None:
        ports.store.set_class_map(OWNER, "road", ClassMap(("background", "bus")))

    with pytest.raises(ConflictError, match="its classes changed meanwhile"):
        import_dataset(ports, OWNER, "road", folder, progress=rename)
    assert pictures_of(ports) == {}


def test_slug_that_is_none_is_refused_before_anything_is_read(ports: Ports, folder: Path) -> None:
    with pytest.raises(InvalidInputError, match="project 'My Road'"):
        import_dataset(ports, OWNER, "My Road", folder)


def test_unknown_workspace_is_refused(ports: Ports, folder: Path) -> None:
    with pytest.raises(NotFoundError, match="workspace 'nobody'"):
        import_dataset(ports, "nobody", "road", folder)
