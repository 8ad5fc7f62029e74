from __future__ import annotations

import hashlib
import json
from dataclasses import FrozenInstanceError, fields, replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.fakes.ports import fake_ports

from atrous.adapters.home import open_home
from atrous.bundle.contrast import Contrast
from atrous.bundle.preprocessing import Fit, Preprocessing
from atrous.bundle.regions import StaticCrop, Tiles
from atrous.core.class_map import ClassMap
from atrous.core.errors import InvalidInputError, NotFoundError, StorageError
from atrous.core.ids import VersionId
from atrous.core.sizes import Size
from atrous.datasets.splits import Split
from atrous.workspace.records import Picture, Project
from atrous.workspace.version_content import read_preprocessing, write_preprocessing
from atrous.workspace.versions import create_version, find_version, list_samples

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Version

CLASS_MAP = ClassMap(("background", "road", "Straße"))
PREPROCESSING = Preprocessing(Size(height=96, width=128))
STEPS: dict[str, Any] = {
    "crop": StaticCrop(1, 2, 30, 40),
    "grayscale": True,
    "contrast": Contrast.ADAPTIVE,
    "tiles": Tiles(rows=2, columns=3),
}


@pytest.fixture(params=["fake", "home"])
def ports(request: pytest.FixtureRequest, tmp_path: Path) -> Ports:
    """Ports with the workspaces `acme` and `other`."""
    ports = fake_ports(tmp_path) if request.param == "fake" else open_home(tmp_path / "home")
    ports.store.add_workspace("acme")
    ports.store.add_workspace("other")
    return ports


def keep_pictures(ports: Ports) -> list[Picture]:
    """Blobs of two pictures and their masks, and the rows that name them."""
    return [
        Picture(
            name=f"{name}.jpg",
            image_sha256=ports.blobs.put(f"image {name}".encode()),
            mask_sha256=ports.blobs.put(f"mask {name}".encode()),
            split=split,
            size=Size(height=30, width=40),
        )
        for name, split in (("b", Split.VALID), ("ä", Split.TRAIN), ("c", Split.TRAIN))
    ]


def freeze(
    ports: Ports,
    slug: str,
    pictures: Sequence[Picture],
    *,
    class_map: ClassMap = CLASS_MAP,
    preprocessing: Preprocessing = PREPROCESSING,
    workspace: str = "acme",
) -> Version:
    ports.store.add_project(Project(workspace, slug, class_map, ports.clock.now()))
    ports.store.add_pictures(workspace, slug, pictures)
    return create_version(ports, workspace, slug, preprocessing)


def test_a_version_holds_what_the_project_held(ports: Ports) -> None:
    version = freeze(ports, "road", keep_pictures(ports))
    assert version.id == VersionId("road", 1)
    assert version.pictures == {Split.TRAIN: 2, Split.VALID: 1, Split.TEST: 0}
    assert (version.class_map, version.preprocessing) == (CLASS_MAP, PREPROCESSING)
    assert find_version(ports, "acme", VersionId("road", 1)) == version


def test_its_samples_are_files_with_the_very_bytes(ports: Ports) -> None:
    samples = list_samples(ports, freeze(ports, "road", keep_pictures(ports)))
    assert [(sample.name, sample.split) for sample in samples] == [
        ("b.jpg", Split.VALID),
        ("c.jpg", Split.TRAIN),
        ("ä.jpg", Split.TRAIN),
    ]
    assert samples[2].image_path.read_bytes() == "image ä".encode()
    assert samples[2].mask_path.read_bytes() == "mask ä".encode()


def test_a_version_stays_as_it_is_when_its_project_changes(ports: Ports) -> None:
    pictures = keep_pictures(ports)
    first = freeze(ports, "road", pictures)
    before = list_samples(ports, first)
    more = replace(pictures[0], name="more.jpg", image_sha256=ports.blobs.put(b"more"))
    ports.store.add_pictures("acme", "road", [more])
    ports.store.set_class_map("acme", "road", ClassMap((*CLASS_MAP.names, "sign")))
    second = create_version(ports, "acme", "road", PREPROCESSING)
    assert find_version(ports, "acme", first.id) == first
    assert list_samples(ports, first) == before
    assert (second.id, len(list_samples(ports, second))) == (VersionId("road", 2), 4)
    assert len(second.class_map) == len(first.class_map) + 1


def test_a_version_cannot_be_written_to(ports: Ports) -> None:
    version = freeze(ports, "road", keep_pictures(ports))
    for field in fields(version):
        with pytest.raises(FrozenInstanceError):
            setattr(version, field.name, None)


def test_the_same_content_has_the_same_hash(ports: Ports) -> None:
    pictures = keep_pictures(ports)
    first = freeze(ports, "road", pictures)
    assert create_version(ports, "acme", "road", PREPROCESSING).content_sha256 == first.content_sha256
    elsewhere = freeze(ports, "sea", list(reversed(pictures)), workspace="other")
    assert elsewhere.content_sha256 == first.content_sha256


