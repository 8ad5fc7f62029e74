"""What Roboflow's platform has and this one has not: an honest answer, in words that its clients show."""

from collections.abc import Awaitable, Callable

from fastapi import APIRouter

from atrous.core.errors import NotFoundError
from atrous.server.platform import PlatformRoute
from atrous.server.workspace_paths import WorkspaceRoute

router = APIRouter(include_in_schema=False)

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
FOLDERS = "projects have no folders here; list them all"
SEARCH_EXPORT = "search results are not exported here; tag the pictures and make a version of the tag"
AUTOLABEL = "nothing is labelled by foundation models here; upload labels with the pictures"
BOARD = "there is no annotation board here; /batches and /jobs of the project list what there is"
WEIGHTS = "weights are not uploaded this way here; `atrous model upload` does it"
VIDEOS = "videos are not kept here; upload their frames as pictures"
WORKFLOWS = "workflows are not kept here; send their specification with each request"
DEVICES = "devices are not managed here; point them at this server"
EVENTS = "events of devices are not kept here; /metrics has the server's figures"

# Path -> what is not there and what to do instead. Each has its kin below it.
BELOW_WORKSPACES = {
    "/{workspace}/projects/fork": "projects are not forked here; export a version and import it under another name",
    "/{workspace}/groups": FOLDERS,
    "/{workspace}/search/export": SEARCH_EXPORT,
    "/{workspace}/autolabel": AUTOLABEL,
    "/{workspace}/{project}/autolabel": AUTOLABEL,
    "/{workspace}/{project}/annotation-batches": BOARD,
    "/{workspace}/{project}/annotation-jobs": BOARD,
    "/{workspace}/{project}/{version}/uploadModel": WEIGHTS,
    "/{workspace}/models/prepareUpload": WEIGHTS,
    "/{workspace}/models/{model}/favorite": "models have no favourites here; each has an id of its own",
    "/{workspace}/upload/video": VIDEOS,
    "/{workspace}/workflows": WORKFLOWS,
    "/{workspace}/createWorkflow": WORKFLOWS,
    "/{workspace}/updateWorkflow": WORKFLOWS,
    "/{workspace}/forkWorkflow": WORKFLOWS,
    "/{workspace}/devices": DEVICES,
    "/{workspace}/api-keys": "keys are not managed by this path; `atrous key` makes, lists and revokes them",
}
ELSEWHERE = {
    "/batch-processing": "pictures are not predicted in batches here; send them to /infer/semantic_segmentation",
    "/universe/search": "there are no public data sets here; import your own",
    "/vision-events": EVENTS,
    "/videoinfer": VIDEOS,
    "/workspaces/{workspace}/workflow-evals": WORKFLOWS,
}


def _refuse(message: str) -> Callable[[], Awaitable[None]]:
    async def refuse() -> None:
        raise NotFoundError(f"not part of this server: {message}")

    return refuse


for _table, _route in ((BELOW_WORKSPACES, WorkspaceRoute), (ELSEWHERE, PlatformRoute)):
    for _path, _message in _table.items():
        for _below in ("", "/{rest:path}"):
            router.add_api_route(_path + _below, _refuse(_message), methods=METHODS, route_class_override=_route)
