from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from atrous.core.sizes import Size
from atrous.datasets.class_mapping import map_classes
from atrous.datasets.findings import Finding
from atrous.datasets.labels import LabelledPicture, load_labelled_picture
from atrous.datasets.mask_file import MaskFile
from atrous.datasets.source import SourceItem
from tests.datasets.generated import write_jpeg, write_png

if TYPE_CHECKING:
    from pathlib import Path

MAPPING = map_classes({0: "sky", 1: "road"}, None)


def load(folder: Path) -> LabelledPicture | Finding:
    item = SourceItem("a.jpg", folder / "a.jpg", None, MaskFile(folder / "a.png"))
    return load_labelled_picture(item, MAPPING)


def write_rotated_jpeg(path: Path, orientation: int, height: int, width: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (10, 200, 30)).save(buffer, "JPEG", exif=exif)
    path.write_bytes(buffer.getvalue())


def test_picture_bytes_are_untouched_and_ids_are_ours(tmp_path: Path) -> None:
    write_jpeg(tmp_path / "a.jpg", np.zeros((2, 3, 3), np.uint8))
    write_png(tmp_path / "a.png", np.array([[0, 1, 255], [1, 1, 0]], np.uint8))
    labelled = load(tmp_path)
    assert isinstance(labelled, LabelledPicture)
    assert labelled.image == (tmp_path / "a.jpg").read_bytes()
    assert labelled.mask_HW.tolist() == [[1, 2, 255], [2, 2, 1]]
    assert labelled.counts[[0, 1, 2, 255]].tolist() == [0, 2, 3, 1]
    assert labelled.undeclared_void_px == 1
    assert labelled.size == Size(2, 3)


def test_undeclared_value_is_named_with_its_first_pixel(tmp_path: Path) -> None:
    write_jpeg(tmp_path / "a.jpg", np.zeros((2, 3, 3), np.uint8))
    write_png(tmp_path / "a.png", np.array([[0, 1, 0], [1, 9, 7]], np.uint8))
    assert load(tmp_path) == Finding(
        tmp_path / "a.png",
        "pixel x=1, y=1 has value 9, which no class name declares (2 such pixels)",
        "add 9 to the class names or correct the mask",
    )


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_mask_has_the_size_of_the_turned_picture(orientation: int, tmp_path: Path) -> None:
    write_rotated_jpeg(tmp_path / "a.jpg", orientation, height=20, width=30)
    write_png(tmp_path / "a.png", np.zeros((30, 20), np.uint8))
    labelled = load(tmp_path)
    assert isinstance(labelled, LabelledPicture)
    assert labelled.size == Size(height=30, width=20)


def test_mask_of_the_size_before_turning_is_a_finding(tmp_path: Path) -> None:
    write_rotated_jpeg(tmp_path / "a.jpg", 6, height=20, width=30)
    write_png(tmp_path / "a.png", np.zeros((20, 30), np.uint8))
    finding = load(tmp_path)
    assert isinstance(finding, Finding)
    assert finding.reason == "the label is 30x20, its picture 20x30 once it is turned as its EXIF data says"


@pytest.mark.parametrize("share", [0.3, 0.7, 0.98])
def test_cut_off_jpeg_is_a_finding_at_any_place(share: float, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    write_jpeg(tmp_path / "a.jpg", noise)
    write_png(tmp_path / "a.png", np.zeros((64, 64), np.uint8))
    data = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(data[: int(len(data) * share)])
    finding = load(tmp_path)
    assert isinstance(finding, Finding)
    assert finding.file == tmp_path / "a.jpg"


def test_text_called_jpg_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("<html>404</html>")
    assert isinstance(load(tmp_path), Finding)


def test_picture_that_is_gone_is_a_finding(tmp_path: Path) -> None:
    finding = load(tmp_path)
    assert isinstance(finding, Finding)
    assert "cannot be read" in finding.reason
