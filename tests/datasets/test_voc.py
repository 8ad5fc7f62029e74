from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from atrous.core.errors import InvalidDatasetError
from atrous.datasets.class_mapping import map_classes
from atrous.datasets.classes.voc_classes import VOC_CLASSES, voc_colour
from atrous.datasets.files.tree import open_folder
from atrous.datasets.findings import Finding, Kind
from atrous.datasets.formats import read_source
from atrous.datasets.labels import LabelledPicture, load_labelled_picture
from atrous.datasets.source import Hints, Source
from atrous.datasets.splits import Split
from tests.datasets.generated import write_jpeg, write_png
from tests.datasets.generated_voc import write_palette_png

MASK_HW = np.array([[0, 0, 1, 1], [0, 2, 2, 1], [255, 255, 255, 0]], np.uint8)
PALETTE = [voc_colour(value) for value in range(256)]
LABEL_MAP = "# label:color_rgb:parts:actions\nbackground:0,0,0::\nroad:128,64,128::\nsign:220,220,0::\n"
DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def write_picture(folder: Path, stem: str) -> None:
    write_jpeg(folder / "JPEGImages" / f"{stem}.jpg", np.zeros((*MASK_HW.shape, 3), np.uint8))


def write_pair(folder: Path, stem: str, mask_HW: np.ndarray = MASK_HW) -> None:
    write_picture(folder, stem)
    write_palette_png(folder / "SegmentationClass" / f"{stem}.png", mask_HW, PALETTE)


def write_colours(folder: Path, stem: str, colours: dict[int, int]) -> None:
    write_picture(folder, stem)
    mask_HWC = np.zeros((*MASK_HW.shape, 3), np.uint8)
    for value, colour in colours.items():
        mask_HWC[value == MASK_HW] = list(colour.to_bytes(3, "little"))  # OpenCV writes blue first
    write_png(folder / "SegmentationClass" / f"{stem}.png", mask_HWC)


def write_list(folder: Path, name: str, *stems: str) -> None:
    path = folder / "ImageSets" / "Segmentation" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(stems))


def write_names(folder: Path, text: str = "background\nroad\nsign\n", name: str = "labels.txt") -> None:
    (folder / name).write_text(text)


def read_folder(folder: Path, hints: Hints | None = None) -> Source:
    name, source = read_source(open_folder(folder), hints=hints or Hints())
    assert name == "voc"
    return source


def read_mask(source: Source, stem: str = "a") -> np.ndarray:
    (item,) = [item for item in source.items if item.image.stem == stem]
    labelled = load_labelled_picture(item, map_classes(source.classes, None))
    assert isinstance(labelled, LabelledPicture), labelled
    return labelled.mask_HW


@pytest.mark.parametrize("folder", ["", "VOC2012", "VOCdevkit/VOC2012"])
def test_folders_around_the_dataset_do_not_matter(folder: str, tmp_path: Path) -> None:
    write_pair(tmp_path / folder, "a")
    write_names(tmp_path / folder)
    write_list(tmp_path / folder, "train.txt", "a")
    source = read_folder(tmp_path)
    np.testing.assert_array_equal(read_mask(source), MASK_HW)
    assert [item.split for item in source.items] == [Split.TRAIN]
    assert source.findings == ()
    assert source.notes == ((f"read from its folder {folder}",) if folder else ())


def test_masks_of_objects_and_previews_are_no_masks(tmp_path: Path) -> None:
    write_pair(tmp_path, "a")
    write_names(tmp_path)
    write_palette_png(tmp_path / "SegmentationObject" / "a.png", MASK_HW + 5, PALETTE)
    write_jpeg(tmp_path / "SegmentationClassVisualization" / "a.jpg", np.zeros((3, 4, 3), np.uint8))
    write_jpeg(tmp_path / "SegmentationClass" / "a.jpg", np.zeros((3, 4, 3), np.uint8))
    source = read_folder(tmp_path)
    assert source.findings == ()
    np.testing.assert_array_equal(read_mask(source), MASK_HW)


# Lists of splits


