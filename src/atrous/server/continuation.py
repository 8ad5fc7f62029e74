"""Where the next page of a search begins, as a token that clients send back without reading it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from atrous.core.errors import InvalidInputError
from atrous.workspace.search import Mark, Order

if TYPE_CHECKING:
    from atrous.workspace.roboql import Query

MAX_TOKEN_LENGTH = 4096
DIGEST_LENGTH = 16
BY_NAME = frozenset({Order.NAME, Order.NAME_DOWN})


def write_token(query: Query, mark: Mark) -> str:
    """The token of what follows a mark; it holds the mark and knows its query."""
    value = mark.value.isoformat() if isinstance(mark.value, datetime) else mark.value
    content = json.dumps([_digest(query), value, mark.id], separators=(",", ":"))
    return base64.urlsafe_b64encode(content.encode()).decode("ascii").rstrip("=")


def read_token(query: Query, token: str) -> Mark:
    """The mark of a token.

    Raises:
        InvalidInputError: if it is no token, or one of another query.
    """
    try:
        padded = token + "=" * (-len(token) % 4)
        digest, value, picture_id = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if digest != _digest(query) or not isinstance(picture_id, str):
            raise _bad_token()
        return Mark(_read_value(query.order, value), picture_id)
    except (ValueError, TypeError, RecursionError, OverflowError, binascii.Error):
        raise _bad_token() from None


def _read_value(order: Order, value: object) -> datetime | str | None:
    if value is None and order not in BY_NAME:
        return None
    if not isinstance(value, str):
        raise _bad_token()
    return value if order in BY_NAME else datetime.fromisoformat(value).astimezone(UTC)


def _digest(query: Query) -> str:
    return hashlib.sha256(repr(query).encode()).hexdigest()[:DIGEST_LENGTH]


def _bad_token() -> InvalidInputError:
    return InvalidInputError("continuationToken: is not of this query; leave it out to begin at the first page")
