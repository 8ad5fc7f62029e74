from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from atrous.core.errors import InvalidDatasetError
from atrous.datasets.class_mapping import map_classes
from atrous.datasets.files.tree import open_folder
from atrous.datasets.findings import Kind
from atrous.datasets.formats import read_source
from atrous.datasets.source import Hints
from atrous.datasets.splits import Split
from tests.datasets.generated import write_png

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.datasets.source import Source

IDS_HW = np.array([[7, 8, 26, 0]], np.uint8)
TWICE = "a_000000_000019"


def write_city(folder: Path, key: str, *kinds: str, labels: str = "gtFine") -> None:
    write_png(folder / "leftImg8bit" / f"{key}_leftImg8bit.png", np.zeros((1, 4, 3), np.uint8))
    for kind in kinds:
        write_png(folder / labels / f"{key}_{labels}_{kind}.png", IDS_HW)


def read(folder: Path, class_list: Path | None = None) -> Source:
    name, source = read_source(open_folder(folder), hints=Hints(class_list))
    assert name == "cityscapes"
    return source


def test_ids_have_the_names_that_are_evaluated_and_the_others_are_void(tmp_path: Path) -> None:
    write_city(tmp_path, TWICE, "labelIds", "color", "instanceIds")
    source = read(tmp_path)
    assert (source.classes[7], source.classes[26], source.classes[33]) == ("road", "car", "bicycle")
    assert {source.classes[value] for value in (0, 4, 6, 9, 14, 18, 29, 30)} == {"void"}
    names = map_classes(source.classes, None).class_map.names
    assert len(names) == 20
    assert names[:4] == ("background", "road", "sidewalk", "building")
    assert source.findings == ()


def test_ids_and_train_ids_mean_the_same_classes_in_the_same_order(tmp_path: Path) -> None:
    write_city(tmp_path / "ids", TWICE, "labelIds")
    write_city(tmp_path / "train_ids", TWICE, "labelTrainIds")
    ids, train_ids = read(tmp_path / "ids"), read(tmp_path / "train_ids")
    assert train_ids.classes[0] == "road"
    assert train_ids.classes[18] == "bicycle"
    assert train_ids.classes[255] == "void"
    assert map_classes(ids.classes, None).class_map == map_classes(train_ids.classes, None).class_map


def test_ids_are_preferred_to_train_ids_and_told(tmp_path: Path) -> None:
    write_city(tmp_path, TWICE, "labelIds", "labelTrainIds")
    source = read(tmp_path)
    assert source.items[0].label.file.base_name == f"{TWICE}_gtFine_labelIds.png"
    assert "labels are the labelIds files" in source.notes


def test_kinds_of_ids_are_not_mixed(tmp_path: Path) -> None:
    write_city(tmp_path, "a", "labelIds", "labelTrainIds")
    write_city(tmp_path, "b", "labelTrainIds")
    assert {item.label.file.base_name for item in read(tmp_path).items} == {
        "a_gtFine_labelTrainIds.png",
        "b_gtFine_labelTrainIds.png",
    }


def test_splits_are_folders_and_cities_keep_names_apart(tmp_path: Path) -> None:
    for folder in ("train/aachen", "train/bochum", "val/aachen", "test/berlin"):
        write_city(tmp_path, f"{folder}/{TWICE}", "labelIds")
    splits = {item.image.name.split("/", 1)[1].rpartition("/")[0]: item.split for item in read(tmp_path).items}
    assert splits == {
        "train/aachen": Split.TRAIN,
        "train/bochum": Split.TRAIN,
        "val/aachen": Split.VALID,
        "test/berlin": Split.TEST,
    }


def test_coarse_labels_count_where_there_are_no_fine_ones(tmp_path: Path) -> None:
    write_city(tmp_path, TWICE, "labelIds", labels="gtCoarse")
    assert read(tmp_path).items[0].label.file.name == f"gtCoarse/{TWICE}_gtCoarse_labelIds.png"


def test_fine_labels_are_preferred_to_coarse_ones_and_told(tmp_path: Path) -> None:
    for labels in ("gtFine", "gtCoarse"):
        write_city(tmp_path, TWICE, "labelIds", labels=labels)
    source = read(tmp_path)
    assert source.items[0].label.file.name.startswith("gtFine/")
    assert "labels are from gtFine/, those in gtCoarse/ were not looked at" in source.notes


def test_files_without_partner_are_findings(tmp_path: Path) -> None:
    write_city(tmp_path, "a", "labelIds")
    write_city(tmp_path, "b")
    write_city(tmp_path, "c", "labelIds")
    (tmp_path / "leftImg8bit" / "c_leftImg8bit.png").unlink()
    assert [(finding.kind, finding.file) for finding in read(tmp_path).findings] == [
        (Kind.NO_LABEL, "leftImg8bit/b_leftImg8bit.png"),
        (Kind.NO_PICTURE, "gtFine/c_gtFine_labelIds.png"),
    ]


@pytest.mark.parametrize(
    ("kind", "hint"), [("instanceIds", r"class \* 1000 \+ instance"), ("color", "export labelIds")]
)
def test_files_that_are_no_class_ids_are_refused_with_a_hint(kind: str, hint: str, tmp_path: Path) -> None:
    write_city(tmp_path, TWICE, kind)
    with pytest.raises(InvalidDatasetError, match=hint):
        read(tmp_path)


def test_list_of_a_person_counts_instead(tmp_path: Path) -> None:
    write_city(tmp_path, TWICE, "labelIds")
    mine = tmp_path / "mine.csv"
    mine.write_text("id,name\n0,void\n7,drivable\n8,drivable too\n26,vehicle\n")
    assert read(tmp_path, mine).classes == {0: "void", 7: "drivable", 8: "drivable too", 26: "vehicle"}


def test_list_of_colours_is_refused(tmp_path: Path) -> None:
    write_city(tmp_path, TWICE, "labelIds")
    (tmp_path / "class_dict.csv").write_text("road,#804080\n")
    with pytest.raises(InvalidDatasetError, match="gives colours but no ids"):
        read(tmp_path)
