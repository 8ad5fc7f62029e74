from __future__ import annotations

import numpy as np
import pytest

from atrous.core.class_map import ClassMap
from atrous.runtime.overlay import class_colours_BGR, draw_overlay

CLASS_MAP = ClassMap(("background", "road", "sign"))
IMAGE_HWC = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)


def test_background_pixels_stay_as_they_are() -> None:
    mask_HW = np.zeros((60, 80), np.uint8)
    mask_HW[5:15, 5:20] = 1  # too small for a name
    mask_HW[30:35, 60:70] = 2
    overlay_HWC = draw_overlay(IMAGE_HWC, mask_HW, CLASS_MAP)
    np.testing.assert_array_equal(overlay_HWC[mask_HW == 0], IMAGE_HWC[mask_HW == 0])
    assert overlay_HWC.dtype == np.uint8


def test_a_picture_of_background_alone_is_given_as_it_is() -> None:
    overlay_HWC = draw_overlay(IMAGE_HWC, np.zeros((60, 80), np.uint8), CLASS_MAP)
    np.testing.assert_array_equal(overlay_HWC, IMAGE_HWC)


@pytest.mark.parametrize("opacity", [0.25, 0.5, 1.0])
def test_a_class_is_blended_with_its_colour(opacity: float) -> None:
    mask_HW = np.zeros((60, 80), np.uint8)
    mask_HW[5:9, 5:20] = 2
    overlay_HWC = draw_overlay(IMAGE_HWC, mask_HW, CLASS_MAP, opacity=opacity)
    inside = mask_HW == 2
    expected = (1 - opacity) * IMAGE_HWC[inside] + opacity * class_colours_BGR(3)[2]
    # Rounded to whole levels.
    assert np.abs(overlay_HWC[inside] - expected).max() <= 0.5001


def test_a_large_region_bears_its_name() -> None:
    mask_HW = np.ones((60, 80), np.uint8)
    named = draw_overlay(IMAGE_HWC, mask_HW, CLASS_MAP)
    other = draw_overlay(IMAGE_HWC, mask_HW, ClassMap(("background", "wood", "sign")))
    assert (named != other).any()


def test_void_and_ids_without_a_name_are_drawn_without_one() -> None:
    mask_HW = np.full((60, 80), 255, np.uint8)
    mask_HW[:30] = 9
    assert draw_overlay(IMAGE_HWC, mask_HW, CLASS_MAP).shape == IMAGE_HWC.shape


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (2, 3)])
def test_the_smallest_pictures_have_an_overlay_too(shape: tuple[int, int]) -> None:
    image_HWC = np.zeros((*shape, 3), np.uint8)
    assert draw_overlay(image_HWC, np.ones(shape, np.uint8), CLASS_MAP).shape == image_HWC.shape


def test_neither_picture_nor_mask_is_changed() -> None:
    image_HWC, mask_HW = IMAGE_HWC.copy(), np.ones((60, 80), np.uint8)
    draw_overlay(image_HWC, mask_HW, CLASS_MAP)
    np.testing.assert_array_equal(image_HWC, IMAGE_HWC)
    np.testing.assert_array_equal(mask_HW, 1)


def test_background_is_black_and_no_two_classes_share_a_colour() -> None:
    colours = class_colours_BGR(255)
    assert colours[0].tolist() == [0, 0, 0]
    assert len(np.unique(colours, axis=0)) == 255
    np.testing.assert_array_equal(class_colours_BGR(5), colours[:5])


@pytest.mark.parametrize("outline_px", [1, 3])
def test_an_outline_is_drawn_inside_a_region_in_its_full_colour(outline_px: int) -> None:
    mask_HW = np.zeros((60, 80), np.uint8)
    mask_HW[20:40, 30:60] = 2
    plain, outlined = (
        draw_overlay(IMAGE_HWC, mask_HW, CLASS_MAP, outline_px=width, names=False) for width in (0, outline_px)
    )
    rim = mask_HW == 2
    rim[20 + outline_px : 40 - outline_px, 30 + outline_px : 60 - outline_px] = False
    np.testing.assert_array_equal(outlined[rim], np.broadcast_to(class_colours_BGR(3)[2], outlined[rim].shape))
    np.testing.assert_array_equal(outlined[~rim], plain[~rim])


def test_the_edge_of_the_picture_is_no_border() -> None:
    mask_HW = np.ones((60, 80), np.uint8)
    plain, outlined = (draw_overlay(IMAGE_HWC, mask_HW, CLASS_MAP, outline_px=width) for width in (0, 2))
    np.testing.assert_array_equal(outlined, plain)


def test_names_can_be_left_out() -> None:
    mask_HW = np.ones((60, 80), np.uint8)
    other = ClassMap(("background", "wood", "sign"))
    first, second = (draw_overlay(IMAGE_HWC, mask_HW, names, names=False) for names in (CLASS_MAP, other))
    np.testing.assert_array_equal(first, second)


def test_in_a_large_picture_a_name_is_in_the_middle_of_its_region() -> None:
    image_HWC, mask_HW = np.zeros((1200, 1600, 3), np.uint8), np.zeros((1200, 1600), np.uint8)
    mask_HW[300:700, 900:1500] = 1
    named, plain = (draw_overlay(image_HWC, mask_HW, CLASS_MAP, names=names) for names in (True, False))
    ys, xs = np.nonzero((named != plain).any(axis=2))
    assert abs((ys.min() + ys.max()) / 2 - 500) < 20
    assert abs((xs.min() + xs.max()) / 2 - 1200) < 20


def test_colours_cannot_be_written_to_as_all_share_them() -> None:
    with pytest.raises(ValueError, match="read-only"):
        class_colours_BGR(5)[0] = 1
