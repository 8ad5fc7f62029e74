from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from atrous.core.errors import InvalidDatasetError
from atrous.datasets.files.tree import open_folder
from atrous.datasets.formats import read_source
from atrous.datasets.source import Hints
from atrous.datasets.splits import source_of_copy
from tests.datasets.generated import write_jpeg, write_png, write_roboflow_png

if TYPE_CHECKING:
    from pathlib import Path


def test_photo_called_mask_is_a_photo_if_it_has_a_mask_of_its_own(tmp_path: Path) -> None:
    write_roboflow_png(tmp_path)
    write_jpeg(tmp_path / "train" / "face_mask.jpg", np.zeros((4, 5, 3), np.uint8))
    write_png(tmp_path / "train" / "face_mask_mask.png", np.zeros((4, 5), np.uint8))
    source = read_source(open_folder(tmp_path))[1]
    assert "train/face_mask.jpg" in {item.image.name for item in source.items}
    assert source.findings == ()


def test_splits_that_disagree_about_a_value_are_refused(tmp_path: Path) -> None:
    write_roboflow_png(tmp_path)
    (tmp_path / "valid" / "_classes.csv").write_text("Pixel Value, Class\n0, background\n1, car\n2, sign")
    with pytest.raises(InvalidDatasetError, match="value 1 is 'car' here and 'road' in another split"):
        read_source(open_folder(tmp_path))


def test_list_of_a_person_counts_instead(tmp_path: Path) -> None:
    write_roboflow_png(tmp_path)
    mine = tmp_path / "mine.txt"
    mine.write_text("background\nlane\nsignal\n")
    source = read_source(open_folder(tmp_path), hints=Hints(class_list=mine))[1]
    assert source.classes == {0: "background", 1: "lane", 2: "signal"}


def test_list_without_values_is_refused(tmp_path: Path) -> None:
    write_roboflow_png(tmp_path)
    mine = tmp_path / "mine.csv"
    mine.write_text("name,color\nroad,#804080\n")
    with pytest.raises(InvalidDatasetError, match="gives colours but no values"):
        read_source(open_folder(tmp_path), hints=Hints(class_list=mine))


def test_csv_of_a_classification_export_is_another_format(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "_classes.csv").write_text("filename, cat, dog\na.jpg, 0, 1\n")
    write_jpeg(tmp_path / "train" / "a.jpg", np.zeros((4, 5, 3), np.uint8))
    with pytest.raises(InvalidDatasetError, match="no known dataset format"):
        read_source(open_folder(tmp_path))


def test_augmented_copies_share_a_source() -> None:
    assert source_of_copy("frame_1_jpg.rf.abc.jpg") == source_of_copy("train/frame_1_jpg.rf.def.jpg") == "frame_1_jpg"
