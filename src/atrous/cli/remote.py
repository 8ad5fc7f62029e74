"""A model behind an HTTP server, ours or a stock one."""

from __future__ import annotations

import base64
import binascii
import time

import cv2
import httpx
import numpy as np
from numpy.typing import NDArray

from atrous.core.class_map import ClassMap
from atrous.core.errors import AtrousError, InvalidInputError, NotFoundError, UnauthorizedError, UnavailableError

TIMEOUT_S = 120
ERRORS: dict[int, type[AtrousError]] = {401: UnauthorizedError, 403: UnauthorizedError, 404: NotFoundError}
OK, BAD_REQUEST, SERVER_ERROR = 200, 400, 500
# A busy server says when to come again; so often a picture comes, each time after no longer than this.
BUSY = frozenset({429, 503})
TRIES, LONGEST_WAIT_S = 8, 30


class RemoteModel:
    """Predicts by `POST /{project}/{version}`; safe to use from several threads at once.

    Further parameters of the query are those of our own servers; stock ones pass over them.
    """

    def __init__(
        self, api_url: str, model_id: str, api_key: str | None, threshold: float, **further: str | float | None
    ) -> None:
        self._url = f"{api_url.rstrip('/')}/{model_id}"
        try:
            httpx.URL(self._url)
        except httpx.InvalidURL as error:
            raise InvalidInputError(f"{api_url}: is no address ({error}); write http://HOST:PORT") from error
        if api_key and not api_key.isascii():
            raise InvalidInputError("the API key has letters that no key has; copy it again")
        # Of 1 and above, such a server takes the number for a percentage.
        # A stock server passes over `masks` and sends the confidence as well.
        self._params = {"confidence": str(min(threshold, 0.9999)), "masks": "label"}
        self._params |= {name: str(value) for name, value in further.items() if value is not None}
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
        reply = self._send(base64.b64encode(data))
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

    def _send(self, body: bytes) -> httpx.Response:
        """The server's reply; a busy server is asked again when it says."""
        for _ in range(TRIES - 1):
            reply = self._post(body)
            pause_s = reply.headers.get("retry-after", "")
            if reply.status_code not in BUSY or not pause_s.isdecimal():
                return reply
            time.sleep(min(int(pause_s), LONGEST_WAIT_S))
        return self._post(body)

    def _post(self, body: bytes) -> httpx.Response:
        try:
            return self._client.post(self._url, params=self._params, content=body)
        except httpx.HTTPError as error:
            raise UnavailableError(f"{self._url}: no answer ({error}); check the address and that it runs") from error


def describe_refusal(reply: httpx.Response) -> AtrousError:
    """The error that a server's refusal means here."""
    try:
        message = str(reply.json()["message"])
    except (ValueError, KeyError, TypeError):
        message = reply.text[:200] or reply.reason_phrase
    fallback = InvalidInputError if BAD_REQUEST <= reply.status_code < SERVER_ERROR else UnavailableError
    return ERRORS.get(reply.status_code, fallback)(f"the server answered {reply.status_code}: {message}")
