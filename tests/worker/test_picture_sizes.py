"""What a bundle tells of the pictures that its network was trained on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.fakes.datasets import encode_png

from atrous.bundle.preprocessing import Preprocessing
from atrous.bundle.regions import StaticCrop, Tiles
from atrous.core.sizes import Size
from atrous.datasets.content import Sample, Stage
from atrous.datasets.splits import Split
from atrous.worker.picture_sizes import describe_pictures

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = Preprocessing(size=Size(height=64, width=64))


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """Three pictures, of which one is much larger."""
    found: list[Sample] = []
    for index, (height, width) in enumerate([(40, 60), (44, 58), (400, 600)]):
        mask_path = tmp_path / f"mask_{index}.png"
        mask_path.write_bytes(encode_png(np.zeros((height, width), np.uint8)))
        found.append(Sample(f"{index}.png", tmp_path / f"{index}.png", mask_path, Split.TRAIN))
    return found


@pytest.mark.parametrize(
    ("preprocessing", "expected"),
    [
        (PLAIN, (44, 60)),
        (replace(PLAIN, crop=StaticCrop(0, 0, 50, 100)), (44, 30)),
        (replace(PLAIN, tiles=Tiles(rows=2, columns=3)), (22, 20)),
    ],
    ids=["whole", "crop", "tiles"],
)
def test_it_is_the_median_of_what_the_network_saw(
    samples: list[Sample], preprocessing: Preprocessing, expected: tuple[int, int]
) -> None:
    told = describe_pictures(samples, preprocessing)
    assert told == {"picture_size": {"height": expected[0], "width": expected[1]}}


def test_pictures_that_are_cut_out_already_are_taken_as_they_are(samples: list[Sample]) -> None:
    cut = [replace(sample, stage=Stage.TILE) for sample in samples]
    told = describe_pictures(cut, replace(PLAIN, tiles=Tiles(rows=2, columns=3)))
    assert told == {"picture_size": {"height": 44, "width": 60}}


def test_prepared_pictures_tell_nothing(samples: list[Sample]) -> None:
    prepared = [replace(sample, stage=Stage.PREPARED) for sample in samples]
    assert describe_pictures(prepared, PLAIN) == {}
    assert describe_pictures([*prepared, samples[0]], PLAIN)["picture_size"] == {"height": 40, "width": 60}
