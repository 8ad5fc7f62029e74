from __future__ import annotations

import io
import random
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from atrous.core.errors import InvalidDatasetError
from atrous.core.sizes import Size
from atrous.datasets.class_mapping import map_classes
from atrous.datasets.files.tree import open_folder
from atrous.datasets.findings import Finding, Kind
from atrous.datasets.fixes import NO_FIXES, Fix
from atrous.datasets.formats import read_source
from atrous.datasets.labels import LabelledPicture, load_labelled_picture
from atrous.datasets.masks.mat_file import MatFile
from atrous.datasets.masks.mat_variables import read_variables
from atrous.datasets.source import Hints, LabelValues, PictureShape, Source
from atrous.datasets.splits import Split
from tests.datasets.generated import write_jpeg
from tests.datasets.generated_voc import encode_mat, write_mat

if TYPE_CHECKING:
    from pathlib import Path

MASK_HW = np.array([[0, 1, 1, 2], [0, 1, 2, 2], [3, 3, 0, 0]], np.uint8)
SHAPE = PictureShape(Size(3, 4))
NAMES = ["sky", "road", "tree"]


def load(folder: Path, variables: dict[str, Any], fixes: frozenset[Fix] = NO_FIXES) -> LabelValues | Finding:
    write_mat(folder / "a.mat", variables)
    return MatFile(open_folder(folder).file("a.mat")).load(SHAPE, fixes)


def load_bytes(folder: Path, data: bytes) -> LabelValues | Finding:
    (folder / "a.mat").write_bytes(data)
    return MatFile(open_folder(folder).file("a.mat")).load(SHAPE, NO_FIXES)


def write_pair(
    folder: Path, stem: str, variables: dict[str, Any], *, images: str = "images", masks: str = "masks"
) -> None:
    write_jpeg(folder / images / f"{stem}.jpg", np.zeros((3, 4, 3), np.uint8))
    write_mat(folder / masks / f"{stem}.mat", variables)


def read_folder(folder: Path, hints: Hints = Hints()) -> Source:  # noqa: B008
    name, source = read_source(open_folder(folder), hints=hints)
    assert name == "mat-masks"
    return source


@pytest.mark.parametrize("kind", ["uint8", "int16", "uint16", "int64", "float64"])
@pytest.mark.parametrize("is_compressed", [True, False])
def test_every_type_of_whole_numbers_is_read(kind: str, is_compressed: bool, tmp_path: Path) -> None:
    label = load_bytes(tmp_path, encode_mat({"LabelMap": MASK_HW.astype(kind)}, is_compressed=is_compressed))
    assert isinstance(label, LabelValues)
    np.testing.assert_array_equal(label.values_HW, MASK_HW)
    assert label.values_HW.dtype == np.uint8


def test_values_over_255_keep_16_bits(tmp_path: Path) -> None:
    label = load(tmp_path, {"LabelMap": MASK_HW.astype(np.uint16) + 400})
    assert isinstance(label, LabelValues)
    np.testing.assert_array_equal(label.values_HW, MASK_HW.astype(np.uint16) + 400)


def test_the_matrix_of_the_pictures_size_counts_among_others(tmp_path: Path) -> None:
    others = {
        "palette": np.zeros((9, 3)),
        "depth_m": MASK_HW + 0.25,
        "names": np.ones((1, 3)),
        "empty": np.empty((0, 0)),
    }
    label = load(tmp_path, {"S": MASK_HW} | others)
    assert isinstance(label, LabelValues)
    np.testing.assert_array_equal(label.values_HW, MASK_HW)


