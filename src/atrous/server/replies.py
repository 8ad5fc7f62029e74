"""The kinds of reply to a picture: which of them a request gets, what it holds, and where its time went."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

from starlette.responses import Response

from atrous.runtime.png import encode_grey_png
from atrous.runtime.stages import Stage, Stages
from atrous.server.accept import JPEG, JSON, PNG, prefers_png
from atrous.server.answer import answer_picture, draw_picture, encode_json, lift_mask, model_headers, predict_answer
from atrous.server.declared import name_picture
from atrous.server.forms import Masks
from atrous.server.notes import current_notes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from starlette.datastructures import Headers

    from atrous.core.class_map import ClassMap
    from atrous.server.answer import Wish
    from atrous.server.loaded_model import LoadedModel
    from atrous.server.metrics import Metrics
    from atrous.server.model_source import ServedModel
    from atrous.server.service import OpenModel

# What a grey PNG holds all of.
IN_A_PNG = frozenset({Masks.BOTH, Masks.LABEL})
# Proxies put up with heads of 4 kB in all.
MAX_HEADER_BYTES = 2048


@dataclass(frozen=True, slots=True)
class Reply:
    """A body, what its head says of it, and the seconds by stage that it took."""

    body: bytes
    media_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict[str, str])
    seconds: dict[Stage, float] = field(default_factory=dict[Stage, float])

    def respond(self, opened: OpenModel) -> Response:
        """The response, marked with the model that answered."""
        headers = {**model_headers(opened), **self.headers, "server-timing": _tell_seconds(self.seconds)}
        return Response(self.body, media_type=self.media_type, headers=headers)


class Kind(Protocol):
    """Makes one kind of reply from a model, the bytes of a picture and the wish that came with it."""

    def __call__(self, loaded: LoadedModel, data: bytes, wish: Wish, stages: Stages) -> Reply:
        """Give a reply without its seconds; `stages` are told them."""
        ...


def choose_kind(headers: Headers, wish: Wish, *, is_drawn: bool = False, is_copied: bool = False) -> Kind:
    """Choose what a request for one picture gets: what it asks for by name goes before what it likes.

    Args:
        headers: of the request.
        wish: what the request asks for.
        is_drawn: it asks for a picture of the masks instead of the masks.
        is_copied: its caller may look for the mask at the top of the reply.
    """
    if is_drawn:
        return reply_overlay
    if wish.drawing is None and wish.form.masks in IN_A_PNG and prefers_png(",".join(headers.getlist("accept"))):
        return reply_png
    return reply_copied_json if is_copied and wish.form.masks is Masks.BOTH else reply_json


def reply_one(
    kind: Kind,
    served: ServedModel,
    read: Callable[[], bytes],
    wish: Wish,
    metrics: Metrics,
    *,
    place: int | None = None,
) -> Reply:
    """Read a picture and answer it; errors tell its place in an array, if it has one."""
    stages = Stages()
    with name_picture(place):
        with stages.time(Stage.PICTURE):
            data = read()
        reply = served.run(partial(_reply_there, kind, data, wish))
    stages.add(reply.seconds)
    metrics.observe_stages(stages)
    notes = current_notes()
    if notes is not None:
        notes.pictures += 1
        notes.compute_s += sum(stages.seconds.values())
    return Reply(reply.body, reply.media_type, reply.headers, stages.seconds)


def reply_all(
    kind: Kind, served: ServedModel, pictures: Sequence[Callable[[], bytes]], wish: Wish, metrics: Metrics
) -> Reply:
    """Answer pictures by an array in their order."""
    replies = [reply_one(kind, served, read, wish, metrics, place=place) for place, read in enumerate(pictures)]
    body = b"[%b]" % b",".join(reply.body for reply in replies)
    return Reply(body, seconds=_add_seconds(reply.seconds for reply in replies))


def reply_json(loaded: LoadedModel, data: bytes, wish: Wish, stages: Stages) -> Reply:
    """Masks in the wished form, as the stock server does by default."""
    answer = answer_picture(loaded, data, wish, stages)
    with stages.time(Stage.JSON):
        return Reply(encode_json(answer))


def reply_copied_json(loaded: LoadedModel, data: bytes, wish: Wish, stages: Stages) -> Reply:
    """The same with a copy of the label mask where the roboflow package looks."""
    answer = answer_picture(loaded, data, wish, stages)
    with stages.time(Stage.JSON):
        return Reply(encode_json(lift_mask(answer)))


def reply_png(loaded: LoadedModel, data: bytes, wish: Wish, stages: Stages) -> Reply:
    """The label mask and nothing else."""
    _, answer = predict_answer(loaded, data, wish, stages)
    with stages.time(Stage.PNG):
        png = encode_grey_png(answer.mask_HW, loaded.engine.crew)
    told = {
        "x-inference-id": quote(wish.inference_id or str(uuid.uuid4())),
        "x-class-map": _write_class_map(loaded.engine.bundle.class_map),
    }
    return Reply(png, PNG, {name: text for name, text in told.items() if len(text) <= MAX_HEADER_BYTES})


def reply_overlay(loaded: LoadedModel, data: bytes, wish: Wish, stages: Stages) -> Reply:
    """The picture under its label mask."""
    return Reply(draw_picture(loaded, data, wish, stages), JPEG)


def _reply_there(kind: Kind, data: bytes, wish: Wish, loaded: LoadedModel) -> Reply:
    """A reply with its seconds, made where the network is."""
    stages = Stages()
    return replace(kind(loaded, data, wish, stages), seconds=stages.seconds)


def _write_class_map(class_map: ClassMap) -> str:
    # Of all that is no letter for a head, JSON in ASCII leaves only this one as it is.
    return json.dumps(class_map.as_json(), separators=(",", ":")).replace("\x7f", "\\u007f")


def _add_seconds(answers: Iterable[dict[Stage, float]]) -> dict[Stage, float]:
    total = Counter[Stage]()
    for seconds in answers:
        total.update(seconds)
    return dict(total)


def _tell_seconds(seconds: dict[Stage, float]) -> str:
    return ", ".join(f"{stage};dur={1000 * taken_s:.2f}" for stage, taken_s in seconds.items())
