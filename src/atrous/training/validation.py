"""Scores on valid, computed on what a server would answer: at each picture's own size.

Axes: S shifts of the logits, K classes.
"""

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

    from atrous.bundle.preprocessing import Placement
    from atrous.datasets.content import Sample
    from atrous.models.architectures import SegmentationNetwork
    from atrous.training.recipe import TrainingConfig

ALONE = Ranks()
UNSHIFTED = np.zeros(1, np.float32)


@torch.inference_mode()
def validate(
    network: SegmentationNetwork,
    samples: Sequence[Sample],
    config: TrainingConfig,
    device: torch.device,
    ranks: Ranks = ALONE,
    *,
    shifts: Sequence[NDArray[np.float32]] = (UNSHIFTED,),
) -> list[float] | None:
    """Mean IoU of a network in evaluation mode by plain winner; None if every label is void throughout.

    Each rank counts a part of the samples, and all give the same.

    Args:
        shifts: what is added to the logits of each class, [K], or of all alike, [1]; one mean IoU is given for each.
    """
    class_map = config.class_map
    total_SKK = np.zeros((len(shifts), len(class_map), len(class_map)), np.int64)
    for counts_SKK in count_pictures(network, samples[ranks.index :: ranks.count], config, device, shifts=shifts):
        total_SKK += counts_SKK
    added_SKK = ranks.add(torch.from_numpy(total_SKK)).numpy()
    found = [compute_scores(total_KK, class_map).mean_iou for total_KK in added_SKK]
    mious = [miou for miou in found if miou is not None]
    return mious or None


@torch.inference_mode()
def count_pictures(
    network: SegmentationNetwork,
    samples: Sequence[Sample],
    config: TrainingConfig,
    device: torch.device,
    *,
    shifts: Sequence[NDArray[np.float32]] = (UNSHIFTED,),
) -> Generator[NDArray[np.int64]]:
    """Give confusion matrices [S, K, K] of each sample, one for each shift; rows are labels, columns are winners."""
    for label_HW, logits_Khw, placement in score_pictures(network, samples, config, device):
        masks = (decode_logits(logits_Khw + shift[:, None, None], placement).mask_HW for shift in shifts)
        yield np.stack([count_pixels(label_HW, mask_HW, class_count=len(config.class_map)) for mask_HW in masks])


@torch.inference_mode()
def score_pictures(
    network: SegmentationNetwork, samples: Sequence[Sample], config: TrainingConfig, device: torch.device
) -> Generator[tuple[NDArray[np.uint8], NDArray[np.float32], Placement]]:
    """Give label_HW of each sample, its logits_Khw on the network's grid, and where the picture lay in its input."""
    load = partial(load_sample, auto_orient=config.preprocessing.auto_orient)
    for sample, (image_HWC, label_HW) in zip(samples, map_in_threads(load, samples), strict=True):
        preprocessing = skip_steps(config.preprocessing, sample.steps_done)
        placement = place_picture(Size(height=image_HWC.shape[0], width=image_HWC.shape[1]), preprocessing)
        input_CHW = normalise(fit_image(image_HWC, preprocessing), preprocessing)
        logits_BKhw = network.score(torch.from_numpy(input_CHW[None]).to(device))
        yield label_HW, np.asarray(logits_BKhw[0].float().cpu().numpy(), np.float32), placement
