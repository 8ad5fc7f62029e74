"""How much memory an engine takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.core.sizes import Size

# The graph, its weights, and the weights again as the processor likes them. Measured as growth of a process: ONNX
# Runtime takes 1.6 to 3.3 times a file of 18 MB, OpenVINO 5.9 times.
WEIGHT_COPIES = 4
# Features at their widest, in units of the input. Measured with DeepLabv3+ over MobileNetV2: 17 to 23 in float32.
FEATURES = 20
INPUT_BYTES_PER_PIXEL = 12  # three channels of float32


def estimate_bytes(weights: Path, size: Size, *, networks: int, passes: int) -> int:
    """Estimate what a network takes in memory, within about a third.

    Args:
        weights: the file that it is opened from.
        size: of its input.
        networks: how many times it is opened.
        passes: how many run side by side; libraries keep the memory of each for the next.
    """
    features = FEATURES * INPUT_BYTES_PER_PIXEL * size.height * size.width
    return networks * WEIGHT_COPIES * weights.stat().st_size + passes * features
