from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

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
    coco_document,
    draw_scenes,
    write_jpeg,
    write_json,
    write_png,
    write_png_masks,
    write_roboflow_png,
)
from tests.fakes.ports import fake_ports

from atrous.bundle.picture import decode_grey_levels
from atrous.core.class_map import ClassMap
from atrous.core.errors import ConflictError, InvalidDatasetError, InvalidInputError, NotFoundError, StorageError
from atrous.core.sizes import Size
from atrous.datasets.findings import Kind
from atrous.datasets.fixes import Fix
from atrous.datasets.splits import Split, source_of_copy
from atrous.workspace.imports import ImportOptions, import_dataset
from atrous.workspace.records import Picture, Project

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from atrous.workspace.import_report import ImportReport
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


def import_road(ports: Ports, folder: Path, **options: Any) -> ImportReport:
    return import_dataset(ports, OWNER, "road", folder, ImportOptions(**options))


def pictures_of(ports: Ports) -> dict[str, Picture]:
    return {picture.name: picture for picture in ports.store.list_pictures(OWNER, "road")}


def without_times(pictures: dict[str, Picture]) -> dict[str, Picture]:
    return {name: replace(picture, created=None) for name, picture in pictures.items()}


def write_flat(folder: Path, names: Iterable[str]) -> None:
    """Pictures of noise without splits, labelled class 1 throughout."""
    rng = np.random.default_rng(7)
    for name in names:
        write_jpeg(folder / "images" / f"{name}.jpg", rng.integers(0, 256, (32, 32, 3), dtype=np.uint8))
        write_png(folder / "masks" / f"{name}.png", np.ones((32, 32), np.uint8))
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
        picture = pictures[GENERATORS[name].picture_path(scene).name]
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
    assert sum(report.void_pixels.values()) == count(scenes, VOID)
    valid = [scene for scene in scenes if scene.split is Split.VALID]
    assert report.pixels[Split.VALID] == {name: count(valid, class_id) for class_id, name in enumerate(CLASS_NAMES)}
    assert (
        f"pixels of value 255, which no class name declares and which are void: {count(scenes, VOID)}" in report.notes
    )


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
    assert report.class_pixels["sign"] == scene.mask_HW.size + 5


def test_known_picture_with_another_label_keeps_the_old_one_and_says_so(ports: Ports, folder: Path) -> None:
    (scene, *_) = write_png_masks(folder)
    import_road(ports, folder)
    before = pictures_of(ports)
    write_png(folder / "train" / "masks" / f"{scene.stem}.png", np.full(scene.mask_HW.shape, 3, np.uint8))
    report = import_road(ports, folder)
    changed_px = int((scene.mask_HW != ROAD).sum())
    assert [(finding.kind, finding.reason) for finding in report.findings] == [
        (Kind.OTHER_LABEL, f"is in the project already with another label ({changed_px} pixels differ), which was kept")
    ]
    assert pictures_of(ports) == before


def test_overwrite_takes_the_new_label_and_says_what_changed(ports: Ports, folder: Path) -> None:
    (scene, *_) = write_png_masks(folder)
    import_road(ports, folder)
    before = pictures_of(ports)
    write_png(folder / "train" / "masks" / f"{scene.stem}.png", np.full(scene.mask_HW.shape, 3, np.uint8))
    report = import_road(ports, folder, overwrite=True)
    changed_px = int((scene.mask_HW != ROAD).sum())
    assert [(one.file, one.changed_px) for one in report.relabelled] == [(f"train/images/{scene.stem}.jpg", changed_px)]
    after = pictures_of(ports)
    name = f"{scene.stem}.jpg"
    mask_HW = decode_grey_levels(ports.blobs.get(after[name].mask_sha256))
    assert (mask_HW == ROAD).all()
    assert after[name].class_pixels == {ROAD: mask_HW.size}
    assert {key: value for key, value in after.items() if key != name} == {
        key: value for key, value in before.items() if key != name
    }
    assert import_road(ports, folder, overwrite=True).relabelled == ()


