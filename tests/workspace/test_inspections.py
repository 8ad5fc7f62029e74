"""A look at a project, also at pictures of imports that kept less about them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.datasets.generated import write_roboflow_png
from tests.fakes.ports import fake_ports

from atrous.core.errors import NotFoundError
from atrous.workspace.imports import import_dataset
from atrous.workspace.inspections import inspect_project

if TYPE_CHECKING:
    from pathlib import Path

OWNER = "main"


def test_what_old_imports_did_not_keep_is_looked_up(tmp_path: Path) -> None:
    ports = fake_ports(tmp_path / "home")
    ports.store.add_workspace(OWNER)
    write_roboflow_png(tmp_path / "data")
    import_dataset(ports, OWNER, "road", tmp_path / "data")
    new = inspect_project(ports, OWNER, "road").inspection
    pictures = ports.store.list_pictures(OWNER, "road")
    ports.store.update_pictures(
        OWNER, "road", [replace(picture, class_pixels={}, look=b"", source_sha256="") for picture in pictures]
    )
    old = inspect_project(ports, OWNER, "road")
    assert [one.class_pixels for one in old.inspection.facts] == [one.class_pixels for one in new.facts]
    assert all(one.look for one in old.inspection.facts)
    image_HWC, mask_HW = old.load(old.inspection.facts[0])
    assert image_HWC.shape[:2] == mask_HW.shape
    assert dict(zip(*np.unique(mask_HW, return_counts=True), strict=True)) == old.inspection.facts[0].class_pixels


def test_unknown_project_is_not_found(tmp_path: Path) -> None:
    ports = fake_ports(tmp_path)
    ports.store.add_workspace(OWNER)
    with pytest.raises(NotFoundError, match="project 'sea'"):
        inspect_project(ports, OWNER, "sea")