def test_lists_give_the_splits(tmp_path: Path) -> None:
    for stem in ("a", "b", "c", "d"):
        write_pair(tmp_path, stem)
    write_names(tmp_path)
    write_list(tmp_path, "train.txt", "a")
    write_list(tmp_path, "val.txt", "b.jpg")
    write_list(tmp_path, "trainval.txt", "a", "b", "c")
    write_list(tmp_path, "train_aug.txt", "d")
    source = read_folder(tmp_path)
    splits = {item.image.stem: item.split for item in source.items}
    assert splits == {"a": Split.TRAIN, "b": Split.VALID, "c": None, "d": None}
    assert source.findings == ()
    assert source.notes == (
        "pictures with a mask that no list names, which have no split: 1",
        "lists whose names say no split were not used: train_aug.txt",
    )


def test_list_of_cvat_gives_no_split_and_may_quote_names(tmp_path: Path) -> None:
    write_pair(tmp_path, "day 1/a")
    write_names(tmp_path, LABEL_MAP.replace("220,220,0", "0,128,0").replace("128,64,128", "128,0,0"), "labelmap.txt")
    write_list(tmp_path, "default.txt", '"day 1/a"')
    source = read_folder(tmp_path)
    assert [item.split for item in source.items] == [None]
    assert (source.findings, source.notes) == ((), ())


def test_picture_in_two_lists_is_trained_on_and_named(tmp_path: Path) -> None:
    write_pair(tmp_path, "a")
    write_names(tmp_path)
    for name in ("val.txt", "train.txt", "trainval.txt"):
        write_list(tmp_path, name, "a")
    source = read_folder(tmp_path)
    assert [item.split for item in source.items] == [Split.TRAIN]
    (finding,) = source.findings
    assert (finding.kind, finding.file) == (Kind.COPY_ACROSS_SPLITS, "JPEGImages/a.jpg")
    assert finding.reason.startswith("is listed in train.txt and val.txt; it was put into train alone")


def test_listed_picture_that_is_not_there_is_a_finding(tmp_path: Path) -> None:
    write_pair(tmp_path, "a")
    write_names(tmp_path)
    write_list(tmp_path, "train.txt", "a", "gone")
    (finding,) = read_folder(tmp_path).findings
    assert (finding.kind, finding.file) == (Kind.NO_PICTURE, "JPEGImages/gone")
    assert finding.reason == "is listed in train.txt, but not there"


def test_pictures_of_other_tasks_are_counted_not_named(tmp_path: Path) -> None:
    write_pair(tmp_path, "a")
    write_names(tmp_path)
    for stem in ("detection1", "detection2", "hidden"):
        write_picture(tmp_path, stem)
    write_list(tmp_path, "train.txt", "a")
    write_list(tmp_path, "test.txt", "hidden")
    source = read_folder(tmp_path)
    assert source.findings == ()
    assert source.notes == (
        "pictures that no list names and that have no mask, which were left out: 2",
        "pictures of the test split, none of which has a mask, which were left out: 1",
    )


def test_without_lists_each_picture_without_mask_is_a_finding(tmp_path: Path) -> None:
    write_pair(tmp_path, "a")
    write_picture(tmp_path, "b")
    write_names(tmp_path)
    assert [(one.kind, one.file) for one in read_folder(tmp_path).findings] == [(Kind.NO_LABEL, "JPEGImages/b.jpg")]


def test_pictures_of_one_name_are_not_guessed_between(tmp_path: Path) -> None:
    write_pair(tmp_path, "a")
    write_png(tmp_path / "JPEGImages" / "a.png", np.zeros((*MASK_HW.shape, 3), np.uint8))
    write_names(tmp_path)
    source = read_folder(tmp_path)
    assert source.items == ()
    assert [(one.kind, one.file) for one in source.findings] == [
        (Kind.SAME_NAME, "JPEGImages/a.jpg"),
        (Kind.SAME_NAME, "JPEGImages/a.png"),
    ]


# Classes and colours


@pytest.mark.parametrize("is_palette", [True, False])
def test_colours_of_a_label_map_count_not_indices(is_palette: bool, tmp_path: Path) -> None:
    colours = {1: 0x804080, 2: 0xDCDC00, 255: 0xE0E0C0}
    if is_palette:
        write_picture(tmp_path, "a")
        indices_HW = np.select([MASK_HW == 1, MASK_HW == 2, MASK_HW == 255], [7, 3, 1], 0).astype(np.uint8)
        palette = [0, 0xE0E0C0, 0, 0xDCDC00, 0, 0, 0, 0x804080]
        write_palette_png(tmp_path / "SegmentationClass" / "a.png", indices_HW, palette)
    else:
        write_colours(tmp_path, "a", colours)
    write_names(tmp_path, LABEL_MAP, "labelmap.txt")
    np.testing.assert_array_equal(read_mask(read_folder(tmp_path)), MASK_HW)


