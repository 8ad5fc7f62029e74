from __future__ import annotations

import io
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from PIL import Image

from atrous.bundle.picture import decode_picture
from atrous.core.errors import InvalidDatasetError
from atrous.datasets.content import Sample, count_class_pixels, load_sample
from atrous.datasets.splits import Split
from tests.datasets.generated import write_jpeg, write_png

if TYPE_CHECKING:
    from pathlib import Path


def make_sample(folder: Path, mask_HW: np.ndarray, name: str = "a") -> Sample:
    sample = Sample(name, folder / f"{name}.jpg", folder / f"{name}.png", Split.TRAIN)
    write_jpeg(sample.image_path, np.zeros((*mask_HW.shape[:2], 3), np.uint8))
    write_png(sample.mask_path, mask_HW)
    return sample


def test_sample_gives_picture_and_ids_as_stored(tmp_path: Path) -> None:
    mask_HW = np.array([[0, 1, 255], [2, 2, 0]], np.uint8)
    sample = make_sample(tmp_path, mask_HW)
    image_HWC, loaded_HW = load_sample(sample)
    np.testing.assert_array_equal(image_HWC, decode_picture(sample.image_path.read_bytes()))
    np.testing.assert_array_equal(loaded_HW, mask_HW)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_mask_follows_its_picture_with_and_without_exif_rotation(orientation: int, tmp_path: Path) -> None:
    # A picture whose brightness is its label, so that any wrong turn shows.
    stored_HW = np.zeros((32, 48), np.uint8)
    stored_HW[:16, :24] = 1
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    Image.fromarray(stored_HW * 250, "L").save(buffer, "JPEG", quality=95, exif=exif)
    sample = Sample("a", tmp_path / "a.jpg", tmp_path / "a.png", Split.TRAIN)
    sample.image_path.write_bytes(buffer.getvalue())
    upright_HW = (decode_picture(buffer.getvalue())[:, :, 0] > 125).astype(np.uint8)
    write_png(sample.mask_path, upright_HW)
    for auto_orient in (True, False):
        image_HWC, mask_HW = load_sample(sample, auto_orient=auto_orient)
        np.testing.assert_array_equal(image_HWC[:, :, 0] > 125, mask_HW == 1)
    np.testing.assert_array_equal(mask_HW, stored_HW)


def test_class_pixels_are_summed_without_void(tmp_path: Path) -> None:
    masks = [np.full((30, 40), value, np.uint8) for value in (0, 2, 2, 255)]
    samples = [make_sample(tmp_path, mask_HW, f"s{n}") for n, mask_HW in enumerate(masks)]
    counts = count_class_pixels(samples, 4)
    assert counts.dtype == np.int64
    assert counts.tolist() == [1200, 0, 2400, 0]


def test_large_masks_are_counted_in_full(tmp_path: Path) -> None:
    sample = make_sample(tmp_path, np.ones((1500, 2000), np.uint8))
    assert count_class_pixels([sample], 2).tolist() == [0, 3_000_000]


def test_id_that_is_no_class_names_its_file(tmp_path: Path) -> None:
    sample = make_sample(tmp_path, np.full((3, 4), 9, np.uint8))
    with pytest.raises(InvalidDatasetError, match=r"a\.png: the mask of a has value 9, but there are 3 classes"):
        count_class_pixels([sample], 3)


def test_mask_of_another_size_names_its_file(tmp_path: Path) -> None:
    sample = make_sample(tmp_path, np.zeros((3, 4), np.uint8))
    write_png(sample.mask_path, np.zeros((4, 4), np.uint8))
    with pytest.raises(InvalidDatasetError, match=r"a\.png: the mask of a is 4x4, its picture 4x3"):
        load_sample(sample)


@pytest.mark.parametrize("file", ["a.jpg", "a.png"])
def test_damaged_file_is_named(file: str, tmp_path: Path) -> None:
    sample = make_sample(tmp_path, np.zeros((3, 4), np.uint8))
    (tmp_path / file).write_bytes(b"nothing")
    with pytest.raises(InvalidDatasetError, match=file.replace(".", r"\.")):
        load_sample(sample)


def test_coloured_mask_is_refused(tmp_path: Path) -> None:
    sample = make_sample(tmp_path, np.zeros((3, 4), np.uint8))
    sample.mask_path.write_bytes(cv2.imencode(".png", np.zeros((3, 4, 3), np.uint8))[1].tobytes())
    with pytest.raises(InvalidDatasetError, match="not 8-bit grey"):
        load_sample(sample)
