"""DeepLabv3 and DeepLabv3+ over the encoders of segmentation-models-pytorch.

Axes: B batch, K classes, H W pixels, h w cells of the decoder's grid.
Source: Chen et al. 2017, arXiv:1706.05587; Chen et al. 2018, arXiv:1802.02611.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, NamedTuple

import segmentation_models_pytorch as smp
from torch import nn
from torch.nn import functional

from atrous.core.errors import InvalidInputError
from atrous.models.auxiliary import AUXILIARY_STAGE, AuxiliaryHead
from atrous.models.batch_norm import freeze_batch_norm, guard_pooled_batch_norm
from atrous.models.group_norm import replace_batch_norm

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

ARCHITECTURES: dict[str, Callable[..., Any]] = {
    "deeplabv3plus": smp.DeepLabV3Plus,
    "deeplabv3": smp.DeepLabV3,
}


BATCH, FROZEN, GROUP = "batch", "frozen", "group"


class TwoLogits(NamedTuple):
    """What two heads say of a batch, both [B, K, H, W]."""

    logits_BKHW: Tensor
    auxiliary_BKHW: Tensor


class SegmentationNetwork(nn.Module):
    """A network that takes any input size: it pads to its stride and cuts the padding from the logits.

    The last bilinear layer of segmentation-models-pytorch is taken out, which has no weights; `forward` does its work
    with half-pixel centres, as whoever resizes the scores to a picture's size does (decision 0004).

    Args:
        network: of segmentation-models-pytorch.
        auxiliary: a second head, which speaks while training alone; its weights are none of `network`'s.
        frozen: keep the encoder's batch norm as it is.
    """

    def __init__(self, network: Any, *, auxiliary: AuxiliaryHead | None = None, frozen: bool = False) -> None:
        super().__init__()
        self.network = network
        self.auxiliary = auxiliary
        self.stride_px = int(network.encoder.output_stride)
        self.cell_px = _take_out_upsampling(network)
        self._frozen = frozen
        self.train(self.training)

    def train(self, mode: bool = True) -> SegmentationNetwork:
        """Switch to training or evaluation; frozen batch norm stays in evaluation."""
        super().train(mode)
        if self._frozen:
            freeze_batch_norm(self.network.encoder)
        return self

    def forward(self, image_BCHW: Tensor) -> Tensor | TwoLogits:
        """Give raw logits [B, K, H, W] of a normalised RGB batch, at the batch's own size.

        While training a network that has a second head, its logits come too.
        """
        features = self._encode(image_BCHW)
        logits_BKHW = self._enlarge(self._score_cells(features), image_BCHW, self.cell_px)
        if self.auxiliary is None or not self.training:
            return logits_BKHW
        scores_BKhw = self.auxiliary(features[AUXILIARY_STAGE])
        cell_px = features[0].shape[-1] // scores_BKhw.shape[-1]
        return TwoLogits(logits_BKHW, self._enlarge(scores_BKhw, image_BCHW, cell_px))

    def score(self, image_BCHW: Tensor) -> Tensor:
        """Give raw logits [B, K, h, w] on the smallest grid that covers the batch exactly.

        That is the decoder's, whose cells are `cell_px` wide, where this divides both sides; else the batch's own.
        """
        height, width = image_BCHW.shape[-2:]
        scores_BKhw = self._score_cells(self._encode(image_BCHW))
        if height % self.cell_px or width % self.cell_px:
            return self._enlarge(scores_BKhw, image_BCHW, self.cell_px)
        return scores_BKhw[..., : height // self.cell_px, : width // self.cell_px]

    def _encode(self, image_BCHW: Tensor) -> list[Tensor]:
        """Features of all stages, the first of which is the batch padded to the stride."""
        below, right = (-side % self.stride_px for side in image_BCHW.shape[-2:])
        # Zero is the mean colour after normalisation.
        padded_BCHW = functional.pad(image_BCHW, (0, right, 0, below)) if below or right else image_BCHW
        return self.network.encoder(padded_BCHW)

    def _score_cells(self, features: list[Tensor]) -> Tensor:
        return self.network.segmentation_head(self.network.decoder(features))

    @staticmethod
    def _enlarge(scores_BKhw: Tensor, image_BCHW: Tensor, cell_px: int) -> Tensor:
        """Bring scores to a batch's size, those of cells left out that lie in padding alone."""
        height, width = image_BCHW.shape[-2:]
        touched_BKhw = scores_BKhw[..., : -(-height // cell_px), : -(-width // cell_px)]
        logits_BKHW = functional.interpolate(
            touched_BKhw, scale_factor=float(cell_px), mode="bilinear", align_corners=False
        )
        return logits_BKHW[..., :height, :width]


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
        output_stride: pixels in a cell of the encoder's last stage, 8 or 16; 0 is the architecture's own.
        pyramid_rate: smallest dilation of the pyramid; the others are two and three times it.
        norm: `batch`; `frozen` for an encoder whose batch norm stays as it is; `group` for group norm everywhere.
    """

    encoder_depth: int = 5
    decoder_channels: int = 256
    dropout: float = 0.5
    output_stride: int = 0
    pyramid_rate: int = 12
    norm: str = "batch"


DEFAULT_SHAPE = Shape()


def read_shape(choices: Mapping[str, Any]) -> Shape:
    """The shape that a recipe of any release names; what it does not name is as it was before there was a choice."""
    return Shape(**{field.name: choices[field.name] for field in fields(Shape) if field.name in choices})


def build_network(
    architecture: str, encoder: str, class_count: int, shape: Shape = DEFAULT_SHAPE, *, auxiliary: bool = False
) -> SegmentationNetwork:
    """Make a network with random weights.

    Args:
        architecture: a name in `ARCHITECTURES`.
        encoder: a name of segmentation-models-pytorch, such as `mobilenet_v2`, `resnet50` or `tu-...` for timm's.
        class_count: K, background included.
        shape: its other sizes.
        auxiliary: with a second head, for training.

    Raises:
        InvalidInputError: if either name is unknown, or the encoder cannot be dilated.
    """
    if architecture not in ARCHITECTURES:
        raise InvalidInputError(f"architecture {architecture!r}: choose one of {', '.join(ARCHITECTURES)}")
    stride = {"encoder_output_stride": shape.output_stride} if shape.output_stride else {}
    try:
        network = ARCHITECTURES[architecture](
            encoder,
            encoder_weights=None,
            encoder_depth=shape.encoder_depth,
            decoder_channels=shape.decoder_channels,
            decoder_aspp_dropout=shape.dropout,
            decoder_atrous_rates=tuple(times * shape.pyramid_rate for times in (1, 2, 3)),
            classes=class_count,
            **stride,
        )
    except (KeyError, RuntimeError, TypeError, ValueError, AttributeError) as error:
        raise InvalidInputError(
            f"encoder {encoder!r}: unknown, or it cannot be dilated as {architecture} needs ({_first_line(error)}); "
            "try mobilenet_v2, resnet34, resnet50 or efficientnet-b0"
        ) from error
    head = AuxiliaryHead(network.encoder.out_channels[AUXILIARY_STAGE], class_count) if auxiliary else None
    if shape.norm == GROUP:
        for part in filter(None, (network, head)):
            replace_batch_norm(part)
    guard_pooled_batch_norm(network)
    return SegmentationNetwork(network, auxiliary=head, frozen=shape.norm == FROZEN)


def _first_line(error: BaseException) -> str:
    lines = str(error).splitlines()
    return lines[0][:120] if lines else type(error).__name__
