from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from atrous.bundle.picture import decode_picture
from atrous.core.sizes import Size
from atrous.datasets.class_mapping import map_classes
from atrous.datasets.files.tree import open_folder
from atrous.datasets.findings import Finding, Kind
from atrous.datasets.fixes import Fix
from atrous.datasets.labels import LabelledPicture, load_labelled_picture
from atrous.datasets.masks.mask_file import MaskFile
from atrous.datasets.source import SourceItem
from tests.datasets.generated import write_jpeg, write_png

if TYPE_CHECKING:
    from pathlib import Path

MAPPING = map_classes({0: "sky", 1: "road"}, None)


def load(folder: Path, *fixes: Fix) -> LabelledPicture | Finding:
    tree = open_folder(folder)
    item = SourceItem(tree.file("a.jpg"), None, MaskFile(tree.file("a.png")))
    return load_labelled_picture(item, MAPPING, frozenset(fixes))


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
    assert dict(labelled.remarks) == {"pixels of value 255, which no class name declares and which are void": 1}
    assert labelled.warnings == ()
    assert labelled.size == Size(2, 3)


def test_undeclared_value_is_named_with_its_first_pixel(tmp_path: Path) -> None:
    write_jpeg(tmp_path / "a.jpg", np.zeros((2, 3, 3), np.uint8))
    write_png(tmp_path / "a.png", np.array([[0, 1, 0], [1, 9, 7]], np.uint8))
    assert load(tmp_path) == Finding(
        Kind.UNDECLARED_VALUE,
        "a.png",
        "pixel x=1, y=1 has value 9, which no class name declares (2 such pixels)",
        "add 9 to the class names or correct the mask",
        fix=Fix.UNDECLARED_TO_VOID,
        pixel_xy=(1, 1),
        value="9",
    )


def test_undeclared_values_become_void_when_told(tmp_path: Path) -> None:
    write_jpeg(tmp_path / "a.jpg", np.zeros((2, 3, 3), np.uint8))
    write_png(tmp_path / "a.png", np.array([[0, 1, 0], [1, 9, 7]], np.uint8))
    labelled = load(tmp_path, Fix.UNDECLARED_TO_VOID)
    assert isinstance(labelled, LabelledPicture)
    assert labelled.mask_HW.tolist() == [[1, 2, 1], [2, 255, 255]]
    assert labelled.fixed == {Fix.UNDECLARED_TO_VOID}
    assert dict(labelled.remarks) == {"pixels of values that no class name declares, which were made void": 2}


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_mask_has_the_size_of_the_turned_picture(orientation: int, tmp_path: Path) -> None:
    write_rotated_jpeg(tmp_path / "a.jpg", orientation, height=20, width=30)
    write_png(tmp_path / "a.png", np.ones((30, 20), np.uint8))
    labelled = load(tmp_path)
    assert isinstance(labelled, LabelledPicture)
    assert labelled.size == Size(height=30, width=20)


def test_mask_of_the_size_before_turning_is_a_finding(tmp_path: Path) -> None:
    write_rotated_jpeg(tmp_path / "a.jpg", 6, height=20, width=30)
    write_png(tmp_path / "a.png", np.zeros((20, 30), np.uint8))
    finding = load(tmp_path)
    assert isinstance(finding, Finding)
    assert finding.reason == "the label is 30x20, its picture 20x30 once it is turned as its EXIF data says"
    assert finding.fix is Fix.TURN_LABELS


