"""Which pictures an epoch takes, where those of rare classes are to be seen more often.

Axes: P pictures, K classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def weigh_pictures(pixels_PK: NDArray[np.int64], rare_below: float) -> NDArray[np.float64]:
    """How often each picture [P] is drawn against one that shows nothing rare, at least 1.

    A picture counts as its rarest class does, and a class as the root of how often it is short of `rare_below`.
    Source: Gupta et al. 2019, arXiv:1908.03195, section 5 (repeat factor sampling).

    Args:
        pixels_PK: pixels of each class in each picture, void left out.
        rare_below: share of the pictures below which a class that they show is rare, 0 to 1.
    """
    is_shown_PK = pixels_PK > 0
    share_K = is_shown_PK.mean(axis=0)
    factor_K = np.sqrt(rare_below / np.where(share_K > 0, share_K, 1.0))
    return np.maximum(1.0, np.where(is_shown_PK, factor_K, 0.0).max(axis=1))


def draw_pictures(weights_P: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.intp]:
    """As many pictures as there are, in random order, each about as often as it weighs.

    One that weighs w times the mean comes w times, rounded up or down by chance, so that no epoch misses more than
    its weight says.
    """
    count = len(weights_P)
    shuffled_P = rng.permutation(count)
    ends_P = np.cumsum(weights_P[shuffled_P]) * (count / weights_P.sum())
    places_P = np.minimum(np.searchsorted(ends_P, rng.random() + np.arange(count), side="right"), count - 1)
    return rng.permutation(shuffled_P[places_P])
