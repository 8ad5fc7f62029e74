"""A bundle made ready to answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atrous.bundle.bundle import Bundle, open_bundle
from atrous.bundle.preprocessing import TILE_STEPS, fit_image, locate_tiles, normalise, place_picture, skip_steps
from atrous.core.errors import InvalidBundleError
from atrous.core.sizes import Size
from atrous.runtime.backends import BACKENDS, Network
from atrous.runtime.decode import Prediction, decode_logits, join_tiles

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from atrous.bundle.preprocessing import Preprocessing, Step


class Engine:
    """Predicts with one bundle. Safe to call from several threads at once."""

    backend = "onnx"
    quantization = "fp32"

    def __init__(self, bundle: Bundle, network: Network) -> None:
        self.bundle = bundle
        self._network = network

    def predict(self, image_HWC: NDArray[np.uint8], skipped: Collection[Step] = ()) -> Prediction:
        """Give class ids and confidence of a BGR picture, at the picture's size, before any threshold.

        Args:
            image_HWC: uint8, its orientation settled by whoever decoded it.
            skipped: steps of the bundle's preprocessing to leave out for this picture.
        """
        preprocessing = skip_steps(self.bundle.preprocessing, skipped)
        if preprocessing.tiles is None:
            return self._predict_tile(image_HWC, preprocessing)
        size = Size(height=image_HWC.shape[0], width=image_HWC.shape[1])
        tile_steps = skip_steps(preprocessing, TILE_STEPS)
        return join_tiles(
            size,
            (
                (region, self._predict_tile(image_HWC[region.slices], tile_steps))
                for region in locate_tiles(size, preprocessing)
            ),
        )

    def _predict_tile(self, image_HWC: NDArray[np.uint8], preprocessing: Preprocessing) -> Prediction:
        placement = place_picture(Size(height=image_HWC.shape[0], width=image_HWC.shape[1]), preprocessing)
        input_CHW = normalise(fit_image(image_HWC, preprocessing), preprocessing)
        logits_BKhw = self._network(input_CHW[None])
        if logits_BKhw.ndim != 4 or logits_BKhw.shape[1] != len(self.bundle.class_map):
            raise InvalidBundleError(
                f"{self.bundle.weights_onnx.name}: answers {list(logits_BKhw.shape)}, but class_names.txt has "
                f"{len(self.bundle.class_map)} classes; export the model again"
            )
        return decode_logits(logits_BKhw[0], placement)


def load_engine(folder: Path, *, threads: int = 0) -> Engine:
    """Verify a bundle and load its network.

    Args:
        folder: the bundle.
        threads: threads of one pass; 0 takes every core.

    Raises:
        InvalidBundleError: naming the file that is missing, altered or unusable.
    """
    bundle = open_bundle(folder)
    return Engine(bundle, BACKENDS[Engine.backend](bundle.weights_onnx, threads))
