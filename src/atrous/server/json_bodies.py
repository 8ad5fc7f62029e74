"""JSON bodies, read whatever their content type says, and told to OpenAPI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFINITIONS = "#/$defs/"

Body = TypeVar("Body", bound=BaseModel)


def parse_json(model: type[Body], body: bytes) -> Body:
    """Read a body straight from its bytes.

    Raises:
        RequestValidationError: if it is no JSON or not of this form; it holds no value of the body.
    """
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        details: Sequence[Any] = error.errors(include_url=False, include_context=False, include_input=False)
        # Not chained: the original quotes the body, keys and pictures included.
        raise RequestValidationError(details) from None


def describe_json(model: type[BaseModel], *, required: bool = True) -> dict[str, Any]:
    """What OpenAPI is told of a body that a route reads by itself."""
    schema = model.model_json_schema()
    content = {"application/json": {"schema": _inline(schema, schema.get("$defs", {}))}}
    return {"requestBody": {"required": required, "content": content}}


def _inline(part: Any, definitions: dict[str, Any]) -> Any:
    """A part of a schema with the definitions in the places that refer to them; none refers to itself."""
    if isinstance(part, list):
        return [_inline(one, definitions) for one in cast("list[Any]", part)]
    if not isinstance(part, dict):
        return part
    fields = cast("dict[str, Any]", part)
    if "$ref" in fields:
        return _inline(definitions[fields["$ref"].removeprefix(DEFINITIONS)], definitions)
    return {name: _inline(one, definitions) for name, one in fields.items() if name != "$defs"}
