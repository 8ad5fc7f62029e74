from __future__ import annotations

import pytest

from atrous.bundle.contrast import Contrast
from atrous.bundle.environment import RESIZE_FORMATS, write_environment
from atrous.bundle.preprocessing import Fit, Preprocessing
from atrous.bundle.regions import StaticCrop
from atrous.core.class_map import ClassMap
from atrous.core.sizes import Size

CLASS_MAP = ClassMap(("background", "road"))
SIZE = Size(height=48, width=64)


def test_every_step_has_its_older_name() -> None:
    crop = StaticCrop(10, 20, 90, 80)
    preprocessing = Preprocessing(SIZE, Fit.LETTERBOX_WHITE, crop=crop, grayscale=True, contrast=Contrast.ADAPTIVE)
    assert write_environment(CLASS_MAP, preprocessing) == {
        "PREPROCESSING": {
            "auto-orient": {"enabled": True},
            "resize": {"enabled": True, "width": 64, "height": 48, "format": "Fit (white edges) in"},
            "static-crop": {"enabled": True, "x_min": 10, "y_min": 20, "x_max": 90, "y_max": 80},
            "contrast": {"enabled": True, "type": "Adaptive Equalization"},
            "grayscale": {"enabled": True},
        },
        "CLASS_MAP": {"0": "background", "1": "road"},
        "MULTICLASS": False,
    }


def test_a_step_that_is_not_taken_is_not_named() -> None:
    environment = write_environment(CLASS_MAP, Preprocessing(SIZE, auto_orient=False))
    assert set(environment["PREPROCESSING"]) == {"resize"}


@pytest.mark.parametrize("fit", Fit)
def test_every_fit_has_a_word(fit: Fit) -> None:
    assert RESIZE_FORMATS[fit]
