"""A look at a dataset before training, and datasets for other tools: `dataset inspect`, `dataset export`."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING

import cv2
import pytest
from tests.datasets.generated import SPLITS, write_coco

from atrous.adapters.home import open_home
from atrous.datasets.exports import EXPORTS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.terminal import Said


def zip_folder(folder: Path, path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder.parent))


def test_a_folder_is_inspected_without_a_project(atrous: Callable[..., Said], home: Path, dataset: Path) -> None:
    said = atrous("dataset", "inspect", dataset, "--html", "page.html", "--report", "report.json")
    assert said.code == 0
    assert "usable: 3 train, 1 valid, 1 test; left out: 0; to look at: 0" in said.out
    assert "sizes: 32x24 (5)" in said.out
    page = (home.parent / "page.html").read_text(encoding="utf-8")
    assert "streets (png-masks)" in page
    assert page.count("data:image/jpeg;base64,") >= 2 * len(SPLITS)
    assert "<script" not in page
    assert "://" not in page
    report = json.loads((home.parent / "report.json").read_text())
    assert report["pictures"] == {"train": 3, "valid": 1, "test": 1}
    assert report["pixels"]["train"]["sign"] == 3
    assert not home.exists()


def test_findings_are_shown_by_kind_with_their_remedies(atrous: Callable[..., Said], dataset: Path) -> None:
    mask = next((dataset / "train" / "masks").iterdir())
    mask.write_bytes(mask.read_bytes()[:50])
    said = atrous("dataset", "inspect", dataset)
    assert said.code == 0
    assert "damaged-label" in said.out
    assert f"left out: train/masks/{mask.name}: is cut off or damaged; copy or export it again" in said.out
    assert "left out: 1" in said.out


def test_a_project_is_inspected_as_it_is(atrous: Callable[..., Said], home: Path, dataset: Path) -> None:
    atrous("import", dataset, "--project", "road")
    said = atrous("dataset", "inspect", "road")
    assert said.code == 0
    assert "usable: 3 train, 1 valid, 1 test" in said.out
    assert "Project road" in (home.parent / "inspection.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("target", ["nowhere", "no/where"])
def test_what_is_neither_path_nor_project_is_refused(atrous: Callable[..., Said], target: str) -> None:
    said = atrous("dataset", "inspect", target)
    assert said.code in {2, 3}
    assert target in said.error


@pytest.mark.parametrize("format_name", EXPORTS)
def test_an_export_can_be_imported(atrous: Callable[..., Said], home: Path, dataset: Path, format_name: str) -> None:
    atrous("import", dataset, "--project", "road")
    exported = atrous("dataset", "export", "road", "out.zip", "--format", format_name)
    assert exported.code == 0
    assert "exported: 3 train, 1 valid, 1 test to out.zip" in exported.out
    imported = atrous("import", "out.zip", "--project", "again")
    assert imported.code == 0, imported.err
    assert "imported: 3 train, 1 valid, 1 test; known already: 0; left out: 0" in imported.out
    store = open_home(home).store
    before, after = (
        {picture.image_sha256: picture for picture in store.list_pictures("main", slug)} for slug in ("road", "again")
    )
    assert before.keys() == after.keys()
    if not format_name.startswith("yolo"):  # which has no void
        assert all(before[key].class_pixels == after[key].class_pixels for key in before)


def test_a_version_is_exported_as_it_was_and_as_a_network_sees_it(
    atrous: Callable[..., Said], home: Path, dataset: Path
) -> None:
    atrous("import", dataset, "--project", "road")
    atrous("version", "create", "road", "--resize", "64x48")
    write_coco(dataset.parent / "more")
    atrous("import", dataset.parent / "more", "--project", "road")
    assert "exported: 3 train" in atrous("dataset", "export", "road/1", "out").out
    masks = list((home.parent / "out").rglob("*_mask.png"))
    assert len(masks) == len(SPLITS)
    pictures = list((home.parent / "out").rglob("*.rf.*.jpg"))
    assert len(pictures) == len(SPLITS)
    assert {cv2.imread(str(path)).shape[:2] for path in (*masks, *pictures)} == {(48, 64)}


def test_an_export_never_writes_over_something(atrous: Callable[..., Said], home: Path, dataset: Path) -> None:
    atrous("import", dataset, "--project", "road")
    (home.parent / "out.zip").write_text("mine")
    said = atrous("dataset", "export", "road", "out.zip")
    assert said.code == 5
    assert "out.zip: exists already" in said.error
    assert (home.parent / "out.zip").read_text() == "mine"


def test_an_unknown_export_format_is_refused_with_the_known_ones(atrous: Callable[..., Said], dataset: Path) -> None:
    atrous("import", dataset, "--project", "road")
    said = atrous("dataset", "export", "road", "out", "--format", "nrrd")
    assert said.code == 2
    assert all(name in said.error for name in EXPORTS)


def test_a_zip_inside_a_wrapper_folder_is_imported(atrous: Callable[..., Said], dataset: Path) -> None:
    zip_folder(dataset, dataset.parent / "streets.zip")
    said = atrous("import", dataset.parent / "streets.zip", "--project", "road")
    assert said.code == 0
    assert "imported: 3 train, 1 valid, 1 test" in said.out
    assert "note: read from its folder streets" in said.out


def test_strict_refuses_and_lists_what_it_found(atrous: Callable[..., Said], home: Path, dataset: Path) -> None:
    mask = next((dataset / "train" / "masks").iterdir())
    mask.unlink()
    said = atrous("import", dataset, "--project", "road", "--strict", "--report", "report.json")
    assert said.code == 2
    assert "has 1 findings, so --strict imported nothing" in said.error
    assert "no-label" in said.out
    assert json.loads((home.parent / "report.json").read_text())["refused"] is True
    assert open_home(home).store.list_projects("main") == []


def test_a_named_remedy_is_applied_and_counted(atrous: Callable[..., Said], dataset: Path) -> None:
    mask = next((dataset / "train" / "masks").iterdir())
    mask.unlink()
    said = atrous("import", dataset, "--project", "road", "--fix", "missing-to-background")
    assert said.code == 0
    assert "mended by missing-to-background: 1" in said.out
    assert "imported: 3 train" in said.out


def test_an_unknown_remedy_is_refused_with_the_known_ones(atrous: Callable[..., Said], dataset: Path) -> None:
    said = atrous("import", dataset, "--project", "road", "--fix", "magic")
    assert said.code == 2
    assert "threshold-jpeg-masks" in said.err


def test_a_list_of_classes_may_be_given(atrous: Callable[..., Said], home: Path, dataset: Path) -> None:
    (dataset.parent / "names.csv").write_text("3,street\n4,sign\n7,background\n9,void\n")
    assert atrous("import", dataset, "--project", "road", "--classes", "names.csv").code == 0
    project = open_home(home).store.find_project("main", "road")
    assert project is not None
    assert project.class_map.names == ("background", "street", "sign")
