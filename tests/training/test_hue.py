from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs torch; pip install 'atrous[train]'")

from torchvision.transforms.v2 import functional  # noqa: E402

from atrous.training.hue import turn_hue  # noqa: E402

# Hue, saturation and value are rounded to 8 bits on the way.
LEVELS_OFF, LEVELS_OFF_MEAN = 10, 1.5


def draw_picture():
    return torch.randint(0, 256, (3, 40, 56), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("eighths", [-4, -1, 0, 1, 3])
def test_hue_turns_as_torchvision_turns_it(eighths: int) -> None:
    turn = eighths / 8
    difference = (turn_hue(draw_picture(), turn).int() - functional.adjust_hue(draw_picture(), turn).int()).abs()
    assert difference.max() <= LEVELS_OFF
    assert difference.float().mean() < LEVELS_OFF_MEAN


def test_grey_has_no_hue_to_turn() -> None:
    grey_CHW = draw_picture()[:1].expand(3, -1, -1)
    assert torch.equal(turn_hue(grey_CHW, 0.3), grey_CHW)
