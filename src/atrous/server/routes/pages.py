"""The pages that the server shows in a browser; what they show they ask for with the reader's key."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from atrous.server.answer import encode_json
from atrous.server.pages import DOCS_PAGE, HOME_PAGE
from atrous.server.signed_links import own_prefix

router = APIRouter(include_in_schema=False)


@router.get("/")
async def show_home() -> Response:
    """What is running, which models there are, and a place to try them."""
    return Response(HOME_PAGE.content, headers=HOME_PAGE.headers, media_type="text/html")


@router.get("/docs")
async def show_docs() -> Response:
    """The description of the API, for people."""
    return Response(DOCS_PAGE.content, headers=DOCS_PAGE.headers, media_type="text/html")


@router.get("/openapi.json")
async def describe_server(request: Request) -> Response:
    """The description of the API, for machines."""
    prefix = own_prefix(request)
    servers = {"servers": [{"url": prefix}]} if prefix else {}
    return Response(encode_json(request.app.openapi() | servers), media_type="application/json")