@pytest.mark.parametrize("name", ["coco", "png-masks"])
def test_annotations_alone_replace_the_labels_of_the_projects_pictures(name: str, ports: Ports, folder: Path) -> None:
    scenes = write_png_masks(folder)
    import_road(ports, folder)
    (folder / "train").rename(folder.parent / "old")
    later = folder.parent / "later"
    if name == "coco":
        write_json(later / "instances.json", coco_document(scenes[1:2]))
    else:
        write_png(later / "masks" / f"{scenes[1].stem}.png", np.full(scenes[1].mask_HW.shape, SIGN, np.uint8))
        (later / "classes.csv").write_text("0,background\n1,road\n2,sign\n")
    report = import_road(ports, later, overwrite=True)
    assert (report.format, report.known, report.findings) == (name, 1, ())
    changed = {one.file for one in report.relabelled}
    if name == "coco":
        assert changed == set(), "the outlines say the same as the masks did"
    else:
        assert changed == {f"images/{scenes[1].stem}.jpg"}
        assert pictures_of(ports)[f"{scenes[1].stem}.jpg"].class_pixels == {SIGN: scenes[1].mask_HW.size}
    assert len(pictures_of(ports)) == len(scenes)


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
    assert (report.known, [finding.kind for finding in report.findings]) == (1, [])


def test_same_picture_twice_is_imported_once_and_said_so(ports: Ports, folder: Path) -> None:
    (scene, *_) = write_png_masks(folder)
    write_jpeg(folder / "valid" / "images" / "twin.jpg", scene.image_HWC)
    write_png(folder / "valid" / "masks" / "twin.png", np.full(scene.mask_HW.shape, 3, np.uint8))
    report = import_road(ports, folder)
    (finding,) = report.findings
    assert finding.file == "valid/images/twin.jpg"
    assert finding.reason == f"is the same picture as train/images/{scene.stem}.jpg, which was taken (train)"
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
    assert {finding.file for finding in report.findings} == {
        f"train/images/{first.stem}.jpg",
        f"train/masks/{second.stem}.png",
        f"train/masks/{third.stem}.png",
    }
    assert report.imported == {Split.TRAIN: 0, Split.VALID: 1, Split.TEST: 1}
    assert all(finding["remedy"] for finding in report.as_json()["findings"])


def test_source_without_splits_is_split_by_class_and_says_so(ports: Ports, folder: Path) -> None:
    write_flat(folder, [f"f{n}_jpg.rf.{copy}" for n in range(30) for copy in ("a", "b")])
    report = import_road(ports, folder)
    assert report.imported == {Split.TRAIN: 42, Split.VALID: 12, Split.TEST: 6}
    assert not any(picture.pending for picture in pictures_of(ports).values())
    assert sources_by_split(ports)[Split.TRAIN].isdisjoint(sources_by_split(ports)[Split.VALID])
    assert (
        "60 pictures with no split: 70 % train, 20 % valid, 10 % test, by class and hash, copies of one source together"
    ) in report.notes


def sources_by_split(ports: Ports) -> dict[Split, set[str | None]]:
    pictures = pictures_of(ports)
    return {split: {source_of_copy(n) for n, p in pictures.items() if p.split is split} for split in Split}


def test_splits_are_the_same_after_an_interruption(ports: Ports, folder: Path, tmp_path: Path) -> None:
    write_flat(folder, [f"f{n}" for n in range(90)])

    def press_ctrl_c(done: int, _total: int) -> None:
        if done == 70:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_dataset(ports, OWNER, "road", folder, progress=press_ctrl_c)
    interrupted = pictures_of(ports)
    assert 0 < len(interrupted) < 90
    assert all(picture.pending for picture in interrupted.values())
    report = import_road(ports, folder)
    assert report.known == len(interrupted)
    whole = fake_ports(tmp_path / "other")
    whole.store.add_workspace(OWNER)
    assert import_road(whole, folder).pixels == report.pixels
    assert without_times(pictures_of(ports)) == without_times(pictures_of(whole))


def test_splits_of_the_project_stay_when_pictures_are_added(ports: Ports, folder: Path) -> None:
    write_flat(folder, [f"f{n}" for n in range(10)])
    import_road(ports, folder)
    before = {name: picture.split for name, picture in pictures_of(ports).items()}
    write_flat(folder, [f"f{n}" for n in range(20)])
    import_road(ports, folder)
    after = {name: picture.split for name, picture in pictures_of(ports).items()}
    assert len(after) == 20
    assert {name: after[name] for name in before} == before


