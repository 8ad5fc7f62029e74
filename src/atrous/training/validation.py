"""Scores on valid, computed on what a server would answer: at each picture's own size."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from atrous.bundle.preprocessing import fit_image, normalise, place_picture, skip_steps
from atrous.core.sizes import Size
from atrous.datasets.content import load_sample
from atrous.datasets.parallel import map_in_threads
from atrous.evaluation.confusion import count_pixels
from atrous.evaluation.scores import compute_scores
from atrous.runtime.decode import decode_logits
from atrous.training.ranks import Ranks

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from numpy.typing import NDArray

    from atrous.datasets.content import Sample
    from atrous.models.architectures import SegmentationNetwork
    from atrous.training.recipe import TrainingConfig

ALONE = Ranks()


@torch.inference_mode()
def validate(
    network: SegmentationNetwork,
    samples: Sequence[Sample],
    config: TrainingConfig,
    device: torch.device,
    ranks: Ranks = ALONE,
) -> float | None:
    """Mean IoU of a network in evaluation mode by plain winner; None if every label is void throughout.

    Each rank counts a part of the samples, and all give the same.
    """
    class_map = config.class_map
    total_KK = np.zeros((len(class_map), len(class_map)), np.int64)
    for counts_KK in count_pictures(network, samples[ranks.index :: ranks.count], config, device):
        total_KK += counts_KK
    return compute_scores(ranks.add(torch.from_numpy(total_KK)).numpy(), class_map).mean_iou


@torch.inference_mode()
def count_pictures(
    network: SegmentationNetwork, samples: Sequence[Sample], config: TrainingConfig, device: torch.device
) -> Generator[NDArray[np.int64]]:
    """Give the confusion matrix [K, K] of each sample; rows are labels, columns are winners."""
    load = partial(load_sample, auto_orient=config.preprocessing.auto_orient)
    for sample, (image_HWC, label_HW) in zip(samples, map_in_threads(load, samples), strict=True):
        preprocessing = skip_steps(config.preprocessing, sample.steps_done)
        placement = place_picture(Size(height=image_HWC.shape[0], width=image_HWC.shape[1]), preprocessing)
        input_CHW = normalise(fit_image(image_HWC, preprocessing), preprocessing)
        logits_BKhw = network.score(torch.from_numpy(input_CHW[None]).to(device))
        logits_Khw = np.asarray(logits_BKhw[0].float().cpu().numpy(), np.float32)
        mask_HW = decode_logits(logits_Khw, placement).mask_HW
        yield count_pixels(label_HW, mask_HW, class_count=len(config.class_map))
