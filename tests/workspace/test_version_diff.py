"""What two versions differ in: pictures, labels, splits, classes and settings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.fakes.datasets import SIZE, encode_png
from tests.fakes.ports import fake_ports
from tests.fakes.versions import add_project, keep_picture, make

from atrous.bundle.preprocessing import Preprocessing
from atrous.core.errors import ConflictError, InvalidInputError, NotFoundError
from atrous.core.ids import VersionId
from atrous.core.sizes import Size
from atrous.datasets.splits import Split
from atrous.workspace.version_diff import Change, compare_versions
from atrous.workspace.versions import create_version, request_version

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.workspace.ports import Ports
    from atrous.workspace.version_diff import VersionDiff

TILES = {"tile": {"rows": 1, "columns": 2}}


@pytest.fixture
def ports(tmp_path: Path) -> Ports:
    ports = fake_ports(tmp_path)
    ports.store.add_workspace("acme")
    return ports


def compare(ports: Ports, first: int = 1, second: int = 2) -> VersionDiff:
    return compare_versions(ports, "acme", VersionId("road", first), VersionId("road", second))


@pytest.mark.parametrize("steps", [{}, TILES, {"remap": {"sign": "road"}}], ids=["plain", "tiled", "remapped"])
def test_pictures_are_told_apart_by_what_the_project_holds(ports: Ports, tmp_path: Path, steps: dict[str, Any]) -> None:
    pictures = add_project(ports)
    make(ports, tmp_path, steps)
    stored = {picture.name: picture for picture in ports.store.list_pictures("acme", "road")}
    label = ports.blobs.put(encode_png(np.ones((SIZE.height, SIZE.width), np.uint8)))
    changes = [replace(pictures[0], mask_sha256=label), replace(pictures[1], split=Split.TEST)]
    ports.store.update_pictures("acme", "road", changes)
    ports.store.remove_pictures("acme", "road", [stored["scene_2.png"].id])
    ports.store.add_pictures("acme", "road", [keep_picture(ports, "new.png", seed=50)])
    make(ports, tmp_path, steps)
    diff = compare(ports)
    assert [name.partition("-")[0].partition(".")[0] for name in diff.added] == ["new"]
    assert [name.partition("-")[0].partition(".")[0] for name in diff.removed] == ["scene_2"]
    assert [name.partition("-")[0].partition(".")[0] for name in diff.relabelled] == ["scene_0"]
    assert [(move.before, move.after) for move in diff.moved] == [(Split.TRAIN, Split.TEST)]
    assert (diff.kept, diff.settings) == (6, ())
    back = compare(ports, 2, 1)
    assert (back.added, back.removed) == (diff.removed, diff.added)


def test_other_steps_relabel_nothing(ports: Ports, tmp_path: Path) -> None:
    add_project(ports)
    make(ports, tmp_path)
    make(ports, tmp_path, TILES | {"remap": {"sign": "road"}}, {"image": {"versions": 2}, "flip": {"vertical": True}})
    diff = compare(ports)
    assert (diff.added, diff.removed, diff.relabelled, diff.moved, diff.kept) == ((), (), (), (), 7)
    assert (diff.classes_added, diff.classes_removed) == ((), ("sign",))
    assert {change.setting: change.after for change in diff.settings} == {
        "preprocessing.tile.enabled": True,
        "preprocessing.tile.rows": 1,
        "preprocessing.tile.columns": 2,
        "preprocessing.remap.enabled": True,
        "preprocessing.remap.classes.sign": "road",
        "augmentation.image.enabled": True,
        "augmentation.image.versions": 2,
        "augmentation.flip.enabled": True,
        "augmentation.flip.horizontal": False,
        "augmentation.flip.vertical": True,
    }


def test_versions_of_old_releases_are_compared_by_their_preprocessing(ports: Ports, tmp_path: Path) -> None:
    add_project(ports)
    old = create_version(ports, "acme", "road", Preprocessing(Size(24, 64), grayscale=True))
    ports.store.set_version(replace(old, settings={}))
    make(ports, tmp_path)
    assert set(compare(ports).settings) == {
        Change("preprocessing.resize.width", 64, 32),
        Change("preprocessing.grayscale.enabled", True, None),
    }


def test_a_version_does_not_differ_from_itself(ports: Ports, tmp_path: Path) -> None:
    add_project(ports)
    make(ports, tmp_path, TILES)
    content = compare(ports, 1, 1).as_json()
    assert content["counts"] == {"added": 0, "removed": 0, "relabelled": 0, "moved": 0, "kept": 7}
    assert content["settings"] == content["added"] == []


def test_lists_can_be_cut_and_counts_are_of_all(ports: Ports, tmp_path: Path) -> None:
    add_project(ports)
    make(ports, tmp_path, {"random-sample": {"percent": 1}})
    make(ports, tmp_path)
    content = compare(ports).as_json(limit=2)
    assert (content["counts"]["added"], len(content["added"])) == (4, 2)


def test_what_cannot_be_compared_is_refused(ports: Ports, tmp_path: Path) -> None:
    add_project(ports)
    make(ports, tmp_path)
    request_version(ports, "acme", "road", {})
    with pytest.raises(ConflictError, match="road/2"):
        compare(ports)
    with pytest.raises(NotFoundError, match="road/3"):
        compare(ports, 1, 3)
    with pytest.raises(InvalidInputError, match="two projects"):
        compare_versions(ports, "acme", VersionId("road", 1), VersionId("sea", 1))
