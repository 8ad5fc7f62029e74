from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from atrous.bundle.contrast import Contrast, raise_contrast

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHAPES = [(1, 1), (2, 3), (7, 9), (8, 8), (16, 24), (61, 47), (133, 257)]
PICTURES = ["noise", "smooth", "dull", "grey", "black", "flat", "white"]


def draw(kind: str, height: int, width: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(0)
    match kind:
        case "noise":
            return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        case "smooth":
            coarse_HWC = rng.integers(0, 256, (height // 20 + 1, width // 20 + 1, 3), dtype=np.uint8)
            return cv2.resize(coarse_HWC, (width, height), interpolation=cv2.INTER_CUBIC)
        case "dull":
            return rng.normal(90, 9, (height, width, 3)).astype(np.uint8)
        case "grey":
            return np.repeat(rng.normal(100, 20, (height, width, 1)).astype(np.uint8), 3, axis=2)
        case _:
            return np.full((height, width, 3), {"black": 0, "flat": 130, "white": 255}[kind], np.uint8)


def raise_by_scikit_image(image_HWC: NDArray[np.uint8], contrast: Contrast) -> NDArray[np.uint8]:
    """What the stock runtime calls."""
    exposure = pytest.importorskip("skimage.exposure", reason="compares with scikit-image; pip install 'atrous[dev]'")
    if contrast is Contrast.STRETCHING:
        return exposure.rescale_intensity(image_HWC, in_range=tuple(np.percentile(image_HWC, (2, 98))))
    share_HWC = image_HWC.astype(np.float32) / 255
    if contrast is Contrast.HISTOGRAM:
        return (exposure.equalize_hist(share_HWC) * 255).astype(np.uint8)
    return (exposure.equalize_adapthist(share_HWC, clip_limit=0.03) * 255).astype(np.uint8)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("contrast", list(Contrast))
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", PICTURES)
def test_contrast_is_that_of_the_stock_runtime(kind: str, shape: tuple[int, int], contrast: Contrast) -> None:
    image_HWC = draw(kind, *shape)
    expected_HWC = raise_by_scikit_image(image_HWC, contrast)
    raised_HWC = raise_contrast(image_HWC, contrast)
    assert raised_HWC.dtype == np.uint8
    # Colours take another way back from brightness, and a sum that is all but whole may be cut to the level below.
    allowed = 1 if contrast is Contrast.ADAPTIVE else 0
    np.testing.assert_allclose(raised_HWC.astype(int), expected_HWC, atol=allowed, rtol=0)
    assert (raised_HWC == expected_HWC).mean() > 0.95


def test_stretching_cuts_off_the_darkest_and_the_brightest_of_a_hundred_levels() -> None:
    image_HWC = np.arange(50, 151, dtype=np.uint8).repeat(3).reshape(1, 101, 3)
    raised_W = raise_contrast(image_HWC, Contrast.STRETCHING)[0, :, 0]
    assert raised_W[:3].tolist() == [0, 0, 0]
    assert raised_W[-3:].tolist() == [255, 255, 255]
    assert raised_W[50] == 127
    # 96 levels between level 52 and level 148, each 255 / 96 apart and truncated.
    assert raised_W[3:6].tolist() == [2, 5, 7]


def test_a_histogram_is_equalized_over_all_channels_together() -> None:
    image_HWC = np.zeros((1, 4, 3), np.uint8)
    image_HWC[0, :, 2] = [10, 20, 30, 30]
    levels = raise_contrast(image_HWC, Contrast.HISTOGRAM)
    # Eight of the twelve values are 0, one is 10, one is 20, two are 30.
    assert set(levels[:, :, :2].ravel().tolist()) == {int(255 * 8 / 12)}
    assert levels[0, 2:, 2].tolist() == [255, 255]


@pytest.mark.parametrize("contrast", list(Contrast))
def test_the_order_of_channels_does_not_matter_and_the_picture_stays(contrast: Contrast) -> None:
    image_HWC = draw("noise", 40, 50)
    before = image_HWC.copy()
    mirrored = raise_contrast(np.ascontiguousarray(image_HWC[:, :, ::-1]), contrast)[:, :, ::-1]
    np.testing.assert_array_equal(raise_contrast(image_HWC, contrast), mirrored)
    np.testing.assert_array_equal(raise_contrast(image_HWC[:, :, :], contrast), mirrored)
    np.testing.assert_array_equal(image_HWC, before)
    view_HWC = draw("noise", 80, 100)[::2, ::2]
    np.testing.assert_array_equal(
        raise_contrast(view_HWC, contrast), raise_contrast(np.ascontiguousarray(view_HWC), contrast)
    )


def test_adaptive_contrast_keeps_grey_grey() -> None:
    raised_HWC = raise_contrast(draw("grey", 60, 80), Contrast.ADAPTIVE)
    np.testing.assert_array_equal(raised_HWC[:, :, 0], raised_HWC[:, :, 1])
    np.testing.assert_array_equal(raised_HWC[:, :, 0], raised_HWC[:, :, 2])
    assert raised_HWC.min() == 0
    assert raised_HWC.max() == 255
