from __future__ import annotations

import numpy as np
import pytest

from atrous.core.class_map import ClassMap
from atrous.evaluation.recommendations import Recommendation, recommend

ROADS = ClassMap(("background", "road", "car"))
WELL = [[1000, 0, 0], [0, 1000, 0], [0, 0, 1000]]


def advise(
    at_50: list[list[int]] = WELL,
    *,
    at_90: list[list[int]] = WELL,
    shown: tuple[int, ...] = (60, 60, 60),
    test: int = 60,
) -> dict[str, Recommendation]:
    counts_KKT = np.zeros((3, 3, 101), np.int64)
    counts_KKT[:, :, 50], counts_KKT[:, :, 90] = at_50, at_90
    found = recommend(counts_KKT, np.array(shown), {"valid": 60, "test": test}, "test", percent=50, class_map=ROADS)
    return {one.type: one for one in found}


def test_a_model_without_faults_gets_no_advice() -> None:
    assert advise() == {}


def test_fewer_than_50_test_pictures_are_too_few() -> None:
    assert advise(test=50) == {}
    assert "the version has 49 labelled test pictures" in advise(test=49)["dataset_health"].message


def test_the_class_with_the_most_missed_pixels_is_named_with_its_numbers() -> None:
    found = advise([[1000, 0, 0], [700, 300, 0], [500, 0, 500]])["missed_detection"]
    assert found.classes == ("road",)
    assert found.message.startswith(
        "road: the model misses 700 of its 1,000 pixels in test (70.0%), 700 of them as back"
    )
    assert found.values == {"missedPixels": 700, "labelPixels": 1000, "asBackgroundPixels": 700}


def test_the_most_frequent_mix_up_is_named_with_its_other_way() -> None:
    found = advise([[1000, 0, 0], [0, 950, 50], [0, 20, 980]])["wrong_class"]
    assert found.classes == ("road", "car")
    assert "road is taken for car on 50 of its 1,000 pixels in test (5.0%), the other way round on 20" in found.message


def test_background_is_no_class_to_be_mixed_up() -> None:
    assert "wrong_class" not in advise([[500, 250, 250], [0, 1000, 0], [0, 0, 1000]])


def test_a_class_that_is_wrong_with_confidence_is_named() -> None:
    found = advise(at_90=[[0, 0, 60], [0, 100, 0], [0, 0, 40]])["overconfident_fp"]
    assert found.classes == ("car",)
    assert "car: of 100 pixels predicted in test with a confidence of 90 % and more, 60 are" in found.message


@pytest.mark.parametrize(("pictures", "is_rare"), [(15, False), (7, True), (0, True)])
def test_a_class_in_far_fewer_pictures_than_the_others_is_rare(pictures: int, is_rare: bool) -> None:
    assert ("class_imbalance" in advise(shown=(60, 60, pictures))) is is_rare
