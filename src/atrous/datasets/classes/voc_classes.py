"""The classes and colours of PASCAL VOC, for datasets that use them without a list."""

from __future__ import annotations

_NAMES = (
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
VOC_CLASSES: dict[int, str] = dict(enumerate(_NAMES))
# The boundary around objects; it is void.
VOC_BOUNDARY = 255


def voc_colour(value: int) -> int:
    """0xRRGGBB of a pixel value: its bits by turns in red, green and blue, from the highest bit down.

    Source: the VOC2012 development kit, VOClabelcolormap.m.
    """
    channels = [0, 0, 0]
    for bit in range(8):
        for channel in range(3):
            channels[channel] |= (value >> (3 * bit + channel) & 1) << (7 - bit)
    red, green, blue = channels
    return red << 16 | green << 8 | blue
