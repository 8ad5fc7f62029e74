"""A bundle made ready to answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atrous.bundle.bundle import Bundle, open_bundle
from atrous.bundle.preprocessing import TILE_STEPS, fit_image, locate_tiles, normalise, place_picture, skip_steps
from atrous.core.errors import InvalidBundleError
from atrous.core.sizes import Size
from atrous.runtime.backends import BACKENDS, Network
from atrous.runtime.crew import ALONE, Crew
from atrous.runtime.decode import Answer, Prediction, decode_answer, decode_logits, join_answers, join_tiles
from atrous.runtime.stages import Stage, Stages

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from atrous.bundle.preprocessing import Placement, Preprocessing, Step


class Engine:
    """Predicts with one bundle. Safe to call from several threads at once.

    Args:
        bundle: what the network belongs to.
        network: the bundle's, open.
        crew: threads that help with what is not the network's.
        backend: the inference library behind the network.
        quantization: `fp32` or `int8`.
    """

    def __init__(
        self, bundle: Bundle, network: Network, crew: Crew = ALONE, *, backend: str = "onnx", quantization: str = "fp32"
    ) -> None:
        self.bundle = bundle
        self.crew = crew
        self.backend = backend
        self.quantization = quantization
        self._network = network

    def predict(self, image_HWC: NDArray[np.uint8], skipped: Collection[Step] = ()) -> Prediction:
        """Give class ids and confidence of a BGR picture, at the picture's size, before any threshold.

        Args:
            image_HWC: uint8, its orientation settled by whoever decoded it.
            skipped: steps of the bundle's preprocessing to leave out for this picture.
        """
        preprocessing = skip_steps(self.bundle.preprocessing, skipped)
        if preprocessing.tiles is None:
            return decode_logits(*self.score(image_HWC, preprocessing), self.crew)
        size, tile_steps = _size_of(image_HWC), skip_steps(preprocessing, TILE_STEPS)
        return join_tiles(
            size,
            (
                (region, decode_logits(*self.score(image_HWC[region.slices], tile_steps), self.crew))
                for region in locate_tiles(size, preprocessing)
            ),
        )

    def answer(
        self,
        image_HWC: NDArray[np.uint8],
        threshold: float,
        skipped: Collection[Step] = (),
        stages: Stages | None = None,
    ) -> Answer:
        """Give class ids and levels of confidence of a BGR picture, at the picture's size, as clients get them.

        Args:
            image_HWC: uint8, its orientation settled by whoever decoded it.
            threshold: pixels of less confidence become background of confidence 0.
            skipped: steps of the bundle's preprocessing to leave out for this picture.
            stages: told what took how long.
        """
        stages = stages or Stages()
        preprocessing = skip_steps(self.bundle.preprocessing, skipped)
        if preprocessing.tiles is None:
            return self._answer_tile(image_HWC, threshold, preprocessing, stages)
        size, tile_steps = _size_of(image_HWC), skip_steps(preprocessing, TILE_STEPS)
        return join_answers(
            size,
            (
                (region, self._answer_tile(image_HWC[region.slices], threshold, tile_steps, stages))
                for region in locate_tiles(size, preprocessing)
            ),
        )

    def score(
        self, image_HWC: NDArray[np.uint8], preprocessing: Preprocessing, stages: Stages | None = None
    ) -> tuple[NDArray[np.float32], Placement]:
        """Give raw logits_Khw for a BGR picture, and where it lies in what they cover.

        Args:
            image_HWC: uint8, its orientation settled by whoever decoded it.
            preprocessing: the bundle's, or a part of it; its tiles are passed over.
            stages: told what took how long.

        Raises:
            InvalidBundleError: if the network knows other classes than the bundle.
        """
        stages = stages or Stages()
        with stages.time(Stage.PREPARE):
            placement = place_picture(_size_of(image_HWC), preprocessing)
            input_CHW = normalise(fit_image(image_HWC, preprocessing), preprocessing)
        with stages.time(Stage.PASS):
            logits_BKhw = self._network(input_CHW[None])
        if logits_BKhw.ndim != 4 or logits_BKhw.shape[1] != len(self.bundle.class_map):
            raise InvalidBundleError(
                f"{self.bundle.weights_onnx.name}: answers {list(logits_BKhw.shape)}, but class_names.txt has "
                f"{len(self.bundle.class_map)} classes; export the model again"
            )
        return logits_BKhw[0], placement

    def _answer_tile(
        self, image_HWC: NDArray[np.uint8], threshold: float, preprocessing: Preprocessing, stages: Stages
    ) -> Answer:
        logits_Khw, placement = self.score(image_HWC, preprocessing, stages)
        with stages.time(Stage.PIXELS):
            return decode_answer(logits_Khw, placement, threshold, self.crew)


def load_engine(folder: Path, *, threads: int = 0, crew: Crew = ALONE) -> Engine:
    """Verify a bundle and load its network.

    Args:
        folder: the bundle.
        threads: threads of one pass; 0 takes every core.
        crew: threads that help with what is not the network's.

    Raises:
        InvalidBundleError: naming the file that is missing, altered or unusable.
    """
    bundle = open_bundle(folder)
    return Engine(bundle, BACKENDS["onnx"](bundle.weights_onnx, threads), crew)


def _size_of(image_HWC: NDArray[np.uint8]) -> Size:
    return Size(height=image_HWC.shape[0], width=image_HWC.shape[1])
