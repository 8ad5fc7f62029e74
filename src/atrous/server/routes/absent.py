"""What the stock server has and this one has not: an honest answer instead of a search for a model of that name."""

from http import HTTPStatus

from fastapi import APIRouter
from starlette.responses import Response

from atrous.server.errors import error_response

router = APIRouter(include_in_schema=False)

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
STREAMS = (
    "video pipelines and WebRTC are not part of this server; send frames one by one to /infer/semantic_segmentation"
)


@router.api_route("/inference_pipelines/{path:path}", methods=METHODS)
@router.api_route("/webrtc/{path:path}", methods=METHODS)
@router.api_route("/initialise_webrtc_worker", methods=METHODS)
async def refuse_streams() -> Response:
    """Nothing here reads videos."""
    return error_response(HTTPStatus.NOT_IMPLEMENTED, {"message": STREAMS})


@router.get("/device/stats")
async def refuse_device_stats() -> Response:
    """Nothing here talks to a container engine."""
    error = "no statistics of containers here"
    hint = "use /metrics, or ask the container engine"
    return error_response(HTTPStatus.NOT_FOUND, {"error": error, "hint": hint, "message": f"{error}; {hint}"})


@router.get("/notebook/start")
async def refuse_notebook() -> Response:
    """Nothing here runs a caller's code."""
    content = {"success": False, "message": "this server starts no notebooks; run Jupyter beside it"}
    return error_response(HTTPStatus.NOT_FOUND, content)
