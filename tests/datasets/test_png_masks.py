from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from atrous.core.errors import InvalidDatasetError
from atrous.core.sizes import Size
from atrous.datasets.files.tree import open_folder
from atrous.datasets.findings import Finding, Kind
from atrous.datasets.fixes import Fix
from atrous.datasets.formats import read_source, recognise_format
from atrous.datasets.masks.mask_file import MaskFile
from atrous.datasets.source import Hints, LabelValues, PictureShape
from atrous.datasets.splits import Split
from tests.datasets.generated import write_jpeg, write_png

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.datasets.source import Source

IMAGE_HWC = np.zeros((4, 5, 3), np.uint8)
MASK_HW = np.zeros((4, 5), np.uint8)
ONE_HW = np.eye(4, 5, dtype=np.uint8)


def write_pair(images: Path, masks: Path, name: str, mask_HW: np.ndarray = MASK_HW, mask_name: str = "") -> None:
    write_jpeg(images / f"{name}.jpg", IMAGE_HWC)
    write_png(masks / f"{mask_name or name}.png", mask_HW)


def read(folder: Path, *fixes: Fix, class_list: Path | None = None) -> Source:
    name, source = read_source(open_folder(folder), hints=Hints(class_list, frozenset(fixes)))
    assert name == "png-masks"
    return source


def read_splits(folder: Path) -> dict[str, Split | None]:
    (folder / "classes.csv").write_text("0,sky\n1,road\n")
    source = read(folder)
    assert source.findings == ()
    return {item.image.name: item.split for item in source.items}


def pairs_of(source: Source) -> dict[str, str]:
    return {item.image.name: item.label.file.name for item in source.items}


def found(source: Source) -> list[tuple[Kind, str]]:
    return [(finding.kind, finding.file) for finding in source.findings]


# Folders


@pytest.mark.parametrize("masks", ["masks", "labels", "annotations"])
def test_split_folders_around_images_and_masks(masks: str, tmp_path: Path) -> None:
    for split in ("train", "val", "test"):
        write_pair(tmp_path / split / "images", tmp_path / split / masks, "a")
    assert read_splits(tmp_path) == {
        "train/images/a.jpg": Split.TRAIN,
        "val/images/a.jpg": Split.VALID,
        "test/images/a.jpg": Split.TEST,
    }


@pytest.mark.parametrize(("images", "masks"), [("images", "masks"), ("img_dir", "ann_dir"), ("imgs", "gts")])
def test_split_folders_inside_images_and_masks(images: str, masks: str, tmp_path: Path) -> None:
    for split in ("train", "valid"):
        write_pair(tmp_path / images / split / "berlin", tmp_path / masks / split / "berlin", "a")
    assert read_splits(tmp_path) == {
        f"{images}/train/berlin/a.jpg": Split.TRAIN,
        f"{images}/valid/berlin/a.jpg": Split.VALID,
    }


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        ("{}", "{}_labels"),
        ("{}", "{}annot"),
        ("{}", "{}_masks"),
        ("{}_images", "{}_masks"),
        ("images_{}", "masks_{}"),
        ("{}/image", "{}/label"),
    ],
)
def test_folders_named_by_split_and_kind(images: str, masks: str, tmp_path: Path) -> None:
    for split in ("train", "val"):
        write_pair(tmp_path / images.format(split), tmp_path / masks.format(split), "a")
    assert read_splits(tmp_path) == {
        f"{images.format('train')}/a.jpg": Split.TRAIN,
        f"{images.format('val')}/a.jpg": Split.VALID,
    }


def test_no_split_folders(tmp_path: Path) -> None:
    write_pair(tmp_path / "images", tmp_path / "masks", "a")
    assert read_splits(tmp_path) == {"images/a.jpg": None}


def test_split_folder_alone_keeps_its_split(tmp_path: Path) -> None:
    write_pair(tmp_path / "data" / "train" / "images", tmp_path / "data" / "train" / "masks", "a", ONE_HW)
    (item,) = read(tmp_path).items
    assert item.split is Split.TRAIN


@pytest.mark.parametrize("above", ["", "north/east/"])
def test_folders_that_are_no_splits_keep_their_pictures_apart(above: str, tmp_path: Path) -> None:
    for tile in ("Tile 1", "Tile 2"):
        write_pair(tmp_path / above / tile / "images", tmp_path / above / tile / "masks", "part")
    assert read_splits(tmp_path) == {f"{above}Tile 1/images/part.jpg": None, f"{above}Tile 2/images/part.jpg": None}


