"""A torch network as an ONNX file that any runtime can batch."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from typing import TYPE_CHECKING

import torch
from torch import nn

from atrous.bundle.layout import ONNX_OPSET

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from atrous.core.sizes import Size
    from atrous.models.architectures import SegmentationNetwork

# Two, because torch would take a batch of one for a constant.
EXAMPLE_BATCH = 2
MAX_BATCH = 1024


class _Scores(nn.Module):
    def __init__(self, network: SegmentationNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return self.network.score(images)


def export_onnx(network: SegmentationNetwork, size: Size, path: Path) -> None:
    """Write a network in evaluation mode: input [batch, 3, H, W] of this size, output as `score` gives it."""
    example_BCHW = torch.zeros(EXAMPLE_BATCH, 3, size.height, size.width)
    batch = torch.export.Dim("batch", min=1, max=MAX_BATCH)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            _Scores(network).cpu().eval(),
            (example_BCHW,),
            input_names=["images"],
            output_names=["logits"],
            dynamic_shapes=({0: batch},),
            opset_version=ONNX_OPSET,
            dynamo=True,
            verbose=False,
        )
        if program is None:
            raise RuntimeError("the exporter gave no program")
        program.save(path)