@pytest.mark.parametrize(
    ("variables", "seen"),
    [
        ({"labels": MASK_HW, "instances": MASK_HW}, "labels (3x4 uint8), instances (3x4 uint8)"),
        ({"rgb": np.zeros((3, 4, 3), np.uint8), "title": "a street"}, "rgb (3x4x3 uint8), title (text)"),
        ({"boxes": [MASK_HW], "about": {"by": "me"}}, "boxes (cells), about (struct)"),
        ({}, "no variable"),
    ],
)
def test_file_without_one_matrix_names_what_it_holds(variables: dict[str, Any], seen: str, tmp_path: Path) -> None:
    finding = load(tmp_path, variables)
    assert isinstance(finding, Finding)
    assert finding.kind is Kind.WRONG_KIND_OF_MASK
    assert finding.reason == f"must hold one matrix of class ids, but holds {seen}"


@pytest.mark.parametrize(
    "variables", [{"groundTruth": [{"Segmentation": MASK_HW}]}, {"GTinst": {"Segmentation": MASK_HW}}]
)
def test_ids_of_regions_and_objects_are_no_classes(variables: dict[str, Any], tmp_path: Path) -> None:
    finding = load(tmp_path, variables)
    assert isinstance(finding, Finding)
    assert "tell regions or objects apart, not classes" in finding.reason


@pytest.mark.parametrize(("value", "written"), [(0.5, "0.5"), (-1, "-1.0"), (70000, "70000.0"), (np.nan, "nan")])
def test_number_that_is_no_class_id_is_named_with_its_pixel(value: float, written: str, tmp_path: Path) -> None:
    matrix_HW = MASK_HW.astype(float)
    matrix_HW[1, 2:] = value
    finding = load(tmp_path, {"label": matrix_HW})
    assert isinstance(finding, Finding)
    assert finding.pixel_xy == (2, 1)
    assert finding.value == written
    assert "2 such pixels" in finding.reason


def test_masks_that_count_from_one_can_be_shifted(tmp_path: Path) -> None:
    label = load(tmp_path, {"label": MASK_HW}, frozenset({Fix.VALUES_MINUS_ONE}))
    assert isinstance(label, LabelValues)
    np.testing.assert_array_equal(label.values_HW, np.where(MASK_HW == 0, 255, MASK_HW.astype(int) - 1))
    assert label.fixed == {Fix.VALUES_MINUS_ONE}


def test_file_of_version_7_3_says_how_to_save_it(tmp_path: Path) -> None:
    head = b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM"
    finding = load_bytes(tmp_path, head.ljust(512, b"\0") + b"\x89HDF\r\n\x1a\n".ljust(100, b"\0"))
    assert isinstance(finding, Finding)
    assert str(finding) == "a.mat: was saved by MATLAB with -v7.3, which is not read; save it again with -v7"


# Classes


def test_names_in_the_files_count_from_one_and_0_is_void(tmp_path: Path) -> None:
    write_pair(tmp_path, "a", {"S": MASK_HW, "names": NAMES})
    source = read_folder(tmp_path)
    mapping = map_classes(source.classes, None)
    assert mapping.class_map.names == ("background", *NAMES)
    labelled = load_labelled_picture(source.items[0], mapping)
    assert isinstance(labelled, LabelledPicture)
    np.testing.assert_array_equal(labelled.mask_HW, np.where(MASK_HW == 0, 255, MASK_HW))
    assert source.notes == (
        "class names are those in masks/a.mat, counted from 1; value 0 has no name there and becomes void",
    )


def test_file_with_other_names_than_the_first_is_left_out(tmp_path: Path) -> None:
    write_pair(tmp_path, "a", {"S": MASK_HW, "names": NAMES})
    write_pair(tmp_path, "b", {"S": MASK_HW, "names": ["road", "sky", "tree"]})
    source = read_folder(tmp_path)
    finding = load_labelled_picture(source.items[1], map_classes(source.classes, None))
    assert isinstance(finding, Finding)
    assert "other class names than the first file" in finding.reason


