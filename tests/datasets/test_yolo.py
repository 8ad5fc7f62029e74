from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from atrous.core.errors import InvalidDatasetError
from atrous.core.sizes import Size
from atrous.datasets.class_mapping import map_classes
from atrous.datasets.files.tree import open_folder
from atrous.datasets.findings import Finding, Kind
from atrous.datasets.fixes import NO_FIXES
from atrous.datasets.formats import read_source
from atrous.datasets.labels import LabelledPicture, load_labelled_picture
from atrous.datasets.outlines.outline import BOXES
from atrous.datasets.source import NO_HINTS, Hints, LabelValues, PictureShape, Source
from atrous.datasets.splits import Split
from tests.datasets.damage import JSON_VALUES, damaged_documents
from tests.datasets.generated import HEIGHT, WIDTH, draw_scenes, write_jpeg
from tests.datasets.generated_outlines import write_yolo, yolo_line

SCENE = draw_scenes()[0]
NAMES = "names: [road, sign]\n"
SQUARE = yolo_line(0, 0, 0, 4, 4)


def write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def write_one(folder: Path, *lines: str, config: str = NAMES) -> None:
    write_jpeg(folder / "images" / "a.jpg", SCENE.image_HWC)
    write_text(folder / "labels" / "a.txt", "\n".join(lines))
    write_text(folder / "data.yaml", config)


def write_pairs(folder: Path, *names: str) -> None:
    for name in names:
        write_jpeg(folder / name, SCENE.image_HWC)
        write_text((folder / name.replace("images", "labels")).with_suffix(".txt"), SQUARE)


def read_yolo(folder: Path, hints: Hints = NO_HINTS) -> Source:
    name, source = read_source(open_folder(folder), "yolo", hints)
    assert name == "yolo"
    return source


def load_first(source: Source) -> LabelledPicture | Finding:
    return load_labelled_picture(source.items[0], map_classes(source.classes, None))


def load_mask(folder: Path) -> np.ndarray:
    labelled = load_first(read_yolo(folder))
    assert isinstance(labelled, LabelledPicture), labelled
    return labelled.mask_HW


def test_class_indices_count_from_0(tmp_path: Path) -> None:
    write_one(tmp_path, yolo_line(1, 2, 3, 8, 9))
    assert read_yolo(tmp_path).classes == {0: "background", 1: "road", 2: "sign", 65535: "void"}
    mask_HW = load_mask(tmp_path)
    assert (mask_HW[3:9, 2:8] == 2).all()
    assert (mask_HW == 2).sum() == 36


def test_smaller_objects_lie_over_larger_ones_in_any_order(tmp_path: Path) -> None:
    small, large = yolo_line(1, 4, 4, 8, 8), yolo_line(0, 0, 0, 20, 20)
    for lines in ((small, large), (large, small)):
        write_one(tmp_path, *lines)
        assert (load_mask(tmp_path) == 2).sum() == 16


def test_box_makes_void_what_no_outline_covers(tmp_path: Path) -> None:
    write_one(tmp_path, SQUARE, f"1 {4 / WIDTH} {2 / HEIGHT} {4 / WIDTH} {4 / HEIGHT}")
    labelled = load_first(read_yolo(tmp_path))
    assert isinstance(labelled, LabelledPicture)
    np.testing.assert_array_equal(labelled.mask_HW[0, :7], [1, 1, 1, 1, 255, 255, 0])
    assert labelled.remarks == {BOXES: 1}


def test_boxes_alone_are_a_finding(tmp_path: Path) -> None:
    write_one(tmp_path, "0 0.5 0.5 0.2 0.2", "1 0.5 0.5 0.2 0.2")
    finding = load_first(read_yolo(tmp_path))
    assert isinstance(finding, Finding)
    assert (finding.kind, finding.file) == (Kind.UNUSABLE_OUTLINE, "labels/a.txt")
    assert "has only boxes (2)" in finding.reason


def test_empty_text_is_background(tmp_path: Path) -> None:
    write_one(tmp_path, "", "  ")
    assert not load_mask(tmp_path).any()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("0 0.1 0.2 0.3 0.4 0.5 1.2", "line 2 has the coordinate 1.2, which is not from 0 to 1"),
        ("0 -0.1 0.2 0.3 0.4 0.5 0.6", "line 2 has the coordinate -0.1"),
        ("2 0.1 0.2 0.3 0.4 0.5 0.6", "line 2 has class 2, but the classes are 0 to 1"),
        ("-1 0.1 0.2 0.3 0.4 0.5 0.6", "line 2 has class -1"),
        ("0 0.1 0.2 0.3 0.4 0.5", "line 2 has 6 numbers"),
        ("0", "line 2 has 1 numbers"),
        ("0.5 0.1 0.2 0.3 0.4 0.5 0.6", "line 2 has a class or a number that is none"),
        ("0 nan 0.2 0.3 0.4 0.5 0.6", "line 2 has a class or a number that is none"),
        ("road 0.1 0.2 0.3 0.4 0.5 0.6", "line 2 has something else than numbers"),
    ],
)
def test_damaged_line_is_named(line: str, reason: str, tmp_path: Path) -> None:
    write_one(tmp_path, SQUARE, line)
    finding = load_first(read_yolo(tmp_path))
    assert isinstance(finding, Finding)
    assert finding.file == "labels/a.txt"
    assert reason in finding.reason


