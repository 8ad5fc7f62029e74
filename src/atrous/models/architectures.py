"""DeepLabv3 and DeepLabv3+ over the encoders of segmentation-models-pytorch.

Axes: B batch, K classes, H W pixels, h w cells of the decoder's grid.
Source: Chen et al. 2017, arXiv:1706.05587; Chen et al. 2018, arXiv:1802.02611.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import segmentation_models_pytorch as smp
from torch import nn
from torch.nn import functional

from atrous.core.errors import InvalidInputError
from atrous.models.batch_norm import guard_pooled_batch_norm

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

ARCHITECTURES: dict[str, Callable[..., Any]] = {
    "deeplabv3plus": smp.DeepLabV3Plus,
    "deeplabv3": smp.DeepLabV3,
}


class SegmentationNetwork(nn.Module):
    """A network that takes any input size: it pads to its stride and cuts the padding from the logits.

    The last bilinear layer of segmentation-models-pytorch is taken out, which has no weights; `forward` does its work
    with half-pixel centres, as whoever resizes the scores to a picture's size does (decision 0004).
    """

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network
        self.stride_px = int(network.encoder.output_stride)
        self.cell_px = _take_out_upsampling(network)

    def forward(self, image_BCHW: Tensor) -> Tensor:
        """Give raw logits [B, K, H, W] of a normalised RGB batch, at the batch's own size."""
        height, width = image_BCHW.shape[-2:]
        logits_BKHW = functional.interpolate(
            self._score_cells(image_BCHW), scale_factor=float(self.cell_px), mode="bilinear", align_corners=False
        )
        return logits_BKHW[..., :height, :width]

    def score(self, image_BCHW: Tensor) -> Tensor:
        """Give raw logits [B, K, h, w] on the smallest grid that covers the batch exactly.

        That is the decoder's, whose cells are `cell_px` wide, where this divides both sides; else the batch's own.
        """
        height, width = image_BCHW.shape[-2:]
        if height % self.cell_px or width % self.cell_px:
            return self(image_BCHW)
        return self._score_cells(image_BCHW)

    def _score_cells(self, image_BCHW: Tensor) -> Tensor:
        """Scores of the cells that the picture touches, those of padding left out."""
        height, width = image_BCHW.shape[-2:]
        below, right = -height % self.stride_px, -width % self.stride_px
        # Zero is the mean colour after normalisation.
        padded_BCHW = functional.pad(image_BCHW, (0, right, 0, below)) if below or right else image_BCHW
        scores_BKhw = self.network(padded_BCHW)
        return scores_BKhw[..., : -(-height // self.cell_px), : -(-width // self.cell_px)]


def _take_out_upsampling(network: Any) -> int:
    """Leave the head's scores as small as the decoder's; give how many times that is smaller than the input."""
    convolution, upsampling, activation = network.segmentation_head
    network.segmentation_head = nn.Sequential(convolution, nn.Identity(), activation)
    return int(getattr(upsampling, "scale_factor", 1))


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a network that are not its encoder's own; the defaults are those of segmentation-models-pytorch.

    Attributes:
        encoder_depth: stages of the encoder that are used, 4 or 5; the fifth costs most on a CPU.
        decoder_channels: width of the pyramid and of what follows it.
        dropout: share of the pyramid's values dropped in training.
    """

    encoder_depth: int = 5
    decoder_channels: int = 256
    dropout: float = 0.5


DEFAULT_SHAPE = Shape()


def build_network(
    architecture: str, encoder: str, class_count: int, shape: Shape = DEFAULT_SHAPE
) -> SegmentationNetwork:
    """Make a network with random weights.

    Args:
        architecture: a name in `ARCHITECTURES`.
        encoder: a name of segmentation-models-pytorch, such as `mobilenet_v2`, `resnet50` or `tu-...` for timm's.
        class_count: K, background included.
        shape: its other sizes.

    Raises:
        InvalidInputError: if either name is unknown, or the encoder cannot be dilated.
    """
    if architecture not in ARCHITECTURES:
        raise InvalidInputError(f"architecture {architecture!r}: choose one of {', '.join(ARCHITECTURES)}")
    try:
        network = ARCHITECTURES[architecture](
            encoder,
            encoder_weights=None,
            encoder_depth=shape.encoder_depth,
            decoder_channels=shape.decoder_channels,
            decoder_aspp_dropout=shape.dropout,
            classes=class_count,
        )
    except (KeyError, RuntimeError, TypeError, ValueError, AttributeError) as error:
        raise InvalidInputError(
            f"encoder {encoder!r}: unknown, or it cannot be dilated as {architecture} needs ({_first_line(error)}); "
            "try mobilenet_v2, resnet34, resnet50 or efficientnet-b0"
        ) from error
    guard_pooled_batch_norm(network)
    return SegmentationNetwork(network)


def _first_line(error: BaseException) -> str:
    lines = str(error).splitlines()
    return lines[0][:120] if lines else type(error).__name__
