"""Who sees the pictures: the model in this process, or a server."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

import cv2

from atrous.bundle.picture import decode_picture
from atrous.bundle.reduction import JpegScale, decode_for
from atrous.cli.home import open_ports
from atrous.cli.remote import RemoteModel
from atrous.core.cores import count_cores
from atrous.core.errors import InvalidInputError, TooLargeError
from atrous.datasets.parallel import map_in_threads
from atrous.runtime.crew import Crew
from atrous.runtime.loading import QUICKEST, EngineOptions, load_engine
from atrous.runtime.smoothing import SteadyEngine
from atrous.workspace.models import find_model

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from atrous.bundle.picture import Picture
    from atrous.cli.video_source import Frame
    from atrous.core.class_map import ClassMap
    from atrous.runtime.engine import Engine
    from atrous.runtime.tiling import Tiling

# Each holds two decoded pictures at most; more would cost memory and gain nothing while the network is waited for.
DECODERS = 2
# A server shares its cores between so many without making anybody wait long.
IN_FLIGHT = 4

Place = TypeVar("Place")


@dataclass(frozen=True, slots=True)
class Seen:
    """A picture as BGR `image_HWC`, turned as the model saw it, its `mask_HW` after the threshold, and the classes."""

    image_HWC: NDArray[np.uint8]
    mask_HW: NDArray[np.uint8]
    class_map: ClassMap


# A bad picture is an answer too: the others go on.
PictureResult: TypeAlias = "tuple[Path, Seen | InvalidInputError]"


class Predictor(Protocol):
    """Gives masks in the order of what it is given, working a few items ahead."""

    def predict_pictures(self, paths: Iterable[Path]) -> Generator[PictureResult]:
        """Read and predict picture files."""
        ...

    def predict_frames(self, frames: Iterable[Frame]) -> Generator[tuple[Frame, Seen]]:
        """Predict the frames of one video."""
        ...


class LocalPredictor:
    """Predicts in this process.

    Args:
        engine: the model.
        threshold: pixels of less confidence become background.
        smooth: share of the frames before in the probabilities of a frame; 0 takes each alone.
        jpeg_scale: at which scale JPEGs are decoded; in full where pictures are drawn on, or cut into tiles.
        tiling: how large pictures are seen; not with `smooth`.
    """

    def __init__(
        self,
        engine: Engine,
        threshold: float,
        smooth: float,
        jpeg_scale: JpegScale = JpegScale.FULL,
        *,
        tiling: Tiling | None = None,
    ) -> None:
        self._engine = engine
        self._threshold = threshold
        self._smooth = smooth
        self._jpeg_scale = jpeg_scale
        self._tiling = tiling

    def predict_pictures(self, paths: Iterable[Path]) -> Generator[PictureResult]:
        """Read and predict picture files."""
        return self.predict_from(paths, _read_bytes)

    def predict_from(
        self, places: Iterable[Place], read: Callable[[Place], bytes]
    ) -> Generator[tuple[Place, Seen | InvalidInputError]]:
        """Predict pictures wherever they lie.

        Args:
            places: of the pictures.
            read: gives the bytes at a place; called from several threads.
        """
        for place, picture in map_in_threads(partial(self._decode, read), places, DECODERS):
            yield place, picture if isinstance(picture, InvalidInputError) else self._see(picture)

    def predict_frames(self, frames: Iterable[Frame]) -> Generator[tuple[Frame, Seen]]:
        """Predict the frames of one video."""
        steady = SteadyEngine(self._engine, self._smooth) if self._smooth else None
        for frame in frames:
            if steady is not None:
                answer = steady.answer(frame.image_HWC, self._threshold)
            else:
                answer = self._engine.answer(frame.image_HWC, self._threshold, tiling=self._tiling)
            yield frame, Seen(frame.image_HWC, answer.mask_HW, self._engine.bundle.class_map)

    def _see(self, picture: Picture) -> Seen | TooLargeError:
        try:
            answer = self._engine.answer(picture.image_HWC, self._threshold, picture=picture.size, tiling=self._tiling)
        except TooLargeError as error:
            return error
        return Seen(picture.image_HWC, answer.mask_HW, self._engine.bundle.class_map)

    def _decode(self, read: Callable[[Place], bytes], place: Place) -> tuple[Place, Picture | InvalidInputError]:
        try:
            return place, decode_for(read(place), self._engine.bundle.preprocessing, self._jpeg_scale)
        except InvalidInputError as error:
            return place, error


class RemotePredictor:
    """Has a server predict, several pictures at a time."""

    def __init__(self, model: RemoteModel) -> None:
        self._model = model

    def predict_pictures(self, paths: Iterable[Path]) -> Generator[PictureResult]:
        """Read and send picture files."""
        return map_in_threads(self._ask, paths, IN_FLIGHT)

    def predict_frames(self, frames: Iterable[Frame]) -> Generator[tuple[Frame, Seen]]:
        """Send the frames of one video, as JPEG."""
        return map_in_threads(self._ask_frame, frames, IN_FLIGHT)

    def _ask(self, path: Path) -> PictureResult:
        try:
            data = _read_bytes(path)
            mask_HW, class_map = self._model.predict(data)
            image_HWC = decode_picture(data)
            if image_HWC.shape[:2] != mask_HW.shape:
                # The answer does not tell whether the model turns pictures; its mask's shape does.
                image_HWC = decode_picture(data, auto_orient=False)
            return path, _pair(image_HWC, mask_HW, class_map)
        except InvalidInputError as error:
            return path, error

    def _ask_frame(self, frame: Frame) -> tuple[Frame, Seen]:
        _, jpeg = cv2.imencode(".jpg", frame.image_HWC)
        return frame, _pair(frame.image_HWC, *self._model.predict(jpeg.tobytes()))


def predict_here(
    model_id: str,
    workspace: str | None,
    threshold: float,
    smooth: float,
    jpeg_scale: JpegScale = JpegScale.FULL,
    *,
    tiling: Tiling | None = None,
    options: EngineOptions = QUICKEST,
) -> Predictor:
    """Open a model of this home."""
    ports, slug = open_ports(workspace)
    model = find_model(ports, slug, model_id)
    crew = Crew(count_cores() - 1)
    engine = load_engine(ports.bundles.locate(model.workspace, model.slug), options, crew)
    return LocalPredictor(engine, threshold, smooth, jpeg_scale, tiling=tiling)


def _pair(image_HWC: NDArray[np.uint8], mask_HW: NDArray[np.uint8], class_map: ClassMap) -> Seen:
    if image_HWC.shape[:2] != mask_HW.shape:
        raise InvalidInputError("the server's mask has another size than the picture")
    return Seen(image_HWC, mask_HW, class_map)


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInputError(f"cannot be read ({error.strerror})") from error
