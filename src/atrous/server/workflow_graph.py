"""A workflow's specification, read as the one kind of graph that is run here: pictures, one model, JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from atrous.core.errors import InvalidInputError
from atrous.server.confidence import DEFAULT, NAMED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

BLOCK_V1 = "roboflow_core/roboflow_semantic_segmentation_model@v1"
BLOCK_V2 = "roboflow_core/roboflow_semantic_segmentation_model@v2"
IMAGE_INPUTS = ("InferenceImage", "WorkflowImage")
PARAMETER_INPUTS = ("InferenceParameter", "WorkflowParameter")
FIELDS = ("inference_id", "predictions", "model_id")
ALL_FIELDS = "*"
CUSTOM = "custom"
RULE = (
    "this server runs workflows of exactly one semantic segmentation block (v1 or v2) between one image input and JSON "
    "outputs; run others on stock Roboflow Inference"
)

IN_SPECIFICATION = "workflow_compilation | specification_validation"
IN_INPUTS = "workflow_execution | runtime_input_validation"


class WorkflowError(InvalidInputError):
    """A workflow that cannot be run here, or inputs that do not fit it; `block` is the step it is about, if any."""

    def __init__(self, message: str, context: str, block: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.context = context
        self.block = block


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value that comes with each request."""

    name: str
    default: Any


@dataclass(frozen=True, slots=True)
class Output:
    """A key of the reply and the field of the step behind it; `*` is all of them."""

    name: str
    field: str


@dataclass(frozen=True, slots=True)
class Graph:
    """What is to be done: values are constants or parameters.

    Attributes:
        image_input: the key of the pictures in a request's inputs.
        model_id: id of the model.
        mode: "best", "default" or "custom".
        custom: the threshold of mode "custom".
        outputs: in their order.
    """

    image_input: str
    model_id: Any
    mode: Any
    custom: Any
    outputs: tuple[Output, ...]


def parse_graph(specification: Any) -> Graph:
    """Read a specification.

    Raises:
        WorkflowError: if it is no specification, or one of another kind of graph.
    """
    if not isinstance(specification, dict):
        raise _refuse("the workflow's specification must be an object")
    parts = cast("dict[str, Any]", specification)
    inputs, steps, outputs = (_list_objects(parts, key) for key in ("inputs", "steps", "outputs"))
    if len(steps) != 1:
        raise _refuse(f"the workflow has {len(steps)} steps; {RULE}")
    image_input, parameters = _read_inputs(inputs)
    step = steps[0]
    _check_step(step, image_input)
    is_v2 = step["type"] == BLOCK_V2
    return Graph(
        image_input=image_input,
        model_id=_read_value(step, "model_id", parameters),
        mode=_read_value(step, "confidence_mode", parameters, "best") if is_v2 else CUSTOM,
        custom=_read_value(step, "custom_confidence", parameters, DEFAULT) if is_v2 else DEFAULT,
        outputs=tuple(_read_output(output, step) for output in outputs),
    )


def model_graph(model_id: str) -> Graph:
    """The graph of one model that takes `image` and, if wished, `confidence`, and gives all that the block gives."""
    outputs = tuple(Output(name, name) for name in FIELDS)
    return Graph("image", model_id, CUSTOM, Parameter("confidence", DEFAULT), outputs)


def bind_model(graph: Graph, inputs: Mapping[str, Any]) -> str:
    """The id of the model for a request's inputs.

    Raises:
        WorkflowError: if it is no text.
    """
    model_id = _bind(graph.model_id, inputs)
    if not isinstance(model_id, str):
        raise _refuse_inputs("model_id", "must be a text such as road/1")
    return model_id


def bind_confidence(graph: Graph, inputs: Mapping[str, Any]) -> float | str:
    """The threshold for a request's inputs, or the name of one.

    Raises:
        WorkflowError: if mode or threshold is none.
    """
    mode = _bind(graph.mode, inputs)
    if isinstance(mode, str) and mode in NAMED:
        return mode
    if mode != CUSTOM:
        raise _refuse_inputs("confidence_mode", "must be best, default or custom")
    custom = _bind(graph.custom, inputs)
    if isinstance(custom, bool) or not isinstance(custom, int | float) or not 0 <= custom <= 1:
        raise _refuse_inputs("the custom confidence", "must be a number from 0 to 1")
    return float(custom)