def test_sbd_has_the_classes_of_voc_and_lists_of_splits(tmp_path: Path) -> None:
    for stem in ("2008_000002", "2008_000003"):
        write_pair(
            tmp_path, stem, {"GTcls": {"Segmentation": MASK_HW, "Boundaries": [MASK_HW]}}, images="img", masks="cls"
        )
        write_mat(tmp_path / "inst" / f"{stem}.mat", {"GTinst": {"Segmentation": MASK_HW}})
    (tmp_path / "train.txt").write_text("2008_000002\n")
    (tmp_path / "val.txt").write_text("2008_000003\n")
    source = read_folder(tmp_path)
    assert [item.split for item in source.items] == [Split.TRAIN, Split.VALID]
    labelled = load_labelled_picture(source.items[0], map_classes(source.classes, None))
    assert isinstance(labelled, LabelledPicture)
    np.testing.assert_array_equal(labelled.mask_HW, MASK_HW)
    assert source.classes[3] == "bird"


def test_no_names_at_all_asks_for_a_list(tmp_path: Path) -> None:
    write_pair(tmp_path, "a", {"label": MASK_HW})
    with pytest.raises(InvalidDatasetError, match=r"has no list of classes; write a classes\.csv"):
        read_folder(tmp_path)


def test_a_list_from_outside_counts(tmp_path: Path) -> None:
    write_pair(tmp_path / "set", "a", {"label": MASK_HW, "names": NAMES})
    (tmp_path / "mine.csv").write_text("0,background\n1,a\n2,b\n3,c\n")
    source = read_folder(tmp_path / "set", Hints(class_list=tmp_path / "mine.csv"))
    assert list(source.classes.values()) == ["background", "a", "b", "c"]


# Damage


def test_damaged_files_are_findings(tmp_path: Path) -> None:
    variables = {"S": MASK_HW, "names": NAMES, "GTcls": {"Segmentation": MASK_HW}}
    seeds = [encode_mat(variables, is_compressed=flag) for flag in (True, False)]
    rng = random.Random(0)
    for _ in range(300):
        data = bytearray(rng.choice(seeds))
        if rng.random() < 0.3:
            del data[rng.randrange(len(data)) :]
        else:
            for _ in range(rng.randrange(1, 6)):
                data[rng.randrange(len(data))] = rng.randrange(256)
        assert isinstance(load_bytes(tmp_path, bytes(data)), LabelValues | Finding)


def test_file_that_inflates_to_more_than_a_label_needs_is_not_inflated(tmp_path: Path) -> None:
    bomb = zlib.compress(bytes(64 << 20), 9)
    finding = load_bytes(tmp_path, encode_mat({}) + struct.pack("<2I", 15, len(bomb)) + bomb)
    assert isinstance(finding, Finding)
    assert finding.kind is Kind.TOO_LARGE


def test_cells_in_cells_without_end_are_refused(tmp_path: Path) -> None:
    cells: list[Any] = []
    for _ in range(100):
        cells = [cells]
    finding = load(tmp_path, {"S": MASK_HW, "deep": cells})
    assert isinstance(finding, Finding)
    assert finding.kind is Kind.TOO_LARGE


def test_values_are_those_that_scipy_writes(tmp_path: Path) -> None:
    scipy_io = pytest.importorskip("scipy.io", reason="SciPy is not installed")
    data = io.BytesIO()
    cells = np.array(["sky", "road"], object)
    is_road_HW = MASK_HW == 1
    scipy_io.savemat(
        data, {"a": MASK_HW, "b": MASK_HW * 1.5, "c": cells, "d": {"e": is_road_HW, "f": 1j}}, do_compression=True
    )
    (tmp_path / "a.mat").write_bytes(data.getvalue())
    found = read_variables(open_folder(tmp_path).file("a.mat"), 1 << 20)
    assert isinstance(found, dict)
    np.testing.assert_array_equal(found["a"], MASK_HW)
    np.testing.assert_array_equal(found["b"], MASK_HW * 1.5)
    assert found["c"] == [("sky",), ("road",)]
    (fields,) = found["d"]
    np.testing.assert_array_equal(fields["e"], is_road_HW)
    assert fields["f"] is None
