"""Settings that one of our processes hands to another one that it starts."""

from __future__ import annotations

import json
from typing import Any, cast

from atrous.core.errors import InvalidInputError


def read_options(text: str | None) -> dict[str, Any]:
    """The options of a JSON object, such as `--settings` carries; none if it is not given.

    Raises:
        InvalidInputError: if it is no JSON object.
    """
    try:
        options = json.loads(text or "{}")
    except ValueError as error:
        raise InvalidInputError(f"--settings: is not JSON ({error}); give an object of settings") from error
    if not isinstance(options, dict):
        raise InvalidInputError("--settings: is not a JSON object; give an object of settings")
    return cast("dict[str, Any]", options)
