"""A second head, which teaches the encoder while training and is no part of the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

# The last but one: its gradients reach the encoder past the pyramid.
AUXILIARY_STAGE = -2
SHARE_OF_CHANNELS = 4
MIN_CHANNELS = 8
DROPOUT = 0.1


class AuxiliaryHead(nn.Module):
    """A small convolutional head on one stage of the encoder.

    Source: Zhao et al. 2017, arXiv:1612.01105, section 3.3.
    """

    def __init__(self, channels: int, class_count: int) -> None:
        super().__init__()
        width = max(MIN_CHANNELS, channels // SHARE_OF_CHANNELS)
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Dropout(DROPOUT),
            nn.Conv2d(width, class_count, 1),
        )

    def forward(self, features_BChw: Tensor) -> Tensor:
        """Give raw logits [B, K, h, w] of one stage's features."""
        return self.layers(features_BChw)