def test_the_hash_is_the_same_in_every_store_and_release(ports: Ports) -> None:
    # Written down: another number here would give old content a new name.
    version = freeze(ports, "road", keep_pictures(ports))
    assert version.content_sha256 == "3944df4519fe885bf15ef803e30243102677f732e0d52572cd8e68a7ee2b3880"


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "z.jpg"},
        {"image_sha256": "0" * 64},
        {"mask_sha256": "0" * 64},
        {"split": Split.TEST},
        {"size": Size(height=40, width=30)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_any_change_of_a_picture_changes_the_hash(ports: Ports, changes: dict[str, Any]) -> None:
    pictures = keep_pictures(ports)
    before = freeze(ports, "road", pictures)
    after = freeze(ports, "changed", [replace(pictures[0], **changes), *pictures[1:]])
    assert after.content_sha256 != before.content_sha256


@pytest.mark.parametrize(
    "changes",
    [
        {"size": Size(height=128, width=96)},
        {"fit": Fit.LETTERBOX_BLACK},
        {"auto_orient": False},
        {"mean_RGB": (0.5, 0.5, 0.5)},
        {"std_RGB": (0.5, 0.5, 0.5)},
        {"crop": StaticCrop(0, 0, 100, 100)},
        {"grayscale": True},
        {"contrast": Contrast.STRETCHING},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_any_change_of_the_preprocessing_changes_the_hash(ports: Ports, changes: dict[str, Any]) -> None:
    before = freeze(ports, "road", keep_pictures(ports))
    after = create_version(ports, "acme", "road", replace(PREPROCESSING, **changes))
    assert after.content_sha256 != before.content_sha256


def test_every_field_of_the_preprocessing_is_part_of_the_hash() -> None:
    written = set(write_preprocessing(replace(PREPROCESSING, **STEPS)))
    assert {field.name for field in fields(Preprocessing)} - {"size"} | {"width", "height"} == written


def test_other_classes_pictures_or_orders_of_classes_change_the_hash(ports: Ports) -> None:
    pictures = keep_pictures(ports)
    hashes = [freeze(ports, "road", pictures).content_sha256]
    for slug, names in (("renamed", ("road", "sign")), ("swapped", ("Straße", "road")), ("fewer", ("road",))):
        hashes.append(freeze(ports, slug, pictures, class_map=ClassMap(("background", *names))).content_sha256)
    hashes.append(freeze(ports, "less", pictures[:2]).content_sha256)
    assert len(set(hashes)) == 5


@pytest.mark.parametrize("steps", [{}, STEPS, {"contrast": Contrast.HISTOGRAM}], ids=len)
@pytest.mark.parametrize("fit", list(Fit))
def test_a_preprocessing_survives_being_kept(fit: Fit, steps: dict[str, Any]) -> None:
    preprocessing = Preprocessing(Size(height=7, width=9), fit, auto_orient=False, mean_RGB=(0.1, 1 / 3, 0.0), **steps)
    assert read_preprocessing(json.loads(json.dumps(write_preprocessing(preprocessing)))) == preprocessing


def test_content_that_was_altered_on_disk_is_refused(tmp_path: Path) -> None:
    ports = open_home(tmp_path / "home")
    ports.store.add_workspace("acme")
    version = freeze(ports, "road", keep_pictures(ports))
    path = ports.blobs.path(version.content_sha256)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == version.content_sha256
    path.write_bytes(path.read_bytes().replace(b"valid", b"train"))
    with pytest.raises(StorageError, match="road/1"):
        list_samples(ports, version)


def test_a_lost_picture_is_missed_before_the_work_begins(tmp_path: Path) -> None:
    ports = open_home(tmp_path / "home")
    ports.store.add_workspace("acme")
    pictures = keep_pictures(ports)
    version = freeze(ports, "road", pictures)
    ports.blobs.path(pictures[1].mask_sha256).unlink()
    with pytest.raises(NotFoundError, match=pictures[1].mask_sha256):
        list_samples(ports, version)


def test_a_project_without_pictures_makes_no_version(ports: Ports) -> None:
    ports.store.add_project(Project("acme", "road", CLASS_MAP, ports.clock.now()))
    with pytest.raises(InvalidInputError, match="no pictures"):
        create_version(ports, "acme", "road", PREPROCESSING)
    assert ports.store.list_versions("acme", "road") == []


def test_what_another_workspace_has_does_not_exist(ports: Ports) -> None:
    version = freeze(ports, "road", keep_pictures(ports))
    with pytest.raises(NotFoundError, match="atrous import PATH --project road"):
        create_version(ports, "other", "road", PREPROCESSING)
    with pytest.raises(NotFoundError, match="road/1"):
        find_version(ports, "other", version.id)
    with pytest.raises(NotFoundError, match="road/2"):
        find_version(ports, "acme", VersionId("road", 2))
