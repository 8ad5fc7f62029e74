from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from atrous.core.errors import InvalidDatasetError
from atrous.datasets.formats import read_source
from atrous.datasets.mask_file import MaskFile
from atrous.datasets.splits import Split
from tests.datasets.generated import write_jpeg, write_png

if TYPE_CHECKING:
    from pathlib import Path

IMAGE_HWC = np.zeros((4, 5, 3), np.uint8)
MASK_HW = np.zeros((4, 5), np.uint8)


def write_pair(images: Path, masks: Path, name: str) -> None:
    write_jpeg(images / f"{name}.jpg", IMAGE_HWC)
    write_png(masks / f"{name}.png", MASK_HW)


def read_splits(folder: Path) -> dict[str, Split | None]:
    (folder / "classes.csv").write_text("0,sky\n1,road\n")
    name, source = read_source(folder)
    assert name == "png-masks"
    assert source.findings == ()
    return {item.image_path.relative_to(folder).as_posix(): item.split for item in source.items}


@pytest.mark.parametrize("masks", ["masks", "labels", "annotations"])
def test_split_folders_around_images_and_masks(masks: str, tmp_path: Path) -> None:
    for split in ("train", "val", "test"):
        write_pair(tmp_path / split / "images", tmp_path / split / masks, "a")
    assert read_splits(tmp_path) == {
        "train/images/a.jpg": Split.TRAIN,
        "val/images/a.jpg": Split.VALID,
        "test/images/a.jpg": Split.TEST,
    }


def test_split_folders_inside_images_and_masks(tmp_path: Path) -> None:
    for split in ("train", "valid"):
        write_pair(tmp_path / "images" / split / "berlin", tmp_path / "masks" / split / "berlin", "a")
    assert read_splits(tmp_path) == {
        "images/train/berlin/a.jpg": Split.TRAIN,
        "images/valid/berlin/a.jpg": Split.VALID,
    }


def test_no_split_folders(tmp_path: Path) -> None:
    write_pair(tmp_path / "images", tmp_path / "masks", "a")
    assert read_splits(tmp_path) == {"images/a.jpg": None}


def test_folders_that_are_no_splits_keep_their_pictures_apart(tmp_path: Path) -> None:
    for tile in ("Tile 1", "Tile 2"):
        write_pair(tmp_path / tile / "images", tmp_path / tile / "masks", "part")
    assert read_splits(tmp_path) == {"Tile 1/images/part.jpg": None, "Tile 2/images/part.jpg": None}


def test_png_mask_wins_over_a_preview_of_its_name(tmp_path: Path) -> None:
    write_pair(tmp_path / "images", tmp_path / "masks", "a")
    write_jpeg(tmp_path / "masks" / "a.jpg", IMAGE_HWC)
    (tmp_path / "classes.csv").write_text("0,sky\n1,road\n")
    (item,) = read_source(tmp_path)[1].items
    assert item.label == MaskFile(tmp_path / "masks" / "a.png")


def test_split_without_masks_is_one_finding(tmp_path: Path) -> None:
    write_pair(tmp_path / "train" / "images", tmp_path / "train" / "masks", "a")
    write_jpeg(tmp_path / "test" / "images" / "b.jpg", IMAGE_HWC)
    (tmp_path / "classes.csv").write_text("0,sky\n1,road\n")
    (finding,) = read_source(tmp_path)[1].findings
    assert finding.file == tmp_path / "test" / "images"
    assert "no folder of masks" in finding.reason


def test_masks_without_class_names_are_not_recognised(tmp_path: Path) -> None:
    write_pair(tmp_path / "images", tmp_path / "masks", "a")
    with pytest.raises(InvalidDatasetError, match=r"classes\.csv \(Pixel Value,Class\)"):
        read_source(tmp_path)
