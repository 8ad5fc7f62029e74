"""A model behind an HTTP server, ours or a stock one."""

from __future__ import annotations

import base64
import binascii

import cv2
import httpx
import numpy as np
from numpy.typing import NDArray

from atrous.core.class_map import ClassMap
from atrous.core.errors import AtrousError, InvalidInputError, NotFoundError, UnauthorizedError, UnavailableError

TIMEOUT_S = 120
ERRORS: dict[int, type[AtrousError]] = {401: UnauthorizedError, 403: UnauthorizedError, 404: NotFoundError}
OK, BAD_REQUEST, SERVER_ERROR = 200, 400, 500


class RemoteModel:
    """Predicts by `POST /{project}/{version}`."""

    def __init__(self, api_url: str, model_id: str, api_key: str | None, threshold: float) -> None:
        self._url = f"{api_url.rstrip('/')}/{model_id}"
        try:
            httpx.URL(self._url)
        except httpx.InvalidURL as error:
            raise InvalidInputError(f"{api_url}: is no address ({error}); write http://HOST:PORT") from error
        if api_key and not api_key.isascii():
            raise InvalidInputError("the API key has letters that no key has; copy it again")
        # Of 1 and above, such a server takes the number for a percentage.
        self._params = {"confidence": str(min(threshold, 0.9999))}
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._client = httpx.Client(timeout=TIMEOUT_S, headers=headers | {"Content-Type": "text/plain"})

    def predict(self, data: bytes) -> tuple[NDArray[np.uint8], ClassMap]:
        """Send a picture's bytes; give its label mask and the classes.

        Raises:
            InvalidInputError: if the server refuses the picture.
            UnauthorizedError: if it refuses the key.
            NotFoundError: if it has no such model.
            UnavailableError: if it cannot be reached, or answers with something else.
        """
        try:
            reply = self._client.post(self._url, params=self._params, content=base64.b64encode(data))
        except httpx.HTTPError as error:
            raise UnavailableError(f"{self._url}: no answer ({error}); check the address and that it runs") from error
        if reply.status_code != OK:
            raise describe_refusal(reply)
        try:
            predictions = reply.json()["predictions"]
            class_map = ClassMap(tuple(predictions["class_map"].values()))
            png = base64.b64decode(predictions["segmentation_mask"])
        except (ValueError, KeyError, TypeError, AttributeError, binascii.Error, InvalidInputError) as error:
            raise UnavailableError(
                f"{self._url}: the answer is no segmentation; is this a segmentation model?"
            ) from error
        mask_HW = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
        if mask_HW is None or mask_HW.ndim != 2:
            raise UnavailableError(f"{self._url}: the mask in the answer is no grey PNG; is this a segmentation model?")
        return mask_HW.astype(np.uint8), class_map


def describe_refusal(reply: httpx.Response) -> AtrousError:
    """The error that a server's refusal means here."""
    try:
        message = str(reply.json()["message"])
    except (ValueError, KeyError, TypeError):
        message = reply.text[:200] or reply.reason_phrase
    fallback = InvalidInputError if BAD_REQUEST <= reply.status_code < SERVER_ERROR else UnavailableError
    return ERRORS.get(reply.status_code, fallback)(f"the server answered {reply.status_code}: {message}")
