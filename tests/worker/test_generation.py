"""Versions made of settings: what they hold, that a kill changes nothing of it, and that it never changes after."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from PIL import Image
from tests.fakes.datasets import CLASS_MAP, SIZE, encode_png
from tests.fakes.ports import fake_ports
from tests.fakes.versions import RESIZE, SPLITS, Follower, add_project, keep_picture, make

from atrous.bundle.preprocessing import fit_image, fit_mask
from atrous.core.class_map import VOID_ID, ClassMap
from atrous.core.errors import ConflictError, InvalidDatasetError, InvalidInputError, StoppedError
from atrous.datasets.content import Stage, load_fitted, load_sample
from atrous.datasets.splits import Split
from atrous.worker.generation import JOURNAL, generate
from atrous.worker.watch import SilentWatch
from atrous.workspace.records import Job, JobKind, JobState, VersionState, Wish
from atrous.workspace.versions import (
    create_version,
    find_version,
    list_content,
    list_samples,
    request_version,
    resume_generations,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Version

FLIPS = {"image": {"versions": 2}, "flip": {"horizontal": True}, "rotate": {"degrees": 20}}
BAKED: dict[str, dict[str, Any]] = {
    "augmented": {"augmentation": FLIPS},
    "tiled": {"preprocessing": {"tile": {"rows": 2, "columns": 2}}},
    "remapped": {"preprocessing": {"remap": {"sign": "road"}}},
    "mosaic": {"preprocessing": {"tile": {"rows": 1, "columns": 2}}, "augmentation": FLIPS | {"mosaic": True}},
}
every_baking = pytest.mark.parametrize("changes", BAKED.values(), ids=BAKED)


@pytest.fixture
def ports(tmp_path: Path) -> Ports:
    ports = fake_ports(tmp_path)
    ports.store.add_workspace("acme")
    return ports


def settings_of(changes: Mapping[str, Any]) -> dict[str, Any]:
    return {"preprocessing": {"resize": RESIZE} | changes.get("preprocessing", {})} | {
        "augmentation": changes.get("augmentation", {})
    }


def run(ports: Ports, folder: Path, watch: Any = None) -> Mapping[str, Any]:
    """Do the oldest generation job that is not over, as a worker would."""
    job = next(job for job in ports.queue.list_jobs("acme", JobKind.GENERATE) if not job.state.is_final)
    return generate(ports, job, folder, watch or SilentWatch())


def look(ports: Ports, version: Version) -> Version:
    return find_version(ports, "acme", version.id)


def test_a_version_is_there_at_once_and_ready_once_its_job_is_done(ports: Ports, tmp_path: Path) -> None:
    add_project(ports)
    asked = request_version(ports, "acme", "road", settings_of({"augmentation": FLIPS}), name="dusk")
    assert (asked.state, asked.progress, asked.name, asked.content_sha256) == (VersionState.GENERATING, 0, "dusk", "")
    assert asked.pictures == {Split.TRAIN: 8, Split.VALID: 2, Split.TEST: 1}
    with pytest.raises(ConflictError, match="being made"):
        list_samples(ports, asked)
    result = run(ports, tmp_path / "job")
    ready = look(ports, asked)
    assert (ready.state, ready.progress, ready.error) == (VersionState.READY, 1, None)
    assert ready.pictures == asked.pictures
    assert ready.settings == asked.settings
    assert result == {"pictures": 11, "content_sha256": ready.content_sha256}
    assert not ports.blobs.has(asked.source_sha256)
    assert Counter(sample.split for sample in list_samples(ports, ready)) == ready.pictures


def test_without_pixels_to_make_the_content_is_that_of_a_plain_version(ports: Ports, tmp_path: Path) -> None:
    add_project(ports)
    plain = make(ports, tmp_path, {"grayscale": True, "static-crop": {"x_min": 10, "x_max": 90}})
    again = create_version(ports, "acme", "road", plain.preprocessing)
    assert plain.content_sha256 == again.content_sha256
    assert plain.settings == again.settings


def test_later_changes_of_the_project_are_not_in_the_version(ports: Ports, tmp_path: Path) -> None:
    pictures = add_project(ports)
    asked = request_version(ports, "acme", "road", settings_of({}))
    ports.store.update_pictures("acme", "road", [replace(pictures[0], split=Split.TEST)])
    ports.store.add_pictures("acme", "road", [keep_picture(ports, "late.png", seed=99)])
    ports.store.set_class_map("acme", "road", ClassMap((*CLASS_MAP.names, "late")))
    run(ports, tmp_path / "job")
    ready = look(ports, asked)
    assert ready.class_map == CLASS_MAP
    assert ready.pictures == {split: SPLITS.count(split) for split in Split}


def test_training_pictures_alone_are_varied_at_the_networks_size(ports: Ports, tmp_path: Path) -> None:
    add_project(ports)
    version = make(ports, tmp_path, augmentation=FLIPS)
    samples = list_samples(ports, version)
    for sample in samples:
        is_train = sample.split is Split.TRAIN
        assert sample.stage is (Stage.PREPARED if is_train else Stage.ORIGINAL)
        image_HWC, mask_HW = load_sample(sample)
        assert image_HWC.shape[:2] == mask_HW.shape == ((24, 32) if is_train else (SIZE.height, SIZE.width))
        fitted_HWC, fitted_HW = load_fitted(sample, version.preprocessing)
        if is_train:
            np.testing.assert_array_equal(fitted_HWC, image_HWC)
            np.testing.assert_array_equal(fitted_HW, mask_HW)
    names = [sample.name for sample in samples if sample.split is Split.TRAIN]
    assert names[:4] == [f"scene_{n}-output{k}{'.jpg' if n else '.png'}" for n in (0, 1) for k in (1, 2)]
    assert len({content.image_sha256 for content in list_content(ports, version)}) == len(samples)


def test_a_lossy_picture_is_kept_in_high_quality(ports: Ports, tmp_path: Path) -> None:
    flat = np.full((SIZE.height, SIZE.width), 1, np.uint8)
    add_project(ports, [keep_picture(ports, "a.jpg", mask_HW=flat)])
    (sample,) = list_samples(ports, make(ports, tmp_path, augmentation={"brightness": {"percent": 0}}))
    original_HWC = cv2.imdecode(
        np.frombuffer(ports.blobs.get(ports.store.list_pictures("acme", "road")[0].image_sha256), np.uint8), 1
    )
    expected_HWC = cv2.resize(original_HWC, (32, 24), interpolation=cv2.INTER_LINEAR)
    difference = np.abs(load_sample(sample)[0].astype(int) - expected_HWC)
    # Quality 95 rounds frequencies; noise of single pixels is the worst there is for it.
    assert difference.mean() < 3


def test_tiles_put_together_are_the_picture(ports: Ports, tmp_path: Path) -> None:
    (picture,) = add_project(ports, [keep_picture(ports, "a.png")])
    version = make(ports, tmp_path, {"tile": {"rows": 2, "columns": 2}})
    tiles = [load_sample(sample) for sample in list_samples(ports, version)]
    images, masks = ([tile[part] for tile in tiles] for part in (0, 1))
    assert picture.mask_sha256
    for parts, sha256 in ((images, picture.image_sha256), (masks, picture.mask_sha256)):
        whole = np.vstack([np.hstack(parts[:2]), np.hstack(parts[2:])])
        np.testing.assert_array_equal(whole, cv2.imdecode(np.frombuffer(ports.blobs.get(sha256), np.uint8), -1))
    assert version.pictures[Split.TRAIN] == 4


def test_a_tile_is_fitted_without_being_cropped_again(ports: Ports, tmp_path: Path) -> None:
    add_project(ports, [keep_picture(ports, "a.png")])
    steps = {"tile": {"rows": 1, "columns": 2}, "static-crop": {"x_min": 0, "x_max": 50}, "grayscale": True}
    version = make(ports, tmp_path, steps)
    for sample in list_samples(ports, version):
        image_HWC, mask_HW = load_sample(sample)
        assert mask_HW.shape == (SIZE.height, SIZE.width // 4)
        plain = replace(version.preprocessing, crop=None, tiles=None)
        fitted_HWC, fitted_HW = load_fitted(sample, version.preprocessing)
        np.testing.assert_array_equal(fitted_HWC, fit_image(image_HWC, plain))
        np.testing.assert_array_equal(fitted_HW, fit_mask(mask_HW, plain))


def test_classes_are_renamed_merged_and_dropped(ports: Ports, tmp_path: Path) -> None:
    mask_HW = np.array([0, 1, 2, VOID_ID], np.uint8).repeat(14)[None].repeat(SIZE.height, 0)
    add_project(ports, [keep_picture(ports, "a.jpg", mask_HW=mask_HW)])
    for remap, names, ids in (
        ({"road": "lane"}, ("lane", "sign"), [0, 1, 2, VOID_ID]),
        ({"sign": "road"}, ("road",), [0, 1, 1, VOID_ID]),
        ({"road": None}, ("sign",), [0, 0, 1, VOID_ID]),
        ({"road": ""}, ("sign",), [0, 0, 1, VOID_ID]),
        ({"road": "sign", "sign": "road"}, ("sign", "road"), [0, 1, 2, VOID_ID]),
    ):
        version = make(ports, tmp_path, {"remap": remap})
        assert version.class_map.names == ("background", *names)
        (sample,) = list_samples(ports, version)
        np.testing.assert_array_equal(load_sample(sample)[1][0, ::14], ids)
        assert sample.stage is Stage.ORIGINAL


@every_baking
@pytest.mark.parametrize("auto_orient", [True, False])
def test_masks_lie_on_pictures_with_an_exif_rotation(
    ports: Ports, tmp_path: Path, changes: dict[str, Any], auto_orient: bool
) -> None:
    # A picture whose brightness is its label, so that any wrong turn shows.
    stored_HW = np.zeros((32, 48), np.uint8)
    stored_HW[:16, :24] = 1
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    Image.fromarray(stored_HW * 250, "L").save(file, "JPEG", quality=95, exif=exif)
    add_project(
        ports,
        [
            keep_picture(
                ports, "a.jpg", mask_HW=np.rot90(stored_HW, -1), image_sha256=ports.blobs.put(file.getvalue())
            ),
            keep_picture(ports, "b.jpg"),
        ],
    )
    steps = changes.get("preprocessing", {}) | {"auto-orient": auto_orient}
    augmentation = {key: step for key, step in changes.get("augmentation", {}).items() if key != "mosaic"}
    version = make(ports, tmp_path, steps, augmentation)
    samples = [sample for sample in list_samples(ports, version) if sample.name.startswith("a")]
    assert samples
    for sample in samples:
        image_HWC, mask_HW = load_sample(sample, auto_orient=auto_orient)
        is_seen_HW = mask_HW != VOID_ID
        agrees_HW = (image_HWC[:, :, 0] > 125) == (mask_HW == 1)
        assert agrees_HW[is_seen_HW].mean() > 0.95


@every_baking
def test_the_same_settings_give_the_same_hash_in_another_store(
    ports: Ports, tmp_path: Path, changes: dict[str, Any]
) -> None:
    other = fake_ports(tmp_path / "other")
    other.store.add_workspace("acme")
    hashes: set[str] = set()
    for one in (ports, other):
        add_project(one)
        hashes.add(make(one, tmp_path, **changes).content_sha256)
    assert len(hashes) == 1


@every_baking
def test_a_killed_job_goes_on_and_makes_the_very_same(ports: Ports, tmp_path: Path, changes: dict[str, Any]) -> None:
    add_project(ports)
    expected = make(ports, tmp_path, **changes)
    asked = request_version(ports, "acme", "road", settings_of(changes))
    folder = tmp_path / "job"
    with pytest.raises(StoppedError):
        run(ports, folder, Follower(Wish.PAUSE, after=3))
    assert look(ports, asked).state is VersionState.GENERATING
    with (folder / JOURNAL).open("ab") as journal:
        journal.write(b'[{"name": "cut o')
    watch = Follower()
    run(ports, folder, watch)
    assert watch.told[0]["done"] == 4
    assert look(ports, asked).content_sha256 == expected.content_sha256


def test_a_ready_version_is_not_made_again(ports: Ports, tmp_path: Path) -> None:
    add_project(ports)
    request_version(ports, "acme", "road", settings_of({}))
    run(ports, tmp_path / "job")
    ready = ports.store.list_versions("acme", "road")
    assert run(ports, tmp_path / "job") == {}
    assert ports.store.list_versions("acme", "road") == ready


def test_a_version_in_the_trash_stays_there(ports: Ports, tmp_path: Path) -> None:
    add_project(ports)
    asked = request_version(ports, "acme", "road", settings_of({}))
    ports.store.set_version(replace(asked, deleted=ports.clock.now()))
    run(ports, tmp_path / "job")
    (in_trash,) = ports.store.list_versions("acme", "road", deleted=True)
    assert in_trash.state is VersionState.READY
    assert in_trash.deleted is not None


def test_a_damaged_picture_is_named(ports: Ports, tmp_path: Path) -> None:
    damaged = keep_picture(ports, "a.png", image_sha256=ports.blobs.put(b"no picture"))
    add_project(ports, [damaged, keep_picture(ports, "b.png", seed=1)])
    with pytest.raises(InvalidDatasetError, match=r"a\.png"):
        make(ports, tmp_path, augmentation=FLIPS)
    (version,) = ports.store.list_versions("acme", "road")
    assert version.state is VersionState.FAILED
    assert version.error is not None
    assert "a.png" in version.error
    assert [job.state for job in ports.queue.list_jobs("acme")] == [JobState.FAILED]
    with pytest.raises(ConflictError, match="could not be made"):
        list_samples(ports, version)


def test_what_is_interrupted_here_goes_on_in_a_worker(ports: Ports, tmp_path: Path) -> None:
    from atrous.worker.foreground import make_version_here

    def interrupt(done: int, _total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    add_project(ports)
    with pytest.raises(KeyboardInterrupt):
        make_version_here(
            ports, "acme", "road", settings_of({"augmentation": FLIPS}), home=tmp_path, progress=interrupt
        )
    (job,) = ports.queue.list_jobs("acme")
    assert job.state is JobState.QUEUED
    watch = Follower()
    generate(ports, job, tmp_path / "jobs" / job.id, watch)
    assert watch.told[0]["done"] == 3
    assert ports.store.list_versions("acme", "road")[0].state is VersionState.READY


def test_a_version_without_a_job_gets_one_after_a_while(ports: Ports) -> None:
    add_project(ports)
    asked = request_version(ports, "acme", "road", settings_of({}))
    lost = replace(asked, created=asked.created.replace(year=2020))
    ports.store.add_version(lambda number: replace(lost, number=number), "acme", "road")
    assert resume_generations(ports) == 1
    assert resume_generations(ports) == 0
    assert [job.subject for job in ports.queue.list_jobs("acme")] == ["road/1", "road/2"]


def test_null_tiles_are_dropped_to_leave_the_share_that_was_asked_for(ports: Ports, tmp_path: Path) -> None:
    mask_HW = np.zeros((SIZE.height, SIZE.width), np.uint8)
    mask_HW[:10, :14] = 1
    mask_HW[:10, 14:28] = VOID_ID
    add_project(ports, [keep_picture(ports, f"{n}.png", mask_HW=mask_HW, seed=n) for n in range(3)])
    tile = {"tile": {"rows": 4, "columns": 4}}
    assert make(ports, tmp_path, tile).pictures[Split.TRAIN] == 48
    for percent, count in ((100, 3), (50, 6), (0, 48)):
        version = make(ports, tmp_path, tile | {"filter-null": {"percent": percent}})
        assert version.pictures[Split.TRAIN] == count
        shown = sum((load_sample(sample)[1] == 1).any() for sample in list_samples(ports, version))
        assert shown == 3


def test_pictures_of_old_imports_are_looked_at_by_the_null_filter(ports: Ports, tmp_path: Path) -> None:
    empty = keep_picture(ports, "empty.png", mask_HW=np.zeros((SIZE.height, SIZE.width), np.uint8), class_pixels={})
    full = keep_picture(ports, "full.png", seed=1, class_pixels={})
    add_project(ports, [empty, full])
    version = make(ports, tmp_path, {"filter-null": {"percent": 100}})
    assert [sample.name for sample in list_samples(ports, version)] == ["full.png"]


def test_jobs_find_their_function() -> None:
    from atrous.worker.jobs import JOBS

    assert JOBS[JobKind.GENERATE] is generate


def test_masks_that_are_no_pngs_of_ours_fit_their_pictures(ports: Ports, tmp_path: Path) -> None:
    small = ports.blobs.put(encode_png(np.zeros((4, 4), np.uint8)))
    add_project(ports, [keep_picture(ports, "a.png", mask_sha256=small)])
    with pytest.raises(InvalidDatasetError, match="4x4"):
        make(ports, tmp_path, augmentation=FLIPS)


def test_a_job_of_a_version_that_is_gone_is_over(ports: Ports, tmp_path: Path) -> None:
    add_project(ports)
    job = Job("j", "acme", JobKind.GENERATE, "road/7", ports.clock.now())
    assert generate(ports, job, tmp_path / "job", SilentWatch()) == {}


def test_settings_are_refused_before_there_is_a_version(ports: Ports) -> None:
    add_project(ports, [replace(keep_picture(ports, "a.png"), mask_sha256=None)])
    with pytest.raises(InvalidInputError, match="no pictures with a label"):
        request_version(ports, "acme", "road", {})
    assert ports.store.list_versions("acme", "road") == []
    assert ports.queue.list_jobs("acme") == []
