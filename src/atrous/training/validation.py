"""Scores on valid, computed on what a server would answer: at each picture's own size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from atrous.bundle.preprocessing import fit_image, normalise, place_picture, skip_steps
from atrous.core.sizes import Size
from atrous.datasets.content import load_sample
from atrous.evaluation.confusion import count_pixels
from atrous.evaluation.scores import compute_scores
from atrous.runtime.decode import decode_logits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atrous.datasets.content import Sample
    from atrous.models.architectures import SegmentationNetwork
    from atrous.training.recipe import TrainingConfig


@torch.inference_mode()
def validate(
    network: SegmentationNetwork, samples: Sequence[Sample], config: TrainingConfig, device: torch.device
) -> float | None:
    """Mean IoU of a network in evaluation mode by plain winner; None if every label is void throughout."""
    class_map = config.class_map
    counts_KK = np.zeros((len(class_map), len(class_map)), np.int64)
    for sample in samples:
        image_HWC, label_HW = load_sample(sample, auto_orient=config.preprocessing.auto_orient)
        preprocessing = skip_steps(config.preprocessing, sample.steps_done)
        placement = place_picture(Size(height=image_HWC.shape[0], width=image_HWC.shape[1]), preprocessing)
        input_CHW = normalise(fit_image(image_HWC, preprocessing), preprocessing)
        logits_BKhw = network.score(torch.from_numpy(input_CHW[None]).to(device))
        logits_Khw = np.asarray(logits_BKhw[0].float().cpu().numpy(), np.float32)
        mask_HW = decode_logits(logits_Khw, placement).mask_HW
        counts_KK += count_pixels(label_HW, mask_HW, class_count=len(class_map))
    return compute_scores(counts_KK, class_map).mean_iou
