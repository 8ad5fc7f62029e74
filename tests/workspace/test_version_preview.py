"""A look ahead: the pixels that the version will have, with their labels drawn over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from tests.fakes.ports import fake_ports
from tests.fakes.versions import RESIZE, add_project, keep_picture, make

from atrous.core.errors import InvalidInputError
from atrous.datasets.content import load_fitted
from atrous.datasets.splits import Split
from atrous.workspace.version_preview import preview
from atrous.workspace.versions import list_samples

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.workspace.ports import Ports

FLIPS = {"image": {"versions": 3}, "flip": {"horizontal": True}, "cutout": {"count": 2, "percent": 20}}


@pytest.fixture
def ports(tmp_path: Path) -> Ports:
    ports = fake_ports(tmp_path)
    ports.store.add_workspace("acme")
    return ports


def settings_of(preprocessing: dict[str, Any], augmentation: dict[str, Any]) -> dict[str, Any]:
    return {"preprocessing": {"resize": RESIZE} | preprocessing, "augmentation": augmentation}


@pytest.mark.parametrize("augmentation", [{}, FLIPS], ids=["plain", "augmented"])
@pytest.mark.parametrize(
    "steps", [{}, {"tile": {"rows": 2, "columns": 1}}, {"remap": {"road": None}}], ids=["whole", "tiled", "remapped"]
)
def test_previews_show_what_the_version_will_hold(
    ports: Ports, tmp_path: Path, steps: dict[str, Any], augmentation: dict[str, Any]
) -> None:
    add_project(ports)
    previews = preview(ports, "acme", "road", settings_of(steps, augmentation), 9)
    version = make(ports, tmp_path, steps, augmentation)
    held = {load_fitted(sample, version.preprocessing)[1].tobytes() for sample in list_samples(ports, version)}
    shown = [cv2.imdecode(np.frombuffer(one.mask, np.uint8), cv2.IMREAD_UNCHANGED) for one in previews]
    assert {mask_HW.tobytes() for mask_HW in shown} <= held
    for one in previews:
        assert cv2.imdecode(np.frombuffer(one.image, np.uint8), cv2.IMREAD_COLOR).shape == (24, 32, 3)
    assert len({one.name for one in previews}) == len(previews) == min(9, sum(version.pictures.values()))
    assert len(ports.store.list_versions("acme", "road")) == 1


def test_training_pictures_come_first(ports: Ports) -> None:
    splits = [Split.VALID] * 5 + [Split.TRAIN] * 2
    add_project(ports, [keep_picture(ports, f"{split}{n}", split, seed=n) for n, split in enumerate(splits)])
    names = [one.name for one in preview(ports, "acme", "road", settings_of({}, {}), 3)]
    assert [name[:5] for name in names] == ["train", "train", "valid"]
    assert names == [one.name for one in preview(ports, "acme", "road", settings_of({}, {}), 3)]


def test_too_much_is_refused(ports: Ports) -> None:
    add_project(ports)
    for count in (0, 17):
        with pytest.raises(InvalidInputError, match="16"):
            preview(ports, "acme", "road", settings_of({}, {}), count)
    with pytest.raises(InvalidInputError, match="fewer"):
        preview(ports, "acme", "road", {"preprocessing": {"resize": {"width": 8192, "height": 8192}}}, 1)
