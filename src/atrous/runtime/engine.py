"""A bundle made ready to answer."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from atrous.bundle.preprocessing import (
    TILE_STEPS,
    Step,
    fit_image,
    locate_crop,
    locate_tiles,
    normalise,
    place_picture,
    skip_steps,
)
from atrous.core.errors import InvalidBundleError
from atrous.core.sizes import Size
from atrous.runtime.crew import ALONE, Crew
from atrous.runtime.decode import (
    Answer,
    Prediction,
    decode_answer,
    decode_logits,
    decode_mosaic,
    decode_mosaic_answer,
    join_answers,
    join_tiles,
)
from atrous.runtime.mosaic import Mosaic
from atrous.runtime.pixels import resize_grid
from atrous.runtime.stages import Stage, Stages
from atrous.runtime.tiled_picture import TiledPicture, keep_normalising
from atrous.runtime.tiling import choose_tile, lay_tiles

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from numpy.typing import NDArray

    from atrous.bundle.bundle import Bundle
    from atrous.bundle.preprocessing import Placement, Preprocessing
    from atrous.runtime.backends import Network
    from atrous.runtime.tiling import Tiling


class Engine:
    """Predicts with one bundle. Safe to call from several threads at once.

    Args:
        bundle: what the network belongs to.
        network: the bundle's, open.
        crew: threads that help with what is not the network's.
        backend: the inference library behind the network.
        quantization: `fp32` or `int8`.
        memory_bytes: what the engine is estimated to hold.
    """

    def __init__(
        self,
        bundle: Bundle,
        network: Network,
        crew: Crew = ALONE,
        *,
        backend: str = "onnx",
        quantization: str = "fp32",
        memory_bytes: int = 0,
    ) -> None:
        self.bundle = bundle
        self.crew = crew
        self.backend = backend
        self.quantization = quantization
        self.memory_bytes = memory_bytes
        self._network = network

    def see_through(self, wrap: Callable[[Network], Network]) -> Engine:
        """The same engine with its network seen through another one, such as those of `tempering.py`."""
        return Engine(
            self.bundle,
            wrap(self._network),
            self.crew,
            backend=self.backend,
            quantization=self.quantization,
            memory_bytes=self.memory_bytes,
        )

    def predict(
        self, image_HWC: NDArray[np.uint8], skipped: Collection[Step] = (), tiling: Tiling | None = None
    ) -> Prediction:
        """Give class ids and confidence of a BGR picture, at the picture's size, before any threshold.

        Args:
            image_HWC: uint8, its orientation settled by whoever decoded it.
            skipped: steps of the bundle's preprocessing to leave out for this picture.
            tiling: how to see a large picture; None sees it as the bundle says, most often whole.

        Raises:
            TooLargeError: if the picture has too many tiles.
        """
        preprocessing = self._choose_steps(skipped, tiling)
        mosaic = self._lay_mosaic(image_HWC, preprocessing, tiling, Stages()) if tiling else None
        if mosaic is not None:
            return decode_mosaic(mosaic, self.crew)
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
        *,
        tiling: Tiling | None = None,
        before_tile: Callable[[], None] | None = None,
        picture: Size | None = None,
    ) -> Answer:
        """Give class ids and levels of confidence of a BGR picture, at the picture's size, as clients get them.

        Args:
            image_HWC: uint8, its orientation settled by whoever decoded it.
            threshold: pixels of less confidence become background of confidence 0.
            skipped: steps of the bundle's preprocessing to leave out for this picture.
            stages: told what took how long.
            tiling: how to see a large picture; None sees it as the bundle says, most often whole.
            before_tile: called before each tile of `tiling`; may raise to stop.
            picture: the picture's own size, where `image_HWC` is a fraction of it as `find_divisor` allows; not with
                `tiling`.

        Raises:
            TooLargeError: if the picture has too many tiles.
        """
        stages = stages or Stages()
        preprocessing = self._choose_steps(skipped, tiling)
        mosaic = self._lay_mosaic(image_HWC, preprocessing, tiling, stages, before_tile) if tiling else None
        if mosaic is not None:
            return decode_mosaic_answer(mosaic, threshold, self.crew)
        if preprocessing.tiles is None:
            return self._answer_tile(image_HWC, threshold, preprocessing, stages, picture)
        size, tile_steps = _size_of(image_HWC), skip_steps(preprocessing, TILE_STEPS)
        return join_answers(
            size,
            (
                (region, self._answer_tile(image_HWC[region.slices], threshold, tile_steps, stages))
                for region in locate_tiles(size, preprocessing)
            ),
        )

    def score(
        self,
        image_HWC: NDArray[np.uint8],
        preprocessing: Preprocessing,
        stages: Stages | None = None,
        picture: Size | None = None,
    ) -> tuple[NDArray[np.float32], Placement]:
        """Give raw logits_Khw for a BGR picture, and where it lies in what they cover.

        Args:
            image_HWC: uint8, its orientation settled by whoever decoded it.
            preprocessing: the bundle's, or a part of it; its tiles are passed over.
            stages: told what took how long.
            picture: the picture's own size, where `image_HWC` is a fraction of it as `find_divisor` allows.

        Raises:
            InvalidBundleError: if the network knows other classes than the bundle.
        """
        stages = stages or Stages()
        with stages.time(Stage.PREPARE):
            placement = place_picture(picture or _size_of(image_HWC), preprocessing)
            input_CHW = normalise(fit_image(image_HWC, preprocessing, picture), preprocessing)
        with stages.time(Stage.PASS):
            logits_Khw = self.score_input(input_CHW)
        return logits_Khw, placement

    def score_input(self, input_CHW: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give raw logits_Khw for an input of the network's size, normalised.

        Raises:
            InvalidBundleError: if the network knows other classes than the bundle.
        """
        logits_BKhw = self._network(input_CHW[None])
        if logits_BKhw.ndim != 4 or logits_BKhw.shape[1] != len(self.bundle.class_map):
            raise InvalidBundleError(
                f"{self.bundle.weights_onnx.name}: answers {list(logits_BKhw.shape)}, but class_names.txt has "
                f"{len(self.bundle.class_map)} classes; export the model again"
            )
        return logits_BKhw[0]

    def _choose_steps(self, skipped: Collection[Step], tiling: Tiling | None) -> Preprocessing:
        # Tiles of a size that a caller names replace the bundle's own.
        replaced = {Step.TILE} if tiling is not None and tiling.side_px is not None else set[Step]()
        return skip_steps(self.bundle.preprocessing, replaced.union(skipped))

    @cached_property
    def grid(self) -> Size:
        """How many cells the network's logits have, as a blank picture tells."""
        canvas = self.bundle.preprocessing.size
        blank_HWC = np.zeros((canvas.height, canvas.width, 3), np.uint8)
        logits_Khw, _ = self.score(blank_HWC, keep_normalising(self.bundle.preprocessing))
        return Size(height=logits_Khw.shape[1], width=logits_Khw.shape[2])

    def _lay_mosaic(
        self,
        image_HWC: NDArray[np.uint8],
        preprocessing: Preprocessing,
        tiling: Tiling,
        stages: Stages,
        before_tile: Callable[[], None] | None = None,
    ) -> Mosaic | None:
        """Lay tiles over a picture; None if it is to be seen as the bundle says."""
        if preprocessing.tiles is not None and tiling.side_px is None:
            return None
        size = _size_of(image_HWC)
        area = locate_crop(size, preprocessing)
        tile = choose_tile(area.size, preprocessing, tiling, self.bundle.manifest.picture_size)
        if tile is None:
            return None
        layout = lay_tiles(area.size, tile, preprocessing.size, self.grid, tiling.overlap)
        with stages.time(Stage.PREPARE):
            picture = TiledPicture(image_HWC[area.slices], layout, preprocessing)
        steps = keep_normalising(preprocessing)

        def score_tile(row: int, column: int) -> NDArray[np.float32]:
            if before_tile is not None:
                before_tile()
            with stages.time(Stage.PREPARE):
                tile_HWC = picture.cut(row, column)
            logits_Khw, _ = self.score(tile_HWC, steps, stages)
            return resize_grid(logits_Khw, layout.rows.tile_cells, layout.columns.tile_cells)

        return Mosaic(size, area, layout, score_tile, stages)

    def _answer_tile(
        self,
        image_HWC: NDArray[np.uint8],
        threshold: float,
        preprocessing: Preprocessing,
        stages: Stages,
        picture: Size | None = None,
    ) -> Answer:
        logits_Khw, placement = self.score(image_HWC, preprocessing, stages, picture)
        with stages.time(Stage.PIXELS):
            return decode_answer(logits_Khw, placement, threshold, self.crew)


def _size_of(image_HWC: NDArray[np.uint8]) -> Size:
    return Size(height=image_HWC.shape[0], width=image_HWC.shape[1])
