"""The three sizes that people choose between, and what an encoder takes; benchmarks/encoders.py measures speed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EncoderSize:
    """An encoder with a name of one letter.

    Attributes:
        encoder: its name in segmentation-models-pytorch.
        name: in full, as people ask for it.
    """

    encoder: str
    name: str


SIZES = {
    "s": EncoderSize("mobilenet_v2", "small"),
    "m": EncoderSize("resnet34", "medium"),
    "l": EncoderSize("resnet101", "large"),
}

# Activations that DeepLabv3+ at stride 16 keeps for the way back, in float32, for each pixel of its input: what
# autograd saved of two pictures of 256x256. Those at the end, which grow with the classes, are counted apart.
ACTIVATION_BYTES_PER_PIXEL = {
    "mobilenet_v2": 2300,
    "resnet18": 900,
    "resnet34": 1130,
    "resnet50": 2420,
    "resnet101": 3240,
    "efficientnet-b0": 2600,
    "efficientnet-b3": 4820,
    "efficientnet-b4": 6390,
}
FINE_STRIDE = 8
# How many times more they are at that stride, at most.
FINE_GROWTH = 2.3
# For encoders that nobody counted: rather too much than too little.
MOST_ACTIVATION_BYTES_PER_PIXEL = max(ACTIVATION_BYTES_PER_PIXEL.values())
# Logits at the input's size, their gradient and the logarithm of the softmax, float32.
BYTES_PER_PIXEL_AND_CLASS = 3 * 4


def estimate_picture_bytes(encoder: str, pixels: int, classes: int, *, stride: int) -> int:
    """Memory that one picture of a batch takes while a network is trained in float32.

    Args:
        encoder: its name; one that was not counted takes the most.
        pixels: of the network's input.
        classes: background included.
        stride: of the encoder, 8 or 16.
    """
    activations = ACTIVATION_BYTES_PER_PIXEL.get(encoder, MOST_ACTIVATION_BYTES_PER_PIXEL)
    growth = FINE_GROWTH if stride == FINE_STRIDE else 1.0
    return round(pixels * (growth * activations + BYTES_PER_PIXEL_AND_CLASS * classes))
