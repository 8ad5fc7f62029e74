"""Pictures as a JSON body declares them, `{type, value}`, and the way to the bytes of their files."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from atrous.core.errors import InvalidImageError, InvalidInputError, TooLargeError
from atrous.server.images import bad_image, read_image

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from atrous.server.url_pictures import Budget, UrlPictures

URL = "url"

IMAGE_SCHEMA = {
    "type": "object",
    "properties": {"type": {"type": "string", "enum": ["base64", URL]}, "value": {"type": "string"}},
    "required": ["type", "value"],
}


class Image(BaseModel):
    """A declared picture. The value is looked at when the picture is read, so that nothing walks through it twice."""

    type: str
    value: Any = None


def check_count(count: int, max_images: int) -> None:
    """Let 1 to `max_images` pictures pass.

    Raises:
        InvalidInputError: if there is none.
        TooLargeError: if there are more.
    """
    if count == 0:
        raise InvalidInputError("Error with model input. Cause: the array of images is empty; send at least one.")
    if count > max_images:
        raise TooLargeError(
            f"the request has {count} images; send at most {max_images} at a time, or raise max_images of the server"
        )


async def collect_pictures(urls: UrlPictures, images: Sequence[Image], *, named: bool) -> list[Callable[[], bytes]]:
    """Fetch what is declared by URL; base64 is left for a thread to decode.

    Args:
        urls: fetches by URL.
        images: as declared.
        named: whether errors tell which picture they mean.

    Returns:
        One function for each picture, which gives the bytes of its file or raises an InvalidImageError.
    """
    budget = urls.start()
    return [await _collect(urls, image, budget, place if named else None) for place, image in enumerate(images)]


@contextmanager
def name_picture(place: int | None) -> Generator[None]:
    """Tell in an error which picture of an array it means."""
    try:
        yield
    except (InvalidImageError, TooLargeError) as error:
        if place is None:
            raise
        raise type(error)(f"image {place}: {error}") from error


async def _collect(urls: UrlPictures, image: Image, budget: Budget, place: int | None) -> Callable[[], bytes]:
    if image.type.lower() != URL:
        return partial(read_image, image.type, image.value)
    with name_picture(place):
        if not isinstance(image.value, str):
            raise bad_image("a picture of type url needs the URL as its value, a text.")
        data = await urls.fetch(image.value, budget)
    return lambda: data