def test_text_that_is_none_is_a_finding(tmp_path: Path) -> None:
    write_one(tmp_path, SQUARE)
    source = read_yolo(tmp_path)
    (tmp_path / "labels" / "a.txt").write_bytes(b"\xff\xfe\x00")
    finding = load_first(source)
    assert isinstance(finding, Finding)
    assert finding.reason == "is not text"


@pytest.mark.parametrize(
    ("names", "values"),
    [
        ("{0: road, 2: sign}", {1: "road", 3: "sign"}),
        ("['no', 7]", {1: "no", 2: "7"}),
    ],
)
def test_names_may_be_a_list_or_numbered(names: str, values: dict[int, str], tmp_path: Path) -> None:
    write_one(tmp_path, SQUARE, config=f"names: {names}\n")
    assert read_yolo(tmp_path).classes == {0: "background", 65535: "void"} | values


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ("names: [no, yes]", "name of class 0 is no text; put it in quotes"),
        ("names: {road: 0}", "is no class index"),
        ("names: road", "its names are no list"),
        ("names: [road", "is not YAML"),
        ("- road", "holds no keys"),
        ("nc: 2", "no file names its classes"),
        ("names: []", "no file names its classes"),
    ],
)
def test_config_that_names_no_classes_is_refused(config: str, reason: str, tmp_path: Path) -> None:
    write_one(tmp_path, SQUARE, config=config)
    with pytest.raises(InvalidDatasetError, match=reason):
        read_yolo(tmp_path)


def test_names_may_come_from_classes_txt_or_a_given_list(tmp_path: Path) -> None:
    write_one(tmp_path, SQUARE)
    (tmp_path / "data.yaml").unlink()
    write_text(tmp_path / "classes.txt", "tree\nroad\n")
    write_text(tmp_path / "mine.txt", "car\nroad\n")
    assert read_yolo(tmp_path).classes[1] == "tree"
    assert read_yolo(tmp_path, Hints(class_list=tmp_path / "mine.txt")).classes[1] == "car"


@pytest.mark.parametrize(
    "places",
    [
        "train: images/a\nval: images/b\n",
        "path: /home/me/streets\ntrain: images/a\nval: [images/b]\n",
        "train: /home/me/streets/images/a\nval: ..\\images\\b\n",
        "train: train.txt\nval: val.txt\n",
    ],
)
def test_splits_are_as_the_config_says(places: str, tmp_path: Path) -> None:
    write_pairs(tmp_path, "images/a/one.jpg", "images/b/two.jpg")
    write_text(tmp_path / "data.yaml", NAMES + places)
    write_text(tmp_path / "train.txt", "./images/a/one.jpg\n")
    write_text(tmp_path / "val.txt", "/home/me/streets/images/b/two.jpg\n")
    splits = {item.image.stem: item.split for item in read_yolo(tmp_path).items}
    assert splits == {"one": Split.TRAIN, "two": Split.VALID}


def test_ultralytics_layout_without_a_config_takes_splits_from_folders(tmp_path: Path) -> None:
    write_pairs(tmp_path, "images/train/one.jpg", "images/val/two.jpg")
    write_text(tmp_path / "classes.txt", "road\n")
    splits = {item.image.stem: item.split for item in read_yolo(tmp_path).items}
    assert splits == {"one": Split.TRAIN, "two": Split.VALID}


def test_folder_that_is_not_there_or_in_two_splits_is_said(tmp_path: Path) -> None:
    write_one(tmp_path, SQUARE, config=NAMES + "train: images\nval: images\ntest: elsewhere\n")
    source = read_yolo(tmp_path)
    assert [item.split for item in source.items] == [Split.TRAIN]
    notes = " ".join(source.notes)
    assert "gives images to two splits, of which the first counts" in notes
    assert "names 'elsewhere' for test, which is not there" in notes


def test_folder_of_masks_is_no_yolo(tmp_path: Path) -> None:
    write_yolo(tmp_path)
    for path in tmp_path.glob("*/labels/*.txt"):
        path.write_text("a note\n")
    with pytest.raises(InvalidDatasetError, match="is not yolo"):
        read_yolo(tmp_path)


@settings(max_examples=60, deadline=None)
@given(damaged_documents(yaml.safe_load("{train: images, val: [images], names: {0: road}}")) | JSON_VALUES)
def test_any_config_is_read_or_refused(config: Any) -> None:
    with tempfile.TemporaryDirectory() as name:
        write_one(Path(name), SQUARE, config=yaml.safe_dump(config))
        try:
            source = read_yolo(Path(name))
        except InvalidDatasetError:
            return
        assert len(source.items) == 1


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60) | st.lists(st.floats().map(str) | st.sampled_from(["0", "1", "0.5"])).map(" ".join))
def test_any_text_gives_a_label_or_a_finding(text: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        write_one(Path(name), SQUARE)
        (item,) = read_yolo(Path(name)).items
        (Path(name) / "labels" / "a.txt").write_text(text)
        result = item.label.load(PictureShape(Size(HEIGHT, WIDTH)), NO_FIXES)
        assert isinstance(result, LabelValues | Finding)