def _list_objects(parts: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    found = parts.get(key)
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in cast("list[Any]", found)):
        raise _refuse(f"the workflow's {key} must be an array of objects")
    return cast("list[dict[str, Any]]", found)


def _read_inputs(inputs: Sequence[Mapping[str, Any]]) -> tuple[str, dict[str, Parameter]]:
    for one in inputs:
        if not isinstance(one.get("name"), str) or one.get("type") not in (*IMAGE_INPUTS, *PARAMETER_INPUTS):
            raise _refuse(f"the workflow's inputs must be named images or parameters; {RULE}")
    images = [one["name"] for one in inputs if one["type"] in IMAGE_INPUTS]
    parameters = [one for one in inputs if one["type"] in PARAMETER_INPUTS]
    if len(images) != 1:
        raise _refuse(f"the workflow has {len(images)} image inputs; {RULE}")
    _check_distinct((one["name"] for one in inputs), "input")
    return images[0], {one["name"]: Parameter(one["name"], one.get("default_value")) for one in parameters}


def _check_distinct(names: Iterable[str], what: str) -> None:
    found = list(names)
    if len(set(found)) != len(found):
        raise _refuse(f"two of the workflow's {what}s have the same name; rename one")


def _check_step(step: Mapping[str, Any], image_input: str) -> None:
    if step.get("type") not in (BLOCK_V1, BLOCK_V2):
        raise _refuse(f"the workflow's block is of type {_quote(step.get('type'))}; {RULE}", step, "type")
    if not isinstance(step.get("name"), str):
        raise _refuse("the workflow's step needs a name, a text", step, "name")
    if step.get("images", step.get("image")) != f"$inputs.{image_input}":
        raise _refuse(f"the step's images must be $inputs.{image_input[:100]}, the image input", step, "images")


def _read_value(step: Mapping[str, Any], name: str, parameters: Mapping[str, Parameter], default: Any = None) -> Any:
    value = step.get(name, default)
    if not isinstance(value, str) or not value.startswith("$"):
        return value
    parameter = parameters.get(value.removeprefix("$inputs."))
    if parameter is None:
        raise _refuse(f"the step's {name} selects {_quote(value)}, which is no parameter of the workflow", step, name)
    return parameter


def _read_output(output: Mapping[str, Any], step: Mapping[str, Any]) -> Output:
    name, selector = output.get("name"), output.get("selector")
    prefix = f"$steps.{step['name']}."
    if output.get("type") != "JsonField" or not isinstance(name, str) or not isinstance(selector, str):
        raise _refuse("each of the workflow's outputs must be a JsonField with a name and a selector")
    field = selector.removeprefix(prefix)
    if not selector.startswith(prefix) or field not in (*FIELDS, ALL_FIELDS):
        raise _refuse(
            f"an output selects {_quote(selector)}; choose {prefix[:100]} and one of {', '.join(FIELDS)} or *"
        )
    return Output(name, field)


def _bind(value: Any, inputs: Mapping[str, Any]) -> Any:
    return inputs.get(value.name, value.default) if isinstance(value, Parameter) else value


def _quote(value: Any) -> str:
    return repr(value)[:100] if isinstance(value, str) else "no text"


def _refuse(message: str, step: Mapping[str, Any] | None = None, name: str | None = None) -> WorkflowError:
    block = None
    if step is not None:
        texts = {key: step.get(key) for key in ("name", "type")}
        block_id, block_type = (text[:100] if isinstance(text, str) else None for text in texts.values())
        block = {"block_id": block_id, "block_type": block_type, "block_details": message, "property_name": name}
    return WorkflowError(message, IN_SPECIFICATION, block)


def _refuse_inputs(what: str, message: str) -> WorkflowError:
    return WorkflowError(f"the workflow's inputs: {what} {message}", IN_INPUTS)
