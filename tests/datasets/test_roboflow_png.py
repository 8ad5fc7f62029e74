from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from atrous.core.errors import InvalidDatasetError
from atrous.datasets.formats import read_source
from atrous.datasets.splits import source_stem
from tests.datasets.generated import write_jpeg, write_png, write_roboflow_png

if TYPE_CHECKING:
    from pathlib import Path


def test_photo_called_mask_is_a_photo_if_it_has_a_mask_of_its_own(tmp_path: Path) -> None:
    write_roboflow_png(tmp_path)
    write_jpeg(tmp_path / "train" / "face_mask.jpg", np.zeros((4, 5, 3), np.uint8))
    write_png(tmp_path / "train" / "face_mask_mask.png", np.zeros((4, 5), np.uint8))
    source = read_source(tmp_path)[1]
    assert "face_mask.jpg" in {item.name for item in source.items}
    assert source.findings == ()


def test_splits_that_disagree_about_a_value_are_refused(tmp_path: Path) -> None:
    write_roboflow_png(tmp_path)
    (tmp_path / "valid" / "_classes.csv").write_text("Pixel Value, Class\n0, background\n1, car\n2, sign")
    with pytest.raises(InvalidDatasetError, match="value 1 is 'car' here and 'road' in another split"):
        read_source(tmp_path)


def test_csv_of_a_classification_export_is_another_format(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "_classes.csv").write_text("filename, cat, dog\na.jpg, 0, 1\n")
    write_jpeg(tmp_path / "train" / "a.jpg", np.zeros((4, 5, 3), np.uint8))
    with pytest.raises(InvalidDatasetError, match="no known dataset format"):
        read_source(tmp_path)


def test_augmented_copies_share_a_stem() -> None:
    assert source_stem("frame_1_jpg.rf.abc.jpg") == source_stem("train/frame_1_jpg.rf.def.jpg") == "frame_1_jpg"
