from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from tests.cli.terminal import publish
from tests.fakes.pictures import STRIPES_SHAPE, encode_stripes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.terminal import Said

BACKGROUND, RED = 0, 1


@pytest.mark.parametrize(("options", "seen"), [((), RED), (("--jpeg-scale", "auto"), BACKGROUND)], ids=["full", "auto"])
def test_masks_have_the_pictures_size_at_any_scale(
    atrous: Callable[..., Said], home: Path, tmp_path: Path, options: tuple[str, ...], seen: int
) -> None:
    publish(home)
    picture = tmp_path / "a.jpg"
    picture.write_bytes(encode_stripes())
    said = atrous("infer", "road/1", picture, "--out", tmp_path / "out", "--only", "masks", *options)
    assert said.code == 0, said.err
    mask_HW = cv2.imread(str(tmp_path / "out" / "a_mask.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(mask_HW, np.full(STRIPES_SHAPE, seen))


@pytest.mark.parametrize(
    ("options", "reason"),
    [((), "--only masks"), (("--only", "masks", "--api-url", "http://127.0.0.1:9"), "leave out --api-url")],
    ids=["overlays", "server"],
)
def test_a_scale_that_cannot_be_is_refused(
    atrous: Callable[..., Said], tmp_path: Path, options: tuple[Any, ...], reason: str
) -> None:
    picture = tmp_path / "a.jpg"
    picture.write_bytes(encode_stripes())
    said = atrous("infer", "road/1", picture, "--jpeg-scale", "auto", *options)
    assert said.code == 2
    assert reason in said.error