def test_colour_masks_with_a_plain_list_are_read_in_vocs_colours(tmp_path: Path) -> None:
    write_colours(tmp_path, "a", {value: voc_colour(value) for value in (1, 2, 255)})
    write_names(tmp_path)
    source = read_folder(tmp_path)
    np.testing.assert_array_equal(read_mask(source), MASK_HW)
    assert source.notes[0].endswith("read as VOC's colours of its values")


def test_undeclared_colour_is_a_finding(tmp_path: Path) -> None:
    write_colours(tmp_path, "a", {1: 0x804080, 2: 0x123456, 255: 0xE0E0C0})
    write_names(tmp_path, LABEL_MAP, "labelmap.txt")
    source = read_folder(tmp_path)
    finding = load_labelled_picture(source.items[0], map_classes(source.classes, None))
    assert isinstance(finding, Finding)
    assert finding.value == "#123456"


def test_vocs_own_masks_need_no_list(tmp_path: Path) -> None:
    write_pair(tmp_path, "a")
    write_list(tmp_path, "train.txt", "a")
    source = read_folder(tmp_path)
    assert source.classes == VOC_CLASSES
    assert source.notes == (
        "there is no list of classes: by their palette the masks are PASCAL VOC's, with its 20 classes",
    )
    np.testing.assert_array_equal(read_mask(source), MASK_HW)


@pytest.mark.parametrize("fault", ["palette", "value", "no lists"])
def test_masks_that_may_not_be_vocs_ask_for_a_list(fault: str, tmp_path: Path) -> None:
    write_picture(tmp_path, "a")
    mask_HW = np.where(MASK_HW == 2, 21, MASK_HW).astype(np.uint8) if fault == "value" else MASK_HW
    palette = [voc_colour(value) ^ (fault == "palette") for value in range(256)]
    write_palette_png(tmp_path / "SegmentationClass" / "a.png", mask_HW, palette)
    if fault != "no lists":
        write_list(tmp_path, "train.txt", "a")
    with pytest.raises(InvalidDatasetError, match=r"has no list of classes.* write a classes\.csv"):
        read_folder(tmp_path)


def test_list_that_labelme_leaves_beside_the_folder_counts(tmp_path: Path) -> None:
    write_pair(tmp_path / "data_dataset_voc", "a")
    write_names(tmp_path, "__ignore__\n_background_\nroad\nsign\n")
    np.testing.assert_array_equal(read_mask(read_folder(tmp_path)), MASK_HW)


def test_list_from_outside_counts(tmp_path: Path) -> None:
    write_pair(tmp_path / "set", "a")
    write_names(tmp_path / "set")
    write_names(tmp_path, "_background_\nfirst\nsecond\n", "mine.txt")
    source = read_folder(tmp_path / "set", Hints(class_list=tmp_path / "mine.txt"))
    assert list(source.classes.values()) == ["_background_", "first", "second"]


def test_export_without_pictures_says_so(tmp_path: Path) -> None:
    write_palette_png(tmp_path / "SegmentationClass" / "a.png", MASK_HW, PALETTE)
    write_names(tmp_path)
    with pytest.raises(InvalidDatasetError, match="has no JPEGImages/; export the dataset together with its pictures"):
        read_folder(tmp_path)


def test_colour_map_is_vocs() -> None:
    assert [voc_colour(value) for value in (0, 1, 8, 15, 20, 255)] == [
        *(0x000000, 0x800000, 0x400000, 0xC08080, 0x004080, 0xE0E0C0)
    ]


def test_masks_of_labelme_equal_its_arrays() -> None:
    folder = DATA / "labelme_voc" / "semantic_segmentation" / "data_dataset_voc"
    if not folder.is_dir():
        pytest.skip("labelme_voc is not on this machine")
    source = read_folder(folder)
    values_HW = np.load(folder / "SegmentationClassNpy" / "2011_000003.npy")
    np.testing.assert_array_equal(read_mask(source, "2011_000003"), np.where(values_HW == -1, 255, values_HW))
    assert len(source.items) == 3
    assert source.findings == ()