@pytest.mark.parametrize("orientation", range(2, 9))
def test_labels_are_turned_as_their_pictures_when_told(orientation: int, tmp_path: Path) -> None:
    """The mask is drawn beside the pixels as stored; turned, it lies on what people see."""
    rng = np.random.default_rng(0)
    stored_HW = np.kron(rng.integers(0, 2, (3, 4)), np.ones((8, 8), int)).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored_HW * 255).save(tmp_path / "a.jpg", "JPEG", quality=95, exif=exif)
    write_png(tmp_path / "a.png", stored_HW)
    labelled = load(tmp_path, Fix.TURN_LABELS)
    assert isinstance(labelled, LabelledPicture)
    assert labelled.fixed == {Fix.TURN_LABELS}
    assert labelled.warnings == ()
    seen_HWC = decode_picture((tmp_path / "a.jpg").read_bytes())
    np.testing.assert_array_equal(labelled.mask_HW == 2, seen_HWC[..., 0] > 127)


@pytest.mark.parametrize(("orientation", "size"), [(3, (20, 30)), (6, (20, 20))])
def test_label_that_may_be_of_the_unturned_picture_is_a_warning(
    orientation: int, size: tuple[int, int], tmp_path: Path
) -> None:
    write_rotated_jpeg(tmp_path / "a.jpg", orientation, height=size[0], width=size[1])
    write_png(tmp_path / "a.png", np.ones(size, np.uint8))
    labelled = load(tmp_path)
    assert isinstance(labelled, LabelledPicture)
    (warning,) = labelled.warnings
    assert (warning.kind, warning.fix) == (Kind.MAYBE_TURNED, Fix.TURN_LABELS)


def test_labels_of_the_same_shape_are_scaled_when_told(tmp_path: Path) -> None:
    write_jpeg(tmp_path / "a.jpg", np.zeros((40, 61, 3), np.uint8))
    write_png(tmp_path / "a.png", np.kron([[0, 1]], np.ones((20, 15), int)).astype(np.uint8))
    finding = load(tmp_path)
    assert isinstance(finding, Finding)
    assert (finding.kind, finding.fix) == (Kind.WRONG_SIZE, Fix.RESIZE_LABELS)
    labelled = load(tmp_path, Fix.RESIZE_LABELS)
    assert isinstance(labelled, LabelledPicture)
    assert labelled.size == Size(40, 61)
    assert set(np.unique(labelled.mask_HW)) == {1, 2}
    assert (labelled.mask_HW[:, :30] == 1).all()
    assert (labelled.mask_HW[:, 31:] == 2).all()


def test_label_of_another_shape_cannot_be_scaled(tmp_path: Path) -> None:
    write_jpeg(tmp_path / "a.jpg", np.zeros((40, 60, 3), np.uint8))
    write_png(tmp_path / "a.png", np.zeros((40, 50), np.uint8))
    finding = load(tmp_path, Fix.RESIZE_LABELS)
    assert isinstance(finding, Finding)
    assert (finding.kind, finding.fix) == (Kind.WRONG_SIZE, None)


def test_label_without_any_class_is_a_warning(tmp_path: Path) -> None:
    write_jpeg(tmp_path / "a.jpg", np.zeros((2, 3, 3), np.uint8))
    write_png(tmp_path / "a.png", np.full((2, 3), 255, np.uint8))
    labelled = load(tmp_path)
    assert isinstance(labelled, LabelledPicture)
    assert [(one.kind, one.reason) for one in labelled.warnings] == [(Kind.EMPTY_LABEL, "shows no class, only void")]


@pytest.mark.parametrize("share", [0.3, 0.7, 0.98])
def test_cut_off_jpeg_is_a_finding_at_any_place(share: float, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    write_jpeg(tmp_path / "a.jpg", noise)
    write_png(tmp_path / "a.png", np.zeros((64, 64), np.uint8))
    data = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(data[: int(len(data) * share)])
    finding = load(tmp_path)
    assert isinstance(finding, Finding)
    assert finding.file == "a.jpg"


def test_text_called_jpg_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("<html>404</html>")
    assert isinstance(load(tmp_path), Finding)


def test_picture_that_is_gone_is_a_finding(tmp_path: Path) -> None:
    finding = load(tmp_path)
    assert isinstance(finding, Finding)
    assert "cannot be read" in finding.reason