def test_masks_one_folder_deeper_than_pictures_are_found(tmp_path: Path) -> None:
    write_pair(tmp_path / "images", tmp_path / "annotations" / "trimaps", "a")
    assert read_splits(tmp_path) == {"images/a.jpg": None}


def test_two_datasets_with_lists_of_their_own_are_not_mixed(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_pair(tmp_path / name / "images", tmp_path / name / "masks", "a")
        (tmp_path / name / "classes.csv").write_text("0,sky\n1,road\n")
    with pytest.raises(InvalidDatasetError, match="holds several datasets"):
        read(tmp_path)


def test_lists_of_splits_that_disagree_are_refused(tmp_path: Path) -> None:
    for split, name in (("train", "road"), ("valid", "car")):
        write_pair(tmp_path / split / "images", tmp_path / split / "masks", "a")
        (tmp_path / split / "classes.csv").write_text(f"0,sky\n1,{name}\n")
    with pytest.raises(InvalidDatasetError, match=r"valid/classes\.csv: names other classes"):
        read(tmp_path)


def test_pictures_outside_of_the_folders_are_counted(tmp_path: Path) -> None:
    write_pair(tmp_path / "images", tmp_path / "masks", "a", ONE_HW)
    write_jpeg(tmp_path / "preview" / "a.jpg", IMAGE_HWC)
    assert "1 pictures lie in other folders and were not looked at" in read(tmp_path).notes


def test_masks_beside_their_pictures_in_folders_of_any_name(tmp_path: Path) -> None:
    for patient in ("TCGA_1", "TCGA_2"):
        for name in ("slice_1", "slice 2 (1)"):
            write_pair(tmp_path / patient, tmp_path / patient, name, ONE_HW, f"{name}_mask")
    write_jpeg(tmp_path / "TCGA_2" / "slice_9.jpg", IMAGE_HWC)
    source = read(tmp_path)
    assert pairs_of(source) == {
        f"{patient}/{name}.jpg": f"{patient}/{name}_mask.png"
        for patient in ("TCGA_1", "TCGA_2")
        for name in ("slice 2 (1)", "slice_1")
    }
    assert found(source) == [(Kind.NO_LABEL, "TCGA_2/slice_9.jpg")]


def test_masks_beside_their_pictures_in_splits(tmp_path: Path) -> None:
    for split, name in (("train", "1"), ("train", "2"), ("valid", "3")):
        write_pair(tmp_path / split, tmp_path / split, f"{name}_sat", ONE_HW, f"{name}_mask")
    write_jpeg(tmp_path / "test" / "4_sat.jpg", IMAGE_HWC)
    source = read(tmp_path)
    assert {item.image.name: item.split for item in source.items} == {
        "train/1_sat.jpg": Split.TRAIN,
        "train/2_sat.jpg": Split.TRAIN,
        "valid/3_sat.jpg": Split.VALID,
    }
    assert found(source) == [(Kind.NO_LABEL, "test/4_sat.jpg")]


def test_masks_beside_their_pictures_in_the_folder_itself(tmp_path: Path) -> None:
    write_pair(tmp_path, tmp_path, "a", ONE_HW, "a_mask")
    write_pair(tmp_path, tmp_path, "b_l", ONE_HW, "b_l_gt")
    assert pairs_of(read(tmp_path)) == {"a.jpg": "a_mask.png", "b_l.jpg": "b_l_gt.png"}


# Names


@pytest.mark.parametrize("ending", ["_gt", "_mask", "_label", "_labels", "_seg", "_L", "-mask", ".jpg"])
def test_endings_of_masks_do_not_count(ending: str, tmp_path: Path) -> None:
    write_pair(tmp_path / "images", tmp_path / "masks", "a_1", ONE_HW, f"a_1{ending}")
    source = read(tmp_path)
    assert pairs_of(source) == {"images/a_1.jpg": f"masks/a_1{ending}.png"}
    assert f"names were paired without their endings {ending}" in source.notes


def test_endings_of_both_do_not_count(tmp_path: Path) -> None:
    write_pair(tmp_path / "images", tmp_path / "masks", "a_img", ONE_HW, "a_gt")
    assert pairs_of(read(tmp_path)) == {"images/a_img.jpg": "masks/a_gt.png"}


def test_name_as_a_whole_counts_before_its_ending(tmp_path: Path) -> None:
    for name in ("face", "face_mask"):
        write_pair(tmp_path / "images", tmp_path / "masks", name, ONE_HW)
    source = read(tmp_path)
    assert pairs_of(source) == {"images/face.jpg": "masks/face.png", "images/face_mask.jpg": "masks/face_mask.png"}


def test_picture_with_two_masks_is_a_finding(tmp_path: Path) -> None:
    write_pair(tmp_path / "images", tmp_path / "masks", "a", ONE_HW)
    write_png(tmp_path / "masks" / "a_mask.png", ONE_HW)
    write_pair(tmp_path / "images", tmp_path / "masks", "b", ONE_HW)
    source = read(tmp_path)
    assert found(source) == [(Kind.SAME_NAME, "images/a.jpg")]
    assert "a.png, a_mask.png" in source.findings[0].reason
    assert list(pairs_of(source)) == ["images/b.jpg"]


def test_two_pictures_of_one_name_are_findings(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_pair(tmp_path / "images", tmp_path / "masks", name, ONE_HW)
    write_png(tmp_path / "images" / "a.png", IMAGE_HWC)
    source = read(tmp_path)
    assert found(source) == [(Kind.SAME_NAME, "images/a.jpg"), (Kind.SAME_NAME, "images/a.png")]
    assert list(pairs_of(source)) == ["images/b.jpg"]


def test_png_mask_wins_over_a_preview_of_its_name(tmp_path: Path) -> None:
    write_pair(tmp_path / "images", tmp_path / "masks", "a")
    write_jpeg(tmp_path / "masks" / "a.jpg", IMAGE_HWC)
    (tmp_path / "classes.csv").write_text("0,sky\n1,road\n")
    tree = open_folder(tmp_path)
    (item,) = read_source(tree)[1].items
    assert item.label == MaskFile(tree.file("masks/a.png"))


def test_pictures_of_a_split_without_masks_are_findings(tmp_path: Path) -> None:
    write_pair(tmp_path / "train" / "images", tmp_path / "train" / "masks", "a", ONE_HW)
    write_jpeg(tmp_path / "test" / "images" / "b.jpg", IMAGE_HWC)
    write_jpeg(tmp_path / "valid" / "c.jpg", IMAGE_HWC)
    source = read(tmp_path)
    assert found(source) == [(Kind.NO_LABEL, "test/images/b.jpg"), (Kind.NO_LABEL, "valid/c.jpg")]
    assert "no folder of masks" in source.findings[0].reason


def test_no_pair_at_all_is_refused(tmp_path: Path) -> None:
    write_jpeg(tmp_path / "images" / "a.jpg", IMAGE_HWC)
    write_png(tmp_path / "masks" / "b.png", MASK_HW)
    with pytest.raises(InvalidDatasetError, match="no picture has a mask of its name"):
        read(tmp_path)


# Lists of splits


def write_three(folder: Path) -> None:
    for name in ("a", "b", "c"):
        write_pair(folder / "imgs", folder / "gts", f"{name}_img", ONE_HW, f"{name}_gt")


@pytest.mark.parametrize("folder", ["", "splits"])
@pytest.mark.parametrize(
    "line", ["{}", "{}_img", "{}_img.jpg", "imgs/{}_img.jpg gts/{}_gt.png", "/old/imgs/{}_img.jpg"]
)
def test_lists_give_splits(line: str, folder: str, tmp_path: Path) -> None:
    write_three(tmp_path)
    (tmp_path / folder).mkdir(exist_ok=True)
    (tmp_path / folder / "train.txt").write_text(f"{line.format('a', 'a')}\n{line.format('b', 'b')}\n")
    (tmp_path / folder / "val.txt").write_text(line.format("c", "c"))
    source = read(tmp_path)
    assert [item.split for item in source.items] == [Split.TRAIN, Split.TRAIN, Split.VALID]


def test_lines_without_picture_and_pictures_without_line_are_told(tmp_path: Path) -> None:
    write_three(tmp_path)
    (tmp_path / "train.txt").write_text("a\ngone\n")
    source = read(tmp_path)
    assert [item.split for item in source.items] == [Split.TRAIN, None, None]
    assert "train.txt gives the split train; 1 of its lines are no picture here" in source.notes
    assert "2 pictures are in no list of splits" in source.notes


def test_picture_in_two_lists_is_refused(tmp_path: Path) -> None:
    write_three(tmp_path)
    (tmp_path / "train.txt").write_text("a\nb\n")
    (tmp_path / "val.txt").write_text("c\nb\n")
    with pytest.raises(InvalidDatasetError, match=r"val\.txt: line 2: imgs/b_img\.jpg is in train already"):
        read(tmp_path)


def test_line_that_fits_two_pictures_is_refused(tmp_path: Path) -> None:
    for tile in ("x", "y"):
        write_pair(tmp_path / tile / "images", tmp_path / tile / "masks", "a", ONE_HW)
    (tmp_path / "train.txt").write_text("a\n")
    with pytest.raises(InvalidDatasetError, match=r"could be x/images/a\.jpg or y/images/a\.jpg"):
        read(tmp_path)


# Values


@pytest.mark.parametrize("high", [1, 255])
def test_masks_of_two_values_need_no_list(high: int, tmp_path: Path) -> None:
    write_pair(tmp_path / "images", tmp_path / "masks", "a", ONE_HW * np.uint8(high))
    source = read(tmp_path)
    assert source.classes == {0: "background", high: "foreground"}
    assert any(f"took value 0 as background and value {high} as foreground" in note for note in source.notes)


def test_two_values_are_exchanged_when_told(tmp_path: Path) -> None:
    write_pair(tmp_path / "images", tmp_path / "masks", "a", ONE_HW * np.uint8(255))
    assert read(tmp_path, Fix.INVERT_MASKS).classes == {0: "foreground", 255: "background"}


def test_names_of_two_classes_are_exchanged_when_told(tmp_path: Path) -> None:
    write_pair(tmp_path / "images", tmp_path / "masks", "a", ONE_HW)
    (tmp_path / "classes.csv").write_text("0,background\n1,cell\n")
    assert read(tmp_path, Fix.INVERT_MASKS).classes == {0: "cell", 1: "background"}


def test_three_classes_cannot_be_exchanged(tmp_path: Path) -> None:
    write_pair(tmp_path / "images", tmp_path / "masks", "a", ONE_HW)
    (tmp_path / "classes.csv").write_text("0,background\n1,cell\n2,edge\n")
    with pytest.raises(InvalidDatasetError, match="exchanges two"):
        read(tmp_path, Fix.INVERT_MASKS)


def test_rgb_masks_of_two_greys_name_their_fix_and_need_no_list_with_it(tmp_path: Path) -> None:
    write_pair(tmp_path / "images", tmp_path / "masks", "a", np.dstack([ONE_HW * np.uint8(255)] * 3))
    with pytest.raises(InvalidDatasetError, match="use --fix grey-rgb-masks"):
        read_source(open_folder(tmp_path))
    _, source = read_source(open_folder(tmp_path), hints=Hints(fixes=frozenset({Fix.GREY_RGB_MASKS})))
    assert source.classes == {0: "background", 255: "foreground"}


def test_masks_of_other_values_are_refused_with_a_list_to_write(tmp_path: Path) -> None:
    write_pair(tmp_path / "images", tmp_path / "masks", "a", ONE_HW * np.uint8(7))
    write_pair(tmp_path / "images", tmp_path / "masks", "b", ONE_HW * np.uint8(255))
    with pytest.raises(InvalidDatasetError) as error:
        read(tmp_path)
    assert "0 (80 %), 7 (10 %), 255 (10 %)" in str(error.value)
    (tmp_path / "classes.csv").write_text(str(error.value).partition("such as\n")[2])
    assert read(tmp_path).classes == {0: "background", 7: "class-7", 255: "void"}


def test_masks_without_any_foreground_are_refused(tmp_path: Path) -> None:
    write_pair(tmp_path / "images", tmp_path / "masks", "a", MASK_HW)
    with pytest.raises(InvalidDatasetError, match=r"its masks hold 0 \(100 %\)"):
        read(tmp_path)


def write_jpeg_pair(folder: Path, levels: tuple[int, ...]) -> None:
    write_jpeg(folder / "images" / "a.jpg", np.zeros((8, 16 * len(levels), 3), np.uint8))
    write_jpeg(folder / "masks" / "a.jpg", np.repeat(np.array(levels, np.uint8), 16)[None].repeat(8, 0))


def test_black_and_white_jpegs_are_findings_until_told(tmp_path: Path) -> None:
    write_jpeg_pair(tmp_path, (0, 255))
    source = read(tmp_path)
    assert source.classes == {0: "background", 255: "foreground"}
    shape = PictureShape(Size(8, 32))
    finding = source.items[0].label.load(shape, frozenset())
    assert isinstance(finding, Finding)
    assert finding.fix is Fix.THRESHOLD_JPEG_MASKS
    assert isinstance(source.items[0].label.load(shape, frozenset({Fix.THRESHOLD_JPEG_MASKS})), LabelValues)


def test_grey_jpegs_are_refused(tmp_path: Path) -> None:
    write_jpeg_pair(tmp_path, (0, 100, 200))
    with pytest.raises(InvalidDatasetError, match="JPEG masks with greys"):
        read(tmp_path)


def test_list_of_a_person_counts_instead(tmp_path: Path) -> None:
    write_pair(tmp_path / "images", tmp_path / "masks", "a", ONE_HW)
    (tmp_path / "classes.csv").write_text("0,sky\n1,road\n")
    mine = tmp_path / "mine.json"
    mine.write_text('["ground", "car"]')
    source = read(tmp_path, class_list=mine)
    assert source.classes == {0: "ground", 1: "car"}
    assert "class names are from mine.json" in source.notes


def test_labelme_names_count_from_minus_one(tmp_path: Path) -> None:
    write_pair(tmp_path / "images", tmp_path / "masks", "a", ONE_HW)
    (tmp_path / "labels.txt").write_text("__ignore__\n_background_\nroad\n")
    assert read(tmp_path).classes == {0: "_background_", 1: "road", 255: "__ignore__"}


@pytest.mark.parametrize(
    ("names", "values", "fix"),
    [
        ("0,sky\n1,road\n2,car\n", (1, 2, 3, 255), Fix.VALUES_MINUS_ONE),
        ("1,sky\n2,road\n3,car\n", (0, 1, 2), Fix.VALUES_PLUS_ONE),
        ("0,sky\n1,road\n2,car\n255,void\n", (1, 3), Fix.VALUES_MINUS_ONE),
    ],
)
def test_values_off_by_one_from_the_list_name_their_fix(
    names: str, values: tuple[int, ...], fix: Fix, tmp_path: Path
) -> None:
    write_pair(tmp_path / "images", tmp_path / "masks", "a", np.resize(np.array(values, np.uint8), (4, 5)))
    (tmp_path / "classes.csv").write_text(names)
    with pytest.raises(InvalidDatasetError, match=f"--fix {fix}"):
        read(tmp_path)
    assert read(tmp_path, fix).items
    assert read(tmp_path, Fix.UNDECLARED_TO_VOID).items


@pytest.mark.parametrize(
    ("names", "values"),
    [
        ("0,sky\n1,road\n2,car\n", (0, 1, 3)),  # the first value occurs
        ("0,sky\n1,road\n2,car\n", (1, 2)),  # nothing beyond the end
        ("0,sky\n1,road\n2,car\n", (1, 2, 4)),  # more than one beyond
        ("1,sky\n2,road\n3,car\n", (0, 1, 2, 3)),  # the last value occurs: 0 is something else
        ("1,sky\n2,road\n5,car\n", (2, 3, 6)),  # a list with gaps says nothing
    ],
)
def test_other_undeclared_values_are_left_to_the_masks(names: str, values: tuple[int, ...], tmp_path: Path) -> None:
    write_pair(tmp_path / "images", tmp_path / "masks", "a", np.resize(np.array(values, np.uint8), (4, 5)))
    (tmp_path / "classes.csv").write_text(names)
    assert read(tmp_path).items


def test_damaged_mask_does_not_stop_the_others(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_pair(tmp_path / "images", tmp_path / "masks", name, ONE_HW)
    (tmp_path / "masks" / "a.png").write_bytes(b"")
    assert len(read(tmp_path).items) == 2


def test_folder_of_pictures_alone_is_no_dataset(tmp_path: Path) -> None:
    write_jpeg(tmp_path / "images" / "a.jpg", IMAGE_HWC)
    (tmp_path / "masks").mkdir()
    with pytest.raises(InvalidDatasetError, match=r"classes\.csv \(Pixel Value,Class\)"):
        recognise_format(open_folder(tmp_path))
