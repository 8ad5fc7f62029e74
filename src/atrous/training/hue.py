"""Random shifts of hue, in a tenth of the time that torchvision takes for them.

Axes: C channels, H W pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

if TYPE_CHECKING:
    from torch import Tensor
    from torchvision import tv_tensors

LEVELS = 256


class RandomHue:
    """Turns the hue of a picture by the same part of a circle everywhere; 8 bits of hue are kept.

    Args:
        most: part of the circle that it turns at most, either way, 0 to 0.5.
    """

    def __init__(self, most: float) -> None:
        self._most = most

    def __call__(self, image_CHW: tv_tensors.Image, mask_HW: tv_tensors.Mask) -> tuple[Tensor, Tensor]:
        """Give image_CHW, RGB uint8, turned, and the mask as it is."""
        turn = self._most * (2 * torch.rand(1).item() - 1)
        turned_CHW = turn_hue(image_CHW.as_subclass(torch.Tensor), turn)
        return type(image_CHW)(turned_CHW), mask_HW


def turn_hue(image_CHW: Tensor, turn: float) -> Tensor:
    """Give a picture, RGB uint8, whose hue is turned by a part of the circle; grey stays as it is."""
    rgb_HWC = np.ascontiguousarray(image_CHW.permute(1, 2, 0).numpy())
    hsv_HWC = cv2.cvtColor(rgb_HWC, cv2.COLOR_RGB2HSV_FULL)
    # Wraps around, as the circle does.
    hsv_HWC[:, :, 0] += np.uint8(round(turn * LEVELS) % LEVELS)
    turned_HWC = np.asarray(cv2.cvtColor(hsv_HWC, cv2.COLOR_HSV2RGB_FULL), np.uint8)
    return torch.from_numpy(turned_HWC).permute(2, 0, 1).contiguous()