def test_missing_valid_split_is_held_out_of_train_and_says_so(ports: Ports, folder: Path) -> None:
    write_flat(folder / "train", [f"f{n}_jpg.rf.{copy}" for n in range(30) for copy in ("a", "b")])
    (folder / "train" / "classes.csv").rename(folder / "classes.csv")
    report = import_road(ports, folder)
    assert report.imported == {Split.TRAIN: 48, Split.VALID: 12, Split.TEST: 0}
    assert sources_by_split(ports)[Split.TRAIN].isdisjoint(sources_by_split(ports)[Split.VALID])
    assert (
        "60 pictures with no valid split: 20 % of train held out, by class and hash, copies of one source together"
    ) in report.notes


def test_copies_across_given_splits_are_found_and_can_be_moved(ports: Ports, folder: Path) -> None:
    rng = np.random.default_rng(3)
    (folder / "train" / "images").mkdir(parents=True)
    (folder / "classes.csv").write_text("0,background\n1,road\n")
    for split, name in [
        ("train", "a_jpg.rf.1"),
        ("valid", "a_jpg.rf.2"),
        ("train", "b"),
        ("valid", "c"),
        ("test", "d"),
    ]:
        write_jpeg(folder / split / "images" / f"{name}.jpg", rng.integers(0, 256, (32, 32, 3), dtype=np.uint8))
        write_png(folder / split / "masks" / f"{name}.png", np.ones((32, 32), np.uint8))
    (finding,) = import_road(ports, folder).findings
    assert (finding.kind, finding.file) == (Kind.COPY_ACROSS_SPLITS, "valid/images/a_jpg.rf.2.jpg")
    assert finding.fix is Fix.COPIES_TO_TRAIN
    report = import_road(ports, folder, fixes=frozenset({Fix.COPIES_TO_TRAIN}), strict=True)
    assert not report.is_refused
    assert report.findings == ()
    assert report.mended == {Fix.COPIES_TO_TRAIN: 1}
    assert pictures_of(ports)["a_jpg.rf.2.jpg"].split is Split.TRAIN


def test_strict_imports_nothing_if_there_is_a_finding(ports: Ports, folder: Path) -> None:
    (scene, *_) = write_png_masks(folder)
    path = folder / "train" / "masks" / f"{scene.stem}.png"
    path.write_bytes(path.read_bytes()[:60])
    report = import_road(ports, folder, strict=True)
    assert report.is_refused
    assert [finding.file for finding in report.findings] == [f"train/masks/{scene.stem}.png"]
    assert ports.store.find_project(OWNER, "road") is None
    write_png_masks(folder)
    report = import_road(ports, folder, strict=True)
    assert (report.is_refused, sum(report.imported.values())) == (False, 5)


def test_unchanged_pictures_are_not_looked_at_again(ports: Ports, folder: Path) -> None:
    write_png_masks(folder)
    import_road(ports, folder)
    report = import_road(ports, folder)
    assert (
        "pictures that nothing changed about since an earlier import, which were not looked at again: 5" in report.notes
    )


def test_given_splits_are_not_touched(ports: Ports, folder: Path) -> None:
    write_png_masks(folder)
    assert not any("split" in note for note in import_road(ports, folder).notes)


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
        self._room = threading.Semaphore(room)

    def put(self, data: bytes) -> str:
        if not self._room.acquire(blocking=False):
            raise StorageError("disk full")
        return self._blobs.put(data)

    def get(self, sha256: str) -> bytes:
        return self._blobs.get(sha256)

    def path(self, sha256: str) -> Path:
        return self._blobs.path(sha256)


def test_full_disk_leaves_what_was_stored_usable_and_the_rest_can_follow(ports: Ports, folder: Path) -> None:
    write_png_masks(folder)
    with pytest.raises(StorageError):
        import_road(replace(ports, blobs=_FullDisk(ports, room=5)), folder)
    # Several pairs are under way at once, so it is not said which of them the room was enough for, or whether for any.
    pictures = ports.store.list_pictures(OWNER, "road") if ports.store.find_project(OWNER, "road") else []
    assert len(pictures) <= 2
    for picture in pictures:
        assert decode_grey_levels(ports.blobs.get(picture.mask_sha256)).shape == (24, 32)
    report = import_road(ports, folder)
    assert (report.known, sum(report.imported.values())) == (len(pictures), 5 - len(pictures))


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
