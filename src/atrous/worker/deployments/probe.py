"""Asking a server whether it lives."""

from __future__ import annotations

from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit


def answers_well(address: str, path: str, request_id: str, timeout_s: float) -> bool:
    """Whether a server answers a path with 200 in time.

    Args:
        address: such as `http://127.0.0.1:40123`.
        path: such as `/readiness`.
        request_id: a UUID by which the server's log tells this question from those of others.
        timeout_s: for the connection, and for each part of the answer.
    """
    url = urlsplit(address)
    connection = HTTPConnection(url.hostname or "", url.port, timeout=timeout_s)
    try:
        connection.request("GET", path, headers={"x-request-id": request_id})
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
