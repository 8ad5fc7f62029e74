"""The exported network against the one it came from, on real pictures."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from atrous.core.errors import InvalidBundleError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from atrous.models.architectures import SegmentationNetwork
    from atrous.runtime.backends import Network

# Float32 sums in another order differ by about 1e-5; a wrong export differs by whole logits.
MAX_LOGIT_DIFFERENCE = 0.05
MIN_SAME_CLASS_SHARE = 0.999


@dataclass(frozen=True, slots=True)
class Parity:
    """How far two networks differ.

    Attributes:
        pictures: number of pictures compared.
        max_logit_difference: largest absolute difference.
        mean_logit_difference: mean absolute difference.
        same_class_share: share of the logits' cells with the same winner, 0 to 1.
    """

    pictures: int
    max_logit_difference: float
    mean_logit_difference: float
    same_class_share: float

    def as_json(self) -> dict[str, Any]:
        """Every figure by name."""
        return asdict(self)


@torch.inference_mode()
def compare_networks(
    network: SegmentationNetwork, exported: Network, inputs_CHW: Sequence[NDArray[np.float32]]
) -> Parity:
    """Run both on each input.

    Raises:
        InvalidBundleError: if they disagree by more than rounding, or either answers with something not finite.
    """
    largest, means, same = 0.0, list[float](), list[float]()
    for input_CHW in inputs_CHW:
        ours_Khw = network.score(torch.from_numpy(input_CHW[None]))[0].numpy()
        theirs_Khw = exported(input_CHW[None])[0]
        difference_Khw = np.abs(ours_Khw - theirs_Khw)
        largest = float(np.maximum(largest, difference_Khw.max()))  # keeps a NaN, which Python's max may drop
        means.append(float(difference_Khw.mean()))
        same.append(float((ours_Khw.argmax(0) == theirs_Khw.argmax(0)).mean()))
    parity = Parity(len(inputs_CHW), largest, float(np.mean(means)), float(np.mean(same)))
    # A NaN compares as False, so it fails here too.
    if not (parity.max_logit_difference <= MAX_LOGIT_DIFFERENCE and parity.same_class_share >= MIN_SAME_CLASS_SHARE):
        raise InvalidBundleError(
            f"weights.onnx: differs from the trained network by {parity.max_logit_difference:.3g} in a logit, with "
            f"{parity.same_class_share:.2%} of pixels alike, so the model was not published; train again, and report "
            "this if it comes back"
        )
    return parity
