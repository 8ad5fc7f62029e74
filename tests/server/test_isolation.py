"""A key sees, gets and guesses nothing of another workspace, by whatever path of the API's description."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.adapters.rows import NOON, later, make_picture, make_project, make_training, version_maker
from tests.fakes.pictures import RED, as_base64, encode_squares
from tests.server.place import Place, make_place

from atrous.runtime.png import encode_grey_png
from atrous.server.app import create_app
from atrous.server.settings import Settings
from atrous.workspace.batches import make_batch_id
from atrous.workspace.deployment import Deployment, LogEntry, UsageHour
from atrous.workspace.jobs import add_job
from atrous.workspace.keys import create_key
from atrous.workspace.pictures import PictureEdit, request_edits
from atrous.workspace.records import AnnotationJob, EvaluationState, JobKind, ModelEvaluation, Scope, TrainingState
from atrous.workspace.zip_uploads import ZipOptions, start_zip_upload

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from httpx import Response
    from starlette.testclient import TestClient

    from atrous.workspace.ports import Ports

PICTURE = encode_squares([[RED]])
IMAGE = {"type": "base64", "value": as_base64(PICTURE)}
# What the names in paths of the API stand for.
KINDS = {
    "picture_id": "picture",
    "evaluation_id": "evaluation",
    "task_id": "task",
    "slug": "model",
}
PLACEHOLDER = re.compile(r"<(\w+)>")
JSON = "application/json"


@dataclass(frozen=True)
class Ask:
    """How a path is asked.

    Attributes:
        scope: what the key must be good for.
        path: where it is not the path of the description, such as a model's name in the place of a number.
        query: with `<kind>` where an id stands.
        body: JSON or text, likewise.
        status: of a reply to ids in the query or the body that do not exist: 404, or one that tells nothing of them.
    """

    scope: Scope
    path: str = ""
    query: str = ""
    body: Any = None
    status: int = 404


READ, MANAGE, ADMIN, INFER = Scope.READ, Scope.MANAGE, Scope.ADMIN, Scope.INFER
V0 = Ask(INFER, "/<project>/<version>", body=as_base64(PICTURE))
MODEL_ID = {"model_id": "<workspace>/<model>"}
WORKFLOW = {"specification": {}, "inputs": {}}
TRAINING = {"trainingId": "<training>"}
DEPLOYMENT = {"deployment_name": "<deployment>"}

ASKS: dict[str, Ask | tuple[Ask, ...]] = {
    "GET /start/{project}/{version}": Ask(INFER),
    "POST /{project}/{version}": (V0, replace(V0, path="/<workspace>/<model>")),
    "POST /infer/workflows/{workspace}/{workflow_id}": Ask(INFER, "/infer/workflows/<workspace>/any", body=WORKFLOW),
    "POST /{workspace}/workflows/{workflow_id}": Ask(INFER, "/<workspace>/workflows/any", body=WORKFLOW),
    "GET /ort/{project}/{version}": Ask(INFER),
    "GET /models/{workspace}/{slug}": Ask(INFER),
    "GET /{workspace}/{project}/models": (Ask(READ), Ask(READ, query="group=<training>", status=200)),
    "GET /{workspace}/{project}/{model}/ptFile": (Ask(READ), Ask(READ, "/<workspace>/<project>/<version>/ptFile")),
    "GET /{workspace}/model-evals": (
        Ask(READ),
        *(Ask(READ, query=f"{name}=<{name}>", status=200) for name in ("project", "version", "model")),
    ),
    "GET /{workspace}/model-evals/compare": Ask(READ, query="project=<project>&version=<version>"),
    "GET /{workspace}/model-evals/{evaluation_id}": Ask(READ),
    "GET /{workspace}/model-evals/{evaluation_id}/map-results": Ask(READ),
    "GET /{workspace}/model-evals/{evaluation_id}/performance-by-class": Ask(READ),
    "GET /{workspace}/model-evals/{evaluation_id}/confusion-matrix": Ask(READ),
    "GET /{workspace}/model-evals/{evaluation_id}/confidence-sweep": Ask(READ),
    "GET /{workspace}/model-evals/{evaluation_id}/vector-analysis": Ask(READ),
    "GET /{workspace}/model-evals/{evaluation_id}/image-predictions": Ask(READ),
    "GET /{workspace}/model-evals/{evaluation_id}/recommendations": Ask(READ),
    "GET /{workspace}/{project}/{version}/v2/trainings": Ask(READ),
    "POST /{workspace}/{project}/{version}/v2/trainings": Ask(MANAGE, body={}),
    "GET /{workspace}/{project}/{version}/v2/trainings/get": Ask(READ, query="trainingId=<training>"),
    "GET /{workspace}/{project}/{version}/v2/trainings/recipe": Ask(READ),
    "POST /{workspace}/{project}/{version}/v2/trainings/cancel": Ask(MANAGE, body=TRAINING),
    "POST /{workspace}/{project}/{version}/v2/trainings/stop": Ask(MANAGE, body=TRAINING),
    "DELETE /{workspace}/{project}/{version}/v2/trainings/{training}": Ask(MANAGE),
    "POST /{workspace}/{project}/{version}/train": Ask(MANAGE, body={}),
    "POST /{workspace}/{project}/{version}/train/cancel": Ask(MANAGE, body={}),
    "POST /{workspace}/{project}/{version}/train/stop": Ask(MANAGE, body={}),
    "GET /{workspace}/{project}/{version}/training/results": Ask(READ),
    "POST /{workspace}/{project}/{version}/upload-weights": Ask(MANAGE, body={}),
    "GET /{workspace}/{project}/{version}/upload-weights/{task}": Ask(
        READ, "/<workspace>/<project>/<version>/upload-weights/<weights>"
    ),
    "GET /{workspace}/{project}/health": Ask(READ),
    "POST /dataset/{project}/upload": Ask(MANAGE, query="name=x.png", body=as_base64(PICTURE)),
    "POST /dataset/{project}/annotate/{picture}": Ask(MANAGE, query="name=x.json", body={"annotationFile": "{}"}),
    "GET /{workspace}/upload/zip/{task}": Ask(READ, "/<workspace>/upload/zip/<zip>"),
    "POST /{workspace}/{project}/upload/zip": Ask(MANAGE, body={}),
    "POST /{workspace}/{project}/upload": Ask(MANAGE, query="name=x.png", body=as_base64(PICTURE)),
    "POST /{workspace}/{project}/annotate/{picture}": Ask(MANAGE, query="name=x.json", body={"annotationFile": "{}"}),
    "GET /{workspace}/{project}/batches": Ask(READ),
    "GET /{workspace}/{project}/batches/{batch}": Ask(READ),
    "GET /{workspace}/{project}/jobs": Ask(READ),
    "POST /{workspace}/{project}/jobs": Ask(
        MANAGE, body={"batch": "<batch>", "labelerEmail": "a@example.org", "reviewerEmail": "b@example.org"}
    ),
    "GET /{workspace}/{project}/jobs/{job}": Ask(READ),
    "GET /platform/images/{picture_id}/file": Ask(READ),
    "GET /platform/images/{picture_id}/label": Ask(READ),
    "GET /platform/images/{picture_id}/thumbnail": Ask(READ),
    "POST /{workspace}/images/{picture_id}/metadata": Ask(MANAGE, body={}),
    "POST /{workspace}/images/metadata": Ask(MANAGE, body={"updates": [{"imageId": "x"}]}),
    "GET /{workspace}/asynctasks/{task_id}": Ask(READ),
    "POST /{workspace}/search/v1": (
        Ask(READ, body={}),
        *(Ask(READ, body={"query": f"{kind}:<{kind}>"}, status=200) for kind in ("project", "job", "batch")),
        Ask(READ, body={"query": "id:<picture>"}, status=200),
    ),
    "POST /{workspace}/{project}/search": (
        Ask(READ, body={}),
        Ask(READ, body={"batch_id": "<batch>"}, status=200),
        Ask(READ, body={"annotation_job_id": "<job>"}, status=200),
    ),
    "DELETE /{workspace}/images": Ask(ADMIN, body={"images": ["<picture>"]}, status=200),
    "GET /{workspace}/{project}/images/{picture_id}": Ask(READ),
    "DELETE /{workspace}/{project}/images": Ask(ADMIN, body={"images": ["<picture>"]}),
    "GET /{workspace}/trash": Ask(READ),
    "POST /{workspace}/trash/restore": (
        Ask(MANAGE, body={"type": "project", "id": "<project>"}),
        Ask(MANAGE, body={"type": "version", "id": "<version>", "parentId": "<project>"}),
        Ask(MANAGE, body={"type": "training", "id": "<training>"}),
    ),
    "DELETE /{workspace}/{project}": Ask(MANAGE),
    "GET /{workspace}/{project}": Ask(READ),
    "DELETE /{workspace}/{project}/{version}": Ask(MANAGE),
    "GET /{workspace}/{project}/{version}": Ask(READ),
    "GET /{workspace}/{project}/{version}/diff": Ask(READ, query="with=<version>"),
    "POST /{workspace}/{project}/preview": Ask(READ, body={"settings": {}}),
    "POST /{workspace}/{project}/generate": Ask(MANAGE, body={"preprocessing": {}, "augmentation": {}}),
    "GET /{workspace}/{project}/{version}/{format_name}": Ask(READ, "/<workspace>/<project>/<version>/coco"),
    "GET /{workspace}": Ask(READ),
    "POST /{workspace}/billing-usage-report": Ask(READ, body={}),
    "GET /{workspace}/stats": Ask(READ),
    "POST /{workspace}/projects": Ask(MANAGE, body={"name": "x"}),
}
# Ids in the query or the body alone.
PLAIN_ASKS: dict[str, Ask | tuple[Ask, ...]] = {
    "POST /model/add": Ask(INFER, body=MODEL_ID),
    "POST /infer/semantic_segmentation": (
        Ask(INFER, body={**MODEL_ID, "image": IMAGE}),
        Ask(INFER, body={"model_id": "<project>/<version>", "image": IMAGE}),
    ),
    "GET /getWeights": Ask(INFER, query="model=<workspace>/<model>"),
    "GET /models/v1/external/stat": Ask(INFER, query="modelId=<workspace>/<model>"),
    "GET /models/v1/external/weights": Ask(INFER, query="modelId=<workspace>/<model>"),
    "POST /dedicated/add": Ask(
        MANAGE, body={"deployment_name": "other-cam", "machine_type": "dev-cpu", "models": ["<workspace>/<model>"]}
    ),
    "GET /dedicated/get": Ask(READ, query="deployment_name=<deployment>"),
    "POST /dedicated/pause": Ask(MANAGE, body=DEPLOYMENT),
    "POST /dedicated/resume": Ask(MANAGE, body=DEPLOYMENT),
    "POST /dedicated/update": Ask(MANAGE, body={**DEPLOYMENT, "models": []}),
    "POST /dedicated/delete": Ask(MANAGE, body=DEPLOYMENT),
    "GET /dedicated/get_log": Ask(READ, query="deployment_name=<deployment>"),
    "GET /dedicated/usage_deployment": Ask(READ, query="deployment_name=<deployment>"),
}


def list_asks() -> list[tuple[str, Ask]]:
    """Every way that is asked, under its method and path."""
    pairs = [
        (name, ask)
        for name, asks in (ASKS | PLAIN_ASKS).items()
        for ask in (asks if isinstance(asks, tuple) else (asks,))
    ]
    return [(name, replace(ask, path=ask.path or _mark_path(name.split()[1]))) for name, ask in pairs]


def _mark_path(path: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: f"<{KINDS.get(found[1], found[1])}>", path)


def list_kinds(ask: Ask) -> list[str]:
    return list(dict.fromkeys(PLACEHOLDER.findall(f"{ask.path}?{ask.query} {json.dumps(ask.body)}")))


@dataclass(frozen=True)
class World:
    """Two workspaces with one of everything.

    Attributes:
        keys: by scope, of `acme`; and that of `other` under None.
        own: ids of `other`, by kind.
        foreign: ids of `acme`.
        absent: ids of nothing.
    """

    place: Place
    client: TestClient
    keys: Mapping[Scope | None, str]
    own: dict[str, str]
    foreign: dict[str, str]
    absent: dict[str, str]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    place = make_place(tmp_path_factory.mktemp("place"))
    foreign = fill(place, "acme", "street", "secret", version=3)
    own = fill(place, "other", "lake", "mine", version=1)
    absent = {kind: f"none{len(value) * '0'}"[: max(4, len(value))] for kind, value in foreign.items()}
    keys: dict[Scope | None, str] = {
        scope: create_key(place.ports, "acme", scope.value, scope=scope)[1] for scope in Scope
    }
    keys[None] = create_key(place.ports, "other", "tests")[1]
    with place.client() as client:
        yield World(place, client, keys, own, foreign, absent | {"version": "7"})


def fill(place: Place, workspace: str, project: str, name: str, *, version: int) -> dict[str, str]:
    """One of everything, under ids that no other workspace has."""
    ports = place.ports
    store = ports.store
    store.add_project(make_project(project, workspace))
    for _ in range(version):
        store.add_version(version_maker(project, workspace), workspace, project)
    image, mask = ports.blobs.put(PICTURE), ports.blobs.put(encode_grey_png(np.ones((8, 8), np.uint8)))
    picture_id, training_id = f"picture-{name}", f"training-{name}"
    picture = make_picture(
        f"{name}.png", image_sha256=image, mask_sha256=mask, id=picture_id, batch=name, annotation_job=f"job-{name}"
    )
    store.add_pictures(workspace, project, [picture])
    store.add_training(
        make_training(training_id, workspace, project=project, version=version, state=TrainingState.DONE)
    )
    slug = f"model-{name}"
    place.publish(slug, workspace=workspace, version=version, training_id=training_id)
    evaluation = f"evaluation-{name}"
    store.add_evaluation(ModelEvaluation(evaluation, workspace, project, version, slug, EvaluationState.RUNNING, NOON))
    job = AnnotationJob(f"job-{name}", workspace, project, name, name, 1, "a", "b", "", later(1))
    store.add_annotation_job(job)
    deployment = f"cam-{name}"
    store.add_deployment(Deployment(deployment, workspace, "dev-cpu", "", NOON))
    store.add_log_entries(deployment, [LogEntry("1", ports.clock.now(), name)], keep=9)
    store.add_usage([UsageHour(workspace, deployment, "road/1", "k1", NOON, 1, 1, 1)])
    return {
        "workspace": workspace,
        "project": project,
        "version": str(version),
        "picture": picture_id,
        "training": training_id,
        "model": slug,
        "evaluation": evaluation,
        "batch": make_batch_id(name),
        "job": job.id,
        "deployment": deployment,
        "task": request_edits(ports, workspace, [(picture_id, PictureEdit())]).id,
        "weights": add_job(ports, JobKind.PUBLISH, workspace, f"{project}/{version}").id,
        "zip": start_zip_upload(ports, workspace, project, ZipOptions()).id,
    }


def send(world: World, key: str | None, asked: tuple[str, Ask], ids: Mapping[str, str]) -> Response:
    def name_ids(text: str) -> str:
        return PLACEHOLDER.sub(lambda found: ids[found[1]], text)

    name, ask = asked
    body = ask.body if isinstance(ask.body, str) else json.dumps(ask.body)
    return world.client.request(
        name.split(maxsplit=1)[0],
        name_ids(ask.path) + (f"?{name_ids(ask.query)}" if ask.query else ""),
        content=None if ask.body is None else name_ids(body),
        headers={"content-type": JSON} | ({"authorization": f"Bearer {key}"} if key else {}),
    )


def tell(reply: Response, ids: Mapping[str, str]) -> tuple[int, str]:
    """Status and body, with the ids that were asked for taken out."""
    text = reply.text
    for kind in sorted(ids, key=lambda kind: -len(ids[kind])):
        text = re.sub(rf"\b{re.escape(ids[kind])}\b", "ID", text)
    return reply.status_code, re.sub(r'"(time|inference_id|taskId|url)":[^,}]*', "", text)


def describe_acme(ports: Ports) -> str:
    """All that is kept of `acme`."""
    store, projects = ports.store, ports.store.list_projects("acme")
    trashed = store.list_projects("acme", deleted=True)
    inside = [
        (
            store.list_pictures("acme", one.slug),
            store.list_versions("acme", one.slug),
            store.count_pictures("acme", one.slug),
        )
        for one in projects
    ]
    made = store.list_models("acme"), store.list_evaluations("acme"), store.list_deployments("acme")
    rest = *made, ports.queue.list_jobs("acme")
    return repr((projects, trashed, inside, rest, store.list_trainings("acme", "street", 3)))


def test_every_path_of_the_api_is_asked_here(world: World) -> None:
    app = create_app(Settings(), world.place.ports)
    described = {
        f"{method.upper()} {path}"
        for path, methods in app.openapi()["paths"].items()
        for method in methods
        # Whoever holds a signed token may use it, and nobody can guess one.
        if "{" in path and "{token}" not in path
    }
    assert described - set(ASKS) == set()
    assert set(ASKS) - described == set()


@pytest.mark.parametrize(("name", "ask"), list_asks(), ids=lambda one: one if isinstance(one, str) else "")
def test_another_workspace_is_told_of_as_if_it_were_not_there(world: World, name: str, ask: Ask) -> None:
    before = describe_acme(world.place.ports)
    for kind in list_kinds(ask):
        is_whole = kind == "workspace"
        theirs = world.foreign if is_whole else world.own | {kind: world.foreign[kind]}
        nothing = world.absent if is_whole else world.own | {kind: world.absent[kind]}
        told, expected = (tell(send(world, world.keys[None], (name, ask), ids), ids) for ids in (theirs, nothing))
        assert told == expected, kind
        assert told[0] == (404 if f"<{kind}>" in ask.path else ask.status), (kind, told)
    assert describe_acme(world.place.ports) == before


@pytest.mark.parametrize("scope", [Scope.INFER, Scope.READ, Scope.MANAGE])
@pytest.mark.parametrize(("name", "ask"), list_asks(), ids=lambda one: one if isinstance(one, str) else "")
def test_a_key_does_what_its_scope_allows_and_no_more(world: World, name: str, ask: Ask, scope: Scope) -> None:
    ids = world.absent | {"workspace": "acme"}
    reply = send(world, world.keys[scope], (name, ask), ids)
    assert (reply.status_code == 403) == (not scope.allows(ask.scope)), reply.text


@pytest.mark.parametrize(("name", "ask"), list_asks(), ids=lambda one: one if isinstance(one, str) else "")
def test_nothing_is_told_without_a_key(world: World, name: str, ask: Ask) -> None:
    assert send(world, None, (name, ask), world.foreign).status_code == 401
    assert send(world, None, (name, ask), world.absent).status_code == 401
